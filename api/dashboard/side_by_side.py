"""Do segments differ? One treatment's effect in all of them side by side, as shown and as it most likely is."""

from __future__ import annotations

from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.names import Names
from api.dashboard.stored import Bounds, Number, SegmentComparison, SegmentEffect, StoredReport


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLine:
    """`missing` says why a segment has no effect of its own."""

    segment: str
    missing: str
    shown: str
    likely: str
    likely_interval: str
    less_others: str
    less_others_interval: str
    p_value: str
    differs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """`answer` says yes or not shown; `details` are for experts, name and value."""

    title: str
    differ: bool
    answer: str
    best: str
    lines: tuple[SegmentLine, ...]
    details: tuple[tuple[str, str], ...]


def side_by_side(report: StoredReport, names: Names) -> tuple[SideBySide, ...]:
    """Return a table per treatment; none where there is one segment only."""
    primary = report.overall.primary
    if len(report.segments) < 2 or primary is None:
        return ()
    return tuple(_one(report, found, primary.kind, names) for found in report.segment_comparisons)


def _one(report: StoredReport, found: SegmentComparison, kind: str, names: Names) -> SideBySide:
    treatment = names.variant(found.treatment)
    return SideBySide(
        title=f"{treatment} against {names.variant(found.baseline)}",
        differ=found.differ,
        answer=_answer(found, treatment),
        best=_best(found, kind, names),
        lines=tuple(_line(report, one, kind, names) for one in found.segments),
        details=tuple(_details(found, kind)),
    )


def _answer(found: SegmentComparison, treatment: str) -> str:
    if found.differ:
        return f"Yes: {treatment} is shown to work better for some segments than for others."
    if found.p_value_always_valid.value is None and found.p_value.value is None:
        return found.p_value_always_valid.missing or found.p_value.missing or "It cannot be said yet."
    return (
        f"Not shown: what differs in the effect of {treatment} may be chance. "
        "So the most likely effects lie closer together than those that were seen."
    )


def _best(found: SegmentComparison, kind: str, names: Names) -> str:
    best = found.selected
    if best is None:
        return ""
    range_ = f" ({say.difference_range(best.interval.low, best.interval.high, kind)})" if best.interval else ""
    return (
        f"It looks best for {names.segment(best.segment)}: {say.difference(best.raw, kind)} were seen there. "
        f"Allowing for its having been picked as the best, it is {say.difference(best.adjusted, kind)}{range_}."
    )


def _line(report: StoredReport, one: SegmentEffect, kind: str, names: Names) -> SegmentLine:
    p = one.against_others_p_value
    return SegmentLine(
        segment=names.segment(one.segment),
        missing="" if one.raw.value is not None else one.raw.missing or "Not known.",
        shown=_value(one.raw, kind),
        likely=_value(one.shrunk, kind),
        likely_interval=_bounds(one.shrunk_interval, kind),
        less_others=_value(one.against_others, kind),
        less_others_interval=_bounds(one.against_others_interval, kind),
        p_value="" if p.value is None else say.p_value(p.value),
        differs=p.value is not None and p.value < report.alpha,
    )


def _details(found: SegmentComparison, kind: str) -> list[tuple[str, str]]:
    rows = [
        ("Chance of such differences between equal segments, valid at every look", found.p_value_always_valid),
        (f"The same for one look: Cochran’s Q, {found.degrees_of_freedom} degrees of freedom", found.p_value),
    ]
    said = [(name, number.missing if number.value is None else say.p_value(number.value)) for name, number in rows]
    if found.q.value is not None:
        said.append(("Q", f"{found.q.value:.2f}"))
    if found.i_squared.value is not None:
        said.append(("Share of the differences that is not chance (I²)", f"{100 * found.i_squared.value:.0f}%"))
    if found.tau.value is not None:
        said.append(("Spread of the true effects between segments (τ)", say.cost(found.tau.value, kind)))
    if found.pooled.value.value is not None:
        said.append(("Mean effect, weighted by how precisely each is known", _value(found.pooled.value, kind)))
    return said


def _value(number: Number, kind: str) -> str:
    return "–" if number.value is None else say.difference(number.value, kind)


def _bounds(bounds: Bounds, kind: str) -> str:
    return say.difference_range(bounds.interval.low, bounds.interval.high, kind) if bounds.interval else ""
