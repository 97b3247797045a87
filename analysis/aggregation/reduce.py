"""A table with one row per unit to sums by group, in two queries: what range the values have, then their sums."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import isfinite
from operator import add, mul
from typing import Any

from analysis.aggregation.asking import Asked, Question
from analysis.aggregation.exact import Grid, Range, split, total
from analysis.aggregation.sums import ABSOLUTE, Sums
from analysis.aggregation.variables import Variables

# The cube of such a value, and the sum of as many as there are, is still a float. Nothing that is measured is larger.
LARGEST_VALUE = 1e50

BROKEN = "broken"
_PLAIN = ("min", "max", "count", BROKEN)
_ROUNDING = 1.5 * 2.0**52
_ROUGH = 8

What = tuple[str, ...]

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


def reaches(asked: Asked, what: Hashable, prepare: Question, columns: Sequence[str]) -> tuple[int, dict[str, Reach]]:
    """The number of rows and the reach of each column, from the database's own statistics where it has some."""
    found = asked.ask(("reaches", what, tuple(columns)), lambda table: _reaches(prepare(table), columns))[0]
    return found["rows"], {
        column: Reach(
            range=Range(low=float(found[f"min{index}"] or 0), high=float(found[f"max{index}"] or 0)),
            count=found[f"count{index}"],
        )
        for index, column in enumerate(columns)
    }


def _reaches(rows: Any, columns: Sequence[str]) -> Any:
    asked = {
        f"{name}{index}": getattr(rows[column], name)()
        for index, column in enumerate(columns)
        for name in ("min", "max", "count")
    }
    return rows.agg(rows=rows.count(), **asked)


def as_is(rows: Any) -> Any:
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitTable:
    """Rows of units, and what is known of their columns.

    Parameters
    ----------
    asked, prepare, what
        `prepare` makes the rows from the table that is asked: floats or null in the columns of all `metrics`. Units
        without a row, or with null, have 0 there. `what` says which preparation it is.
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
    guessed
        Columns that look as if all their values were integers: their sums are quicker, and it is checked on the way.
    """

    asked: Asked
    prepare: Question = as_is
    what: Hashable = None
    keys: tuple[str, ...]
    metrics: tuple[Variables, ...]
    known: Mapping[str, Reach]
    units: int
    sizes: Mapping[str, Mapping[Group, int]] | None = None
    guessed: tuple[str, ...] = ()

    @property
    def rows(self) -> Any:
        return self.prepare(self.asked.table)

    def units_of(self, one: Variables) -> int:
        return self.units if self.sizes is None else sum(self.sizes[one.metric.key].values())

    def is_full(self, one: Variables) -> bool:
        """Whether every unit has all its values."""
        return all(self.known[column].count >= self.units_of(one) for column in one.columns)

    def range_of(self, one: Variables, column: str) -> Range:
        found = self.known[column].range if self.is_full(one) else self.known[column].range.with_zero()
        return replace(found, whole=column in one.whole or column in self.guessed)


def sums_by_group(table: UnitTable) -> tuple[dict[Group, int], dict[str, dict[Group, Sums]]]:
    """Rows by group; and sums of every metric: by its key, by group, for every group that has units in it."""
    ranges = {column: table.range_of(one, column) for one in table.metrics for column in one.columns}
    wanted = {what: None for one in table.metrics for what in _wanted(one, ranges, is_full=table.is_full(one))}
    if table.guessed:
        wanted[BROKEN, *table.guessed] = None
    cubes = tuple(what for what in wanted if len(what) == 3 and what[0] == what[2])
    found = _query(table, tuple(wanted), ranges, rough=cubes) if table.units else {}
    if table.guessed and any(values[BROKEN, *table.guessed] for values in found.values()):
        return sums_by_group(replace(table, guessed=()))
    if fine := tuple(cube for cube in cubes if _is_too_rough(cube[0], ranges, found)):
        for group, values in _query(table, fine, ranges).items():
            found[group] |= values
    counted = {group: values["rows",] for group, values in found.items()}
    sizes = table.sizes if table.sizes is not None else {one.metric.key: counted for one in table.metrics}
    return counted, {
        one.metric.key: {
            group: Sums.of(one, size, ranges, found.get(group, {})) for group, size in sizes[one.metric.key].items()
        }
        for one in table.metrics
    }


