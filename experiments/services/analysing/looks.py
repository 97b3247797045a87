"""Looks: how far the data reached whenever results were computed. A group-sequential plan counts every one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.estimate import Interval
from analysis.plan import Standing

Doc = Mapping[str, Any]
Segment = str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierLooks:
    """By segment, and under None all together.

    `units`: how many had an outcome at each look so far, ascending; `standing`: what the last of them that could decide
    anything has found.
    """

    units: Mapping[Segment, tuple[int, ...]] = field(default_factory=dict)
    standing: Mapping[Segment, tuple[Standing, ...]] = field(default_factory=dict)


def earlier_looks(reports: Iterable[Doc]) -> EarlierLooks:
    """Return the looks that these reports were, oldest first.

    Reports of all versions count: an edit does not give back what a look has spent.
    """
    units: dict[Segment, set[int]] = {}
    standing: dict[Segment, tuple[Standing, ...]] = {}
    for report in reports:
        for scope in (report["overall"], *report["segments"]):
            primary = next(metric for metric in scope["metrics"] if metric["role"] == "primary")
            if seen := sum(arm["units"] for arm in primary["arms"]):
                units.setdefault(scope["segment"], set()).add(seen)
            # A look that decided nothing repeats what stood before it, if it says anything.
            if found := tuple(_found(primary)):
                standing[scope["segment"]] = found
    return EarlierLooks(units={segment: tuple(sorted(seen)) for segment, seen in units.items()}, standing=standing)


def _found(primary: Doc) -> Iterator[Standing]:
    for one in primary["comparisons"]:
        if isinstance(p := one["p_value_adjusted"], float):
            yield Standing(
                treatment=one["treatment"],
                baseline=one["baseline"],
                p_value=p,
                difference=_interval(one["difference_in_family"]),
                lift=_interval(one["lift_in_family"]),
            )


def _interval(doc: Doc) -> Interval | None:
    return None if "undefined" in doc else Interval(**doc)
