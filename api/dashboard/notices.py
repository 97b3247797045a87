"""Findings as notices to the reader: worst first, each with a plain sentence on what it means and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from api.dashboard import format as say
from api.dashboard.heading import Freshness, freshness_of
from api.dashboard.names import ALL_TOGETHER, Names
from api.dashboard.policy_words import rules_fit
from api.dashboard.stored import Finding, StoredReport
from experiments.domain.experiment import Experiment, Status
from experiments.domain.policy import StoppingRule
from experiments.services.analysing.ports import Snapshot

SEVERITIES = ("critical", "warning", "info")
_MISFIT = "Nothing goes live by these rules: that takes proof at every look."
WORDS = {"critical": "Do not trust", "warning": "Warning", "info": "Note"}

_MEANING = {
    "srm": (
        "The groups do not have the sizes they should have",
        (
            "Something goes wrong in how variants are shown or recorded, so the groups can no longer be compared "
            "fairly. Do not act on these numbers; ask whoever built the integration to find the cause."
        ),
    ),
    "zero_weight_arm": (
        "A variant was shown to people who should not have seen it",
        "The page does not follow the split. Do not act on these numbers until the integration is repaired.",
    ),
    "segment_untrustworthy": (
        "The total contains data that cannot be trusted",
        "Look at the other segments one by one instead.",
    ),
    "mixed_exposures": (
        "Some saw more than one variant",
        "Many of them point to a page that forgets who it has in front of it.",
    ),
    "exposures_outside": (
        "Some were shown variants outside of the plan",
        "The integration may send an old or misspelt segment or variant.",
    ),
    "no_events": (
        "A metric has no events at all",
        "The event may have another name, or people other ids, than this experiment expects.",
    ),
    "values_missing": ("Some events came without a usable value", "They count as 0, so totals may be too low."),
    "rows_unusable": (
        "Some data are nobody's, or of no time",
        "They count as nothing. Whoever makes the tables should find out why.",
    ),
    "stratum_left_out": ("Part of the data cannot be compared fairly and is left out", ""),
    "few_units": ("Not enough data for a verdict yet", ""),
    "few_conversions": ("Not enough events for a verdict yet", ""),
    "few_events": ("Not enough events for a verdict yet", ""),
    "mixed_imbalance": (
        "One variant loses more people than the others",
        "Who saw several variants is left out, and there are more of them in one group. Do not act on these numbers.",
    ),
    "skewed_metric": (
        "A few make up most of this metric",
        "",
    ),
    "covariate_imbalance": (
        "The groups differed before they saw anything",
        "What was known beforehand is used to take noise out of the numbers. Do not act on them until it is repaired.",
    ),
    "practically_equal": ("Two variants are practically the same", "Keep the cheaper one, or test something bolder."),
    "outlier_influence": (
        "One value weighs too much",
        "It may be a test order, or an error.",
    ),
    "too_good_to_be_true": (
        "This is too good to be true",
        "Such effects are nearly always errors.",
    ),
    "novelty": (
        "The effect wears off",
        "Look at the effect by day, below: what counts is what is left on the later days.",
    ),
    "primacy": (
        "The effect has yet to come",
        "Look at the effect by day, below: people may need some time to get used to what is new.",
    ),
    "guardrail_harmed": (
        "A variant harms what it may not harm",
        "Do not put it live before that is understood, even where it wins.",
    ),
    "guardrail_worse": (
        "A variant does some harm",
        "It may be no more than is tolerated; look into it before you put it live, even where it wins.",
    ),
    "srm_suspected": (
        "The groups may not have the sizes they should have",
        (
            "It may be chance: who looks often sees it some day. But look whether something removes people from one "
            "variant (a redirect, a crash, a filter of bots), and wait before you act on these numbers."
        ),
    ),
    "units_maturing": ("Some are too recent to count", "They count as soon as their time window is complete."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """All findings of a kind in one place. `where` is a segment's name, or empty for the experiment as a whole."""

    severity: str
    word: str
    headline: str
    details: tuple[str, ...]
    advice: str
    where: str