def _wanted(one: Variables, ranges: Mapping[str, Range], *, is_full: bool) -> Iterator[What]:
    yield from one.products
    if one.metric.kind == "conversion":
        return
    yield from (("min", one.x), ("max", one.x))
    if ranges[one.x].low < 0 < ranges[one.x].high:
        yield (ABSOLUTE, one.x)
    if not is_full:
        yield ("count", one.x)


def _is_too_rough(x: str, ranges: Mapping[str, Range], found: Mapping[Group, Mapping[What, Any]]) -> bool:
    """Whether some group's values are so small against the largest of all that their cubes drown in its rounding."""
    shift, largest = ranges[x].shift, ranges[x].largest
    ends = [(values["min", x], values["max", x]) for values in found.values() if values["max", x] is not None]
    return any(_ROUGH * max(abs(low - shift), abs(high - shift)) < largest for low, high in ends)


def _query(
    table: UnitTable, wanted: tuple[What, ...], ranges: Mapping[str, Range], *, rough: tuple[What, ...] = ()
) -> dict[Group, dict[What, Any]]:
    """By group. Sums that may be `rough` keep only the first part of their values: 31 bits among a million rows."""
    grids = {what: _grid(what, ranges, table.units) for what in wanted if what[0] not in _PLAIN}
    shifts = {column: one.shift for column, one in ranges.items() if one.shift}
    # All that the text of the query depends on: not on the exact range, so that it often is the same next time.
    question = (
        table.what,
        table.keys,
        wanted,
        *((grid.parts, grid.anchors) for grid in grids.values()),
        *shifts.items(),
    )

    def asked(source: Any) -> Any:
        rows = table.prepare(source)
        parts = {what: _parts(rows, what, grids.get(what), shifts)[: 1 if what in rough else None] for what in wanted}
        names = {f"s{i}_{j}": part for i, found in enumerate(parts.values()) for j, part in enumerate(found)}
        return rows.group_by(list(table.keys)).agg(rows=rows.count(), **names)

    found = table.asked.ask(("sums", question), asked)
    return {tuple(row[key] for key in table.keys): _read(row, wanted) for row in found}


def _grid(what: What, ranges: Mapping[str, Range], units: int) -> Grid:
    factors = [ranges[name] for name in (what[1:] if what[0] == ABSOLUTE else what)]
    return Grid(largest=reduce(mul, (one.largest for one in factors)), n=units, whole=all(one.whole for one in factors))


def _parts(rows: Any, what: What, grid: Grid | None, shifts: Mapping[str, float]) -> list[Any]:
    if what[0] == BROKEN:
        # Adding and taking away 1.5 x 2^52 leaves integers as they are, and nothing else. (Squares, not comparisons:
        # those of floats are slow where NaN has a place among them.)
        over = [rows[name] + _ROUNDING - _ROUNDING - rows[name] for name in what[1:]]
        return [reduce(add, (part * part for part in over)).sum()]
    if grid is None:
        return [getattr(rows[what[1]], what[0])()]
    names = what[1:] if what[0] == ABSOLUTE else what
    value = reduce(mul, (_shifted(rows[name], shifts.get(name, 0.0)) for name in names))
    return [part.sum() for part in split(value.abs() if what[0] == ABSOLUTE else value, grid)]


def _shifted(column: Any, shift: float) -> Any:
    return column - shift if shift else column


def _read(row: Mapping[str, Any], wanted: Sequence[What]) -> dict[What, Any]:
    values: dict[What, Any] = {("rows",): row["rows"]}
    for index, what in enumerate(wanted):
        parts = [row.get(f"s{index}_{number}") for number in range(2)]
        values[what] = parts[0] if what[0] in _PLAIN else total(parts)
    return values
