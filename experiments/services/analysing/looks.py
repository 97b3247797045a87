"""Looks: how far the data reached whenever results were computed. A group-sequential plan counts every one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Doc = Mapping[str, Any]
Segment = str | None
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierLooks:
    """By segment, and under None all together.

    `units`: how many had an outcome at each look so far, ascending; `concluded`: which variant was shown to be better
    than which at the last of them that could decide anything.
    """

    units: Mapping[Segment, tuple[int, ...]] = field(default_factory=dict)
    concluded: Mapping[Segment, tuple[Pair, ...]] = field(default_factory=dict)


def earlier_looks(reports: Iterable[Doc]) -> EarlierLooks:
    """Return the looks that these reports were, oldest first.

    Reports of all versions count: an edit does not give back what a look has spent.
    """
    units: dict[Segment, set[int]] = {}
    concluded: dict[Segment, tuple[Pair, ...]] = {}
    for report in reports:
        for scope in (report["overall"], *report["segments"]):
            primary = next(metric for metric in scope["metrics"] if metric["role"] == "primary")
            if seen := sum(arm["units"] for arm in primary["arms"]):
                units.setdefault(scope["segment"], set()).add(seen)
            if any(isinstance(one["p_value_adjusted"], float) for one in primary["comparisons"]):
                concluded[scope["segment"]] = tuple(_shown(primary, report["alpha"]))
    return EarlierLooks(
        units={segment: tuple(sorted(seen)) for segment, seen in units.items()},
        concluded={segment: pairs for segment, pairs in concluded.items() if pairs},
    )


def _shown(primary: Doc, alpha: float) -> Iterator[Pair]:
    """(better, worse)"""
    sign = 1.0 if primary["direction"] == "increase" else -1.0
    for one in primary["comparisons"]:
        p, difference = one["p_value_adjusted"], one["difference"]["value"]
        if isinstance(p, float) and p < alpha and isinstance(difference, float):
            pair = one["treatment"], one["baseline"]
            yield pair if sign * difference > 0 else (pair[1], pair[0])