def notices_of(report: StoredReport, names: Names) -> tuple[Notice, ...]:
    """Return every finding once, critical ones first, in the order of the segments."""
    alike: dict[tuple[str, str, str], list[Finding]] = {}
    told: set[tuple[str, str]] = set()
    for where, finding in _findings(report, names):
        # `circumstances` says it, beside what else time does to results.
        if finding.code != "single_look" and (finding.code, finding.message) not in told:
            told.add((finding.code, finding.message))
            alike.setdefault((where, finding.code, finding.severity), []).append(finding)
    notices = (_notice(found, where) for (where, _, _), found in alike.items())
    return tuple(sorted(notices, key=lambda notice: SEVERITIES.index(notice.severity)))


def circumstances(
    experiment: Experiment, snapshot: Snapshot, report: StoredReport, now: datetime
) -> tuple[Notice, ...]:
    """What the report cannot know: that time has passed, or that the experiment has changed since."""
    return (
        *_stale(freshness_of(experiment, snapshot, now)),
        *_one_look(experiment, report),
        *_changed(experiment, snapshot),
    )


def _findings(report: StoredReport, names: Names) -> Iterator[tuple[str, Finding]]:
    alone = len(report.segments) == 1
    for finding in report.findings:
        yield "", finding
    for scope in report.segments:
        for finding in scope.findings:
            yield "" if alone else names.segment(scope.segment), finding
    told = {finding.code for scope in report.segments for finding in scope.findings}
    if not alone:
        # What is wrong in a segment is wrong in the total too; once is enough.
        for finding in report.overall.findings:
            if finding.code not in told:
                yield ALL_TOGETHER, finding


def _notice(found: list[Finding], where: str) -> Notice:
    first = found[0]
    severity = first.severity if first.severity in SEVERITIES else "warning"
    sentences = tuple(say.sentence(finding.message) for finding in found)
    headline, advice = _MEANING.get(first.code, (sentences[0].rstrip("."), ""))
    details = sentences if first.code in _MEANING else sentences[1:]
    return Notice(
        severity=severity, word=WORDS[severity], headline=headline, details=details, advice=advice, where=where
    )


def _stale(freshness: Freshness) -> Iterator[Notice]:
    if freshness.is_old:
        yield _own(
            "warning",
            "These results are old",
            f"They hold data up to {freshness.data_until}, {freshness.ago}, while the experiment is running.",
            "Ask whoever runs Winnow whether its worker is up. Nothing is promoted on old data.",
        )


def _one_look(experiment: Experiment, report: StoredReport) -> Iterator[Notice]:
    plan, unit = experiment.definition.analysis, experiment.definition.unit_type
    misfit = "" if rules_fit(experiment.definition) else f" {_MISFIT}"
    if plan.stopping_rule is StoppingRule.GROUP_SEQUENTIAL and experiment.status in (Status.RUNNING, Status.PAUSED):
        yield _own(
            "info",
            "Every analysis of this experiment is a look, and each look is paid for",
            f"Its looks are planned until a segment has {say.amount(plan.planned_units or 0, unit)}.",
            f"Reading this page costs nothing.{misfit}",
        )
    if plan.stopping_rule is StoppingRule.FIXED_HORIZON:
        yield _at_its_end(report, unit)


def _at_its_end(report: StoredReport, unit: str) -> Notice:
    headline = "This experiment was planned for one look, at its end"
    if not report.is_early and report.units < report.tuned_for_units:
        return _own(
            "warning",
            headline,
            f"It ended with {report.units:,} of the {say.amount(report.tuned_for_units, unit)} that were planned.",
            "If it was stopped for what its numbers said, they show differences that are not there.",
        )
    if not report.is_early:
        return _own(
            "info",
            headline,
            f"All {say.amount(report.tuned_for_units, unit)} that were planned are in.",
            "Read it once. Who looks again and again finds differences that are not there.",
        )
    return _own(
        "warning",
        headline,
        f"{report.units:,} of the {say.amount(report.tuned_for_units, unit)} that were planned are in. Until then its "
        "numbers show differences that are not there far more often than they should.",
        "Wait for the planned end before you conclude anything.",
    )


def _changed(experiment: Experiment, snapshot: Snapshot) -> Iterator[Notice]:
    if experiment.current.number != snapshot.version:
        yield _own(
            "info", "The experiment has been changed since this analysis", "The next analysis takes the change in.", ""
        )


def _own(severity: str, headline: str, detail: str, advice: str) -> Notice:
    return Notice(
        severity=severity, word=WORDS[severity], headline=headline, details=(detail,), advice=advice, where=""
    )
