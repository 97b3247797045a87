"""Evidence in plain words: what won, how sure that is, and what there is to fear."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from api.dashboard import format as say
from api.dashboard.gain import Measure, how_sure
from api.dashboard.names import Names
from experiments.domain.definition import Definition
from experiments.domain.evidence import Basis, Evidence
from experiments.domain.policy import FAMILYWISE
from experiments.domain.promotion_policy import WinnerRule
from experiments.domain.wording import percent, plural

A_LITTLE = 0.2
"""Of what was seen."""
LEAST_SEEN = timedelta(days=1)
"""Of less than a day nobody can tell how many will come in the weeks of the hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """`note` says what the figure means; `grave` where it is a reason to say no."""

    term: str
    text: str
    note: str = ""
    grave: bool = False


def lead(definition: Definition, evidence: Evidence, variant: str, names: Names) -> str:
    """Say in one sentence what speaks for a variant, as far as the data can be trusted."""
    if evidence.critical:
        return "Something is wrong with the data, so nothing can be said about who wins."
    if definition.promotion.winner is WinnerRule.EXPECTED_LOSS:
        control = names.variant(definition.control.key)
        return (
            f"{names.variant(variant)} is the cheapest choice if it turns out to be wrong; "
            f"that it is better than {control} is not proven."
        )
    return evidence.verdict


def facts_of(definition: Definition, evidence: Evidence, names: Names, measure: Measure) -> tuple[Fact, ...]:
    """Return everything that the evidence says of its variant; no figures where the data cannot be trusted."""
    if evidence.critical:
        return (sizes_of(evidence), _data_until(evidence))
    return tuple(_facts(definition, evidence, names, measure))


def _facts(definition: Definition, evidence: Evidence, names: Names, measure: Measure) -> Iterator[Fact]:
    yield Fact(
        term="Lift",
        text=how_sure(measure, evidence.gain, evidence.gain_low, evidence.gain_high),
        note=f"{measure.metric} against {measure.control}{_whose(evidence, names)}. {surely(definition)}",
    )
    yield _corrected(evidence, measure)
    yield from _beliefs(evidence, measure)
    yield sizes_of(evidence)
    yield Fact(
        term="Seen by",
        text=", ".join(
            f"{names.variant(variant)}: {say.count(units)}"
            for variant, units in evidence.units
            if variant in (evidence.control, evidence.variant)
        ),
    )
    yield _data_until(evidence)
    yield _holdback(definition, evidence, measure, names)


def _data_until(evidence: Evidence) -> Fact:
    return Fact(term="Data until", text=say.instant(evidence.watermark_at))


def surely(definition: Definition) -> str:
    """What the word promises, given the error rate and whose it is."""
    plan = definition.analysis
    rate = f"{100 * plan.alpha:g}"
    if plan.family in FAMILYWISE:
        return f"“Surely”: of 100 such experiments, at most {rate} say anything wrong."
    return f"“Surely”: of all that is concluded, at most {rate}% is wrong on average."


def _whose(evidence: Evidence, names: Names) -> str:
    return f", in {names.segment(None).lower()}" if evidence.basis is Basis.OVERALL else ""


def _corrected(evidence: Evidence, measure: Measure) -> Fact:
    term, expected, seen = "What to expect", evidence.predicted_gain, evidence.gain
    if expected is None or seen is None:
        note = f"No lift was measured to work it out from: too little was seen, or {measure.control} has none of it."
        return Fact(term=term, text="Not known yet", note=note)
    if expected == seen:
        return Fact(
            term=term, text="Less than was seen", note="Winners were also lucky; by how much is not known here."
        )
    return Fact(term=term, text=measure.said(expected), note=f"{against_seen(evidence)}.".capitalize())


def against_seen(evidence: Evidence) -> str:
    """How what is expected differs from what was seen, and why; empty where that is not known."""
    expected, seen = evidence.predicted_gain, evidence.gain
    if expected is None or seen is None or expected == seen:
        return ""
    if expected > seen:
        return "more than was seen: lifts are believed to be larger"
    less = "a little less" if seen - expected < A_LITTLE * abs(seen) else "less"
    return f"{less} than was seen: winners were also lucky"


def _beliefs(evidence: Evidence, measure: Measure) -> Iterator[Fact]:
    belief = evidence.belief_in(evidence.variant)
    if belief is None:
        return
    yield Fact(term="Chance to be best", text=say.chance(belief.chance_to_be_best))
    if belief.expected_loss is not None:
        loss = belief.expected_loss
        small = "under 0.01%" if loss < 0.0001 else f"{100 * loss:.2f}%"
        yield Fact(
            term="Expected loss",
            text=f"{small} of {measure.control}’s {measure.metric}",
            note="What choosing it costs on average, should another one be better.",
        )


def sizes_of(evidence: Evidence) -> Fact:
    """Say whether the groups can be compared at all."""
    term = "Groups and data"
    if evidence.critical:
        return Fact(term=term, text="Do not trust: " + " ".join(evidence.critical), grave=True)
    if evidence.srm_p_value is None:
        return Fact(term=term, text="The sizes of the groups could not be checked")
    if evidence.doubts_sizes:
        return Fact(
            term=term,
            text=f"Their sizes hardly fit the split ({say.p_value(evidence.srm_p_value)}): look at that first",
            note="It may be chance, or something removes people from one variant: the page of the experiment warns.",
            grave=True,
        )
    return Fact(term=term, text="No fault found", note="Whether the groups have the sizes that the split intends.")


def _holdback(definition: Definition, evidence: Evidence, measure: Measure, names: Names) -> Fact:
    held = say.basis_points(definition.promotion.holdback_bp)
    term, forecast = "What the holdback will show", evidence.holdback
    if forecast is None or _seen_for(evidence) < LEAST_SEEN:
        text = "Not known yet" if definition.promotion.hold_seconds else "Nothing"
        return Fact(term=term, text=text, note=_no_forecast(definition, evidence, measure, names))
    change = percent(forecast.lift, 1)
    text = f"By about {say.day(forecast.at)} the {held} held back will show a change of {change} or more"
    note = "With a chance of 80%, at the traffic of so far; smaller changes stay unseen."
    if evidence.predicted_gain is not None and forecast.lift > abs(evidence.predicted_gain):
        said = measure.said(evidence.predicted_gain)
        return Fact(term=term, text=f"{text}: too coarse to confirm {said}", note=note)
    return Fact(term=term, text=text, note=note)


def _no_forecast(definition: Definition, evidence: Evidence, measure: Measure, names: Names) -> str:
    """Say why nobody can tell what the holdback will show: the first of the reasons for which there is no forecast."""
    units = plural(names.unit)
    if not definition.promotion.hold_seconds:
        return "By its rules a winner is kept as soon as all of its segment see it, and not watched any longer."
    if not any(count for _, count in evidence.units):
        return f"No {units} of this segment have been counted yet."
    if _seen_for(evidence) <= timedelta(0):
        return f"This segment has only just come in, so how many {units} will come is not known."
    if _seen_for(evidence) < LEAST_SEEN:
        return f"Less than a whole day of data is in, so how many {units} will come is not known."
    return f"Too little is known of {measure.metric} with {measure.control} to work it out."


def _seen_for(evidence: Evidence) -> timedelta:
    return evidence.watermark_at - max(evidence.segment_since, evidence.started_at or evidence.segment_since)
