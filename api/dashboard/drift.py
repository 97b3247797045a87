"""Who has moved to another segment since exposure, and what the answer would be by present segment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.dashboard import format as say
from api.dashboard.names import Names
from api.dashboard.stored.comparison import Estimate, estimate_of
from experiments.domain.metric import MetricRole
from experiments.domain.wording import listed, plural
from experiments.services.drift.ports import Drift

Doc = Mapping[str, Any]
BAR = 100.0
"""Width of a bar in its own units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftLine:
    """A segment at exposure; `moved_share` is of those of whom it is known.

    `stayed_until` and `moved_until` are where the parts of its bar end, of 100.
    """

    segment: str
    units: str
    stayed: str
    moved: str
    moved_share: str
    unknown: str
    moved_to: str
    stayed_until: float
    moved_until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftLine:
    """A treatment in a segment, by the segment at exposure and by the present one; empty where there is nobody."""

    segment: str
    variant: str
    then: str
    then_interval: str
    then_units: str
    now: str
    now_interval: str
    now_units: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftView:
    """`skipped` says why nobody was looked for; `hidden` of which segments only requests tell."""

    sentence: str
    skipped: str
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    hidden: tuple[tuple[str, str], ...]
    lines: tuple[DriftLine, ...]
    metric: str
    lifts: tuple[LiftLine, ...]
    when: str


def drift_view(drift: Drift | None, names: Names, *, counted: int) -> DriftView | None:
    """Return None where nobody has looked, or where there is one segment only: it cannot be left.

    `counted`: how many the report knows.
    """
    if drift is None or (drift.document["skipped"] or {}).get("code") == "one_segment":
        return None
    document = drift.document
    findings = [(one["severity"], say.sentence(one["message"])) for one in document["findings"]]
    metric, lifts = _lifts(document, names)
    return DriftView(
        sentence=_sentence(document, names) if document["units"] else _of_nobody(names, counted),
        skipped=document["skipped"]["message"] if document["skipped"] else "",
        warnings=tuple(text for severity, text in findings if severity == "warning"),
        notes=tuple(
            say.sentence(one["message"])
            for one in document["findings"]
            if one["severity"] == "info" and one["code"] != "moved_after_exposure"
        ),
        hidden=tuple((names.segment(one["segment"]), one["message"]) for one in document["hidden"]),
        lines=tuple(_line(row, names) for row in document["segments"] if row["units"]),
        metric=metric,
        lifts=lifts,
        when=say.instant(drift.computed_at),
    )


def _of_nobody(names: Names, counted: int) -> str:
    """It is looked at less often than the results are: the first may have come since."""
    units = plural(names.unit)
    return f"Not counted yet since the first {units} came." if counted else f"No {units} have been counted yet."


def _sentence(document: Doc, names: Names) -> str:
    units, moved, known = document["units"], document["moved"], document["units"] - document["unknown"]
    if not moved:
        return f"None of {say.amount(units, names.unit)} is known to have moved to another segment since."
    those = (
        say.amount(units, names.unit) if known == units else f"the {say.amount(known, names.unit)} of whom it is known"
    )
    told = f"{say.count(moved)} of {those} ({say.share(moved / known)})"
    return f"{told} {'is' if moved == 1 else 'are'} in another segment now than when they were first shown a variant."


def _line(row: Doc, names: Names) -> DriftLine:
    units, known = row["units"], row["units"] - row["unknown"]
    return DriftLine(
        segment=names.segment(row["segment"]),
        units=say.count(units),
        stayed=say.count(row["stayed"]),
        moved=say.count(row["moved"]),
        moved_share=say.share(row["moved"] / known) if known else "",
        unknown=say.count(row["unknown"]),
        moved_to=listed(list(_places(row, names))),
        stayed_until=BAR * row["stayed"] / units,
        moved_until=BAR * (row["stayed"] + row["moved"]) / units,
    )


def _places(row: Doc, names: Names) -> Iterator[str]:
    """Most went to the first."""
    for one in sorted(row["moved_to"], key=lambda one: (-one["units"], one["segment"])):
        yield f"{names.segment(one['segment'])} ({say.count(one['units'])})"
    if row["in_none"]:
        yield f"no named segment ({say.count(row['in_none'])})"


def _lifts(document: Doc, names: Names) -> tuple[str, tuple[LiftLine, ...]]:
    """The primary metric by both segments."""
    if document["at_present"] is None:
        return "", ()
    now = {scope["segment"]: scope for scope in document["at_present"]}
    pairs = [(then, now[then["segment"]]) for then in document["at_exposure"]]
    lines = [line for then, later in pairs if then["units"] or later["units"] for line in _both(then, later, names)]
    return names.metric(_primary(document["at_present"][0])["metric"]), tuple(lines)


def _both(then: Doc, now: Doc, names: Names) -> Iterator[LiftLine]:
    later = _by_treatment(now)
    for treatment, before in _by_treatment(then).items():
        yield LiftLine(
            segment=names.segment(then["segment"]),
            variant=names.variant(treatment),
            then=_value(before),
            then_interval=_between(before),
            then_units=say.amount(then["units"], names.unit),
            now=_value(later[treatment]),
            now_interval=_between(later[treatment]),
            now_units=say.amount(now["units"], names.unit),
        )


def _by_treatment(scope: Doc) -> dict[str, Estimate]:
    return {one["treatment"]: estimate_of(one["lift"]) for one in _primary(scope)["comparisons"]}


def _primary(scope: Doc) -> Doc:
    metrics: Sequence[Doc] = scope["metrics"]
    return next(metric for metric in metrics if metric["role"] == MetricRole.PRIMARY)


def _value(estimate: Estimate) -> str:
    return "–" if estimate.value.value is None else say.lift(estimate.value.value)


def _between(estimate: Estimate) -> str:
    ends = estimate.always_valid
    return "" if ends is None else f"{say.lift(ends.low)} to {say.lift(ends.high)}"
