"""A table with one row per unit to sums by group, in two queries: what range the values have, then their sums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import isfinite
from operator import mul
from typing import TYPE_CHECKING, Any

from analysis.aggregation.exact import Grid, Range, split, total
from analysis.aggregation.sums import ABSOLUTE, Sums
from analysis.aggregation.variables import Variables

if TYPE_CHECKING:
    import ibis.expr.types as ir

# The cube of such a value, and the sum of as many as there are, is still a float. Nothing that is measured is larger.
LARGEST_VALUE = 1e50

_PLAIN = ("min", "max", "count")

Group = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What is known of a column before it is summed; `count` of its values are not null."""

    range: Range
    count: int

    @property
    def is_usable(self) -> bool:
        """Whether all values are finite (NaN is the smallest or the largest of values, or hides both)."""
        return all(isfinite(end) and abs(end) <= LARGEST_VALUE for end in (self.range.low, self.range.high))

    def capped(self, cap: float | None) -> Reach:
        if cap is None:
            return self
        return replace(self, range=replace(self.range, low=min(self.range.low, cap), high=min(self.range.high, cap)))


def reaches(rows: ir.Table, columns: Sequence[str]) -> tuple[int, dict[str, Reach]]:
    """The number of rows and the reach of each column, from the database's own statistics where it has some."""
    asked = {
        f"{name}{index}": getattr(rows[column], name)()
        for index, column in enumerate(columns)
        for name in ("min", "max", "count")
    }
    found = rows.agg(rows=rows.count(), **asked).to_pyarrow().to_pylist()[0]
    return found["rows"], {
        column: Reach(
            range=Range(low=float(found[f"min{index}"] or 0), high=float(found[f"max{index}"] or 0)),
            count=found[f"count{index}"],
        )
        for index, column in enumerate(columns)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitTable:
    """Rows of units, and what is known of their columns.

    Parameters
    ----------
    rows
        Floats or null in the columns of all `metrics`. Units without a row, or with null, have 0 there.
    keys
        Columns that make a group.
    metrics
        Whose sums are wanted.
    known
        By column.
    sizes
        By metric: the units of each group that are in it. None: every row is a unit of every metric.
    units
        Of all groups together, or more.
    """

    rows: Any
    keys: tuple[str, ...]
    metrics: tuple[Variables, ...]
    known: Mapping[str, Reach]
    units: int
    sizes: Mapping[str, Mapping[Group, int]] | None = None

    def units_of(self, one: Variables) -> int:
        return self.units if self.sizes is None else sum(self.sizes[one.metric.key].values())

    def is_full(self, one: Variables) -> bool:
        """Whether every unit has all its values."""
        return all(self.known[column].count >= self.units_of(one) for column in one.columns)

    def range_of(self, one: Variables, column: str) -> Range:
        found = self.known[column].range if self.is_full(one) else self.known[column].range.with_zero()
        return replace(found, whole=column in one.whole)


def sums_by_group(table: UnitTable) -> tuple[dict[Group, int], dict[str, dict[Group, Sums]]]:
    """Rows by group; and sums of every metric: by its key, by group, for every group that has units in it."""
    ranges = {column: table.range_of(one, column) for one in table.metrics for column in one.columns}
    wanted = {what: None for one in table.metrics for what in _wanted(one, ranges, is_full=table.is_full(one))}
    found = _query(table, list(wanted), ranges) if table.units else {}
    counted = {group: values["rows",] for group, values in found.items()}
    sizes = table.sizes if table.sizes is not None else {one.metric.key: counted for one in table.metrics}
    return counted, {
        one.metric.key: {
            group: Sums.of(one, size, ranges, found.get(group, {})) for group, size in sizes[one.metric.key].items()
        }
        for one in table.metrics
    }


def _wanted(one: Variables, ranges: Mapping[str, Range], *, is_full: bool) -> Iterator[tuple[str, ...]]:
    yield from one.products
    if one.metric.kind == "conversion":
        return
    yield from (("min", one.x), ("max", one.x))
    if ranges[one.x].low < 0 < ranges[one.x].high:
        yield (ABSOLUTE, one.x)
    if not is_full:
        yield ("count", one.x)


def _query(
    table: UnitTable, wanted: Sequence[tuple[str, ...]], ranges: Mapping[str, Range]
) -> dict[Group, dict[tuple[str, ...], Any]]:
    asked = [_parts(table, what, ranges) for what in wanted]
    names = {f"s{i}_{j}": part for i, parts in enumerate(asked) for j, part in enumerate(parts)}
    found = table.rows.group_by(list(table.keys)).agg(rows=table.rows.count(), **names).to_pyarrow().to_pylist()
    return {
        tuple(row[key] for key in table.keys): {("rows",): row["rows"]}
        | {what: _together(what, [row[f"s{i}_{j}"] for j in range(len(asked[i]))]) for i, what in enumerate(wanted)}
        for row in found
    }


def _parts(table: UnitTable, what: tuple[str, ...], ranges: Mapping[str, Range]) -> list[Any]:
    if what[0] in _PLAIN:
        return [getattr(table.rows[what[1]], what[0])()]
    names = what[1:] if what[0] == ABSOLUTE else what
    factors = [ranges[name] for name in names]
    grid = Grid(
        largest=reduce(mul, (one.largest for one in factors)), n=table.units, whole=all(one.whole for one in factors)
    )
    value = reduce(mul, (_shifted(table.rows[name], ranges[name].shift) for name in names))
    return [part.sum() for part in split(value.abs() if what[0] == ABSOLUTE else value, grid)]


def _shifted(column: Any, shift: float) -> Any:
    return column - shift if shift else column


def _together(what: tuple[str, ...], parts: list[Any]) -> Any:
    return parts[0] if what[0] in _PLAIN else total(parts)
