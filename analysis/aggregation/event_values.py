"""What is known of the values of events before they are summed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, frexp, isfinite
from typing import TYPE_CHECKING, Any

import ibis

from analysis.aggregation.exact import Grid
from analysis.aggregation.reduce import LARGEST_VALUE

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Few units have more: then the sums are made again. Two roundings keep 2 x 35 bits below the largest value.
EVENTS_OF_A_UNIT = 2**16 - 1
_LARGE = 2.0**24
# Of the smallest value that is not 0, where values differ by so much that two roundings would not keep them.
_BITS = 44
_MOST_PARTS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What the values of the events of one name are within.

    `smallest` of |value|, but for 0; None: not asked. `has_missing`: some may be null, NaN, infinite or too large.
    `is_usable`: null at most.
    """

    largest: float
    smallest: float | None
    events: int
    has_missing: bool
    is_usable: bool

    def grid(self, busiest: int) -> Grid:
        """To add up those of one unit, which has up to `busiest` events."""
        grid = Grid(largest=self.largest, n=min(self.events, busiest))
        if not self.smallest:
            return grid
        wanted = frexp(self.largest)[1] - frexp(self.smallest)[1] + _BITS
        return replace(grid, rounded=min(max(ceil(wanted / grid.bits), 2), _MOST_PARTS))


def finite(value: Any) -> Any:
    """NaN and infinity fail the comparison on some backends and pass it on others, so NaN is named."""
    return (~value.isnan() & (value.abs() <= LARGEST_VALUE)).ifelse(value, ibis.null("float64"))


def values_of(events: ir.Table, names: Sequence[str]) -> dict[str, Values]:
    """By name, from the values of all events if these will do: that costs nothing where the database keeps statistics.

    They will if all are usable, and none so large that rounding to a share of it would tell on those that are wanted.
    """
    if not names:
        return {}
    values = events.value
    asked = events.agg(low=values.min(), high=values.max(), values=values.count(), rows=events.count())
    every = asked.to_pyarrow().to_pylist()[0]
    ends = [float(every[end] or 0) for end in ("low", "high")]
    if all(isfinite(end) and abs(end) <= _LARGE for end in ends):
        return dict.fromkeys(names, _values(every, is_usable=True))
    found = _ranges(_named(events, names))
    none = {"low": None, "high": None, "values": 0, "rows": 0}
    return {name: _values(found.get(name, none), is_usable=False) for name in names}


def _named(events: ir.Table, names: Sequence[str]) -> ir.Table:
    found = events.filter(events.name.isin(names))
    return found.select(name=found.name.cast("string"), value=found.value.cast("float64"))


def _ranges(events: Any) -> dict[str, Mapping[str, Any]]:
    value = finite(events.value)
    asked = events.group_by("name").agg(
        low=value.min(),
        high=value.max(),
        smallest=value.abs().min(where=value != 0),
        values=value.count(),
        rows=events.count(),
    )
    return {row["name"]: row for row in asked.to_pyarrow().to_pylist()}


def _values(row: Mapping[str, Any], *, is_usable: bool) -> Values:
    return Values(
        largest=max(abs(float(row["low"] or 0)), abs(float(row["high"] or 0))),
        smallest=row.get("smallest"),
        events=row["rows"],
        has_missing=row["values"] < row["rows"],
        is_usable=is_usable,
    )
