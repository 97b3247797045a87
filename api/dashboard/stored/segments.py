"""Segments side by side, for one treatment: does its effect differ between them?"""

from __future__ import annotations

from dataclasses import dataclass

from api.dashboard.stored.comparison import Estimate, estimate_of
from api.dashboard.stored.values import Bounds, Doc, Interval, Number, bounds_of, interval_of, is_defined, number_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEffect:
    segment: str
    raw: Number
    std_error: Number
    shrunk: Number
    shrunk_interval: Bounds
    against_others: Number
    against_others_interval: Bounds
    against_others_p_value: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The segment that looks best, corrected for having been picked."""

    segment: str
    raw: float
    adjusted: float
    interval: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentComparison:
    treatment: str
    baseline: str
    q: Number
    degrees_of_freedom: int
    p_value: Number
    p_value_always_valid: Number
    i_squared: Number
    tau: Number
    pooled: Estimate
    differ: bool
    segments: tuple[SegmentEffect, ...]
    selected: Selected | None

    def effect(self, segment: str | None) -> SegmentEffect | None:
        return next((one for one in self.segments if one.segment == segment), None)


def segment_comparison_of(doc: Doc) -> SegmentComparison:
    """Read the segments of one treatment."""
    return SegmentComparison(
        treatment=doc["treatment"],
        baseline=doc["baseline"],
        q=number_of(doc["q"]),
        degrees_of_freedom=doc["degrees_of_freedom"],
        p_value=number_of(doc["p_value"]),
        p_value_always_valid=number_of(doc["p_value_always_valid"]),
        i_squared=number_of(doc["i_squared"]),
        tau=number_of(doc["tau"]),
        pooled=estimate_of(doc["pooled"]),
        differ=doc["differ"],
        segments=tuple(map(_effect, doc["segments"])),
        selected=_selected(doc["selected"]) if is_defined(doc.get("selected")) else None,
    )


def _effect(doc: Doc) -> SegmentEffect:
    return SegmentEffect(
        segment=doc["segment"],
        raw=number_of(doc["raw"]),
        std_error=number_of(doc["std_error"]),
        shrunk=number_of(doc["shrunk"]),
        shrunk_interval=bounds_of(doc["shrunk_interval"]),
        against_others=number_of(doc["against_others"]),
        against_others_interval=bounds_of(doc["against_others_interval"]),
        against_others_p_value=number_of(doc["against_others_p_value"]),
    )


def _selected(doc: Doc) -> Selected:
    return Selected(
        segment=doc["segment"], raw=doc["raw"], adjusted=doc["adjusted"], interval=interval_of(doc["interval"])
    )
