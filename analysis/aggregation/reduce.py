"""A table with one row per unit to sums by group, in two questions: what range the values have, then their sums.

Only where a value is out of all proportion are there more (`analysis.aggregation.finer`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import isfinite
from typing import Any

from analysis.aggregation.asking import Asked, Question
from analysis.aggregation.exact import Range
from analysis.aggregation.finer import refined
from analysis.aggregation.passes import BROKEN, Pass, What, grid_of, is_sum, passes
from analysis.aggregation.sums import ABSOLUTE, Sums
from analysis.aggregation.variables import Variables

# The cube of such a value, and the sum of as many as there are, is still a float. Nothing that is measured is larger.
LARGEST_VALUE = 1e50

_ROUGH = 8

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
    rare
        Columns that look as if few of their values were anything but 0.
    copies
        Columns that hold the same numbers as another, by their names, and the other.
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
    rare: tuple[str, ...] = ()
    copies: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> Any:
        return self.prepare(self.asked.table)

    def units_of(self, one: Variables) -> int:
        return self.units if self.sizes is None else sum(self.sizes[one.metric.key].values())

    def is_full(self, one: Variables) -> bool:
        """Whether every unit has all its values."""
        return all(self.known[column].count >= self.units_of(one) for column in one.columns)

    @property
    def full(self) -> frozenset[str]:
        """Columns that have a value in every row, where every row is a unit."""
        every = self.known.items() if self.sizes is None else ()
        return frozenset(column for column, one in every if one.count >= self.units)

    def range_of(self, one: Variables, column: str) -> Range:
        found = self.known[column].range if self.is_full(one) else self.known[column].range.with_zero()
        return replace(found, whole=column in one.whole or column in self.guessed)


def sums_by_group(table: UnitTable) -> tuple[dict[Group, int], dict[str, dict[Group, Sums]]]:
    """Rows by group; and sums of every metric: by its key, by group, for every group that has units in it."""
    ranges = {column: table.range_of(one, column) for one in table.metrics for column in one.columns}
    asked = _without_copies(table, ranges, [what for one in table.metrics for what in _wanted(table, one, ranges)])
    checks = dict.fromkeys(_checks(table))
    wanted = dict.fromkeys([*asked.values(), *checks])
    cubes = tuple(what for what in wanted if len(what) == 3 and what[0] == what[2])
    found = _query(table, tuple(wanted), ranges, rough=cubes) if table.units else {}
    if any(values[check] for values in found.values() for check in checks):
        table.asked.forget()
        return sums_by_group(replace(table, guessed=()))
    if fine := tuple(cube for cube in cubes if _is_too_rough(cube[0], ranges, found)):
        for group, values in _query(table, fine, ranges).items():
            found[group] |= values
    sums = {group: {what: values[same] for what, same in asked.items()} for group, values in found.items()}
    counted = {group: values["rows",] for group, values in found.items()}
    sizes = table.sizes if table.sizes is not None else {one.metric.key: counted for one in table.metrics}
    made = {
        one.metric.key: {
            group: Sums.of(one, size, ranges, sums.get(group, {})) for group, size in sizes[one.metric.key].items()
        }
        for one in table.metrics
    }
    return counted, refined(table, ranges, counted, made)


def _wanted(table: UnitTable, one: Variables, ranges: Mapping[str, Range]) -> Iterator[What]:
    yield from one.products
    if one.metric.kind == "conversion":
        return
    yield from (("min", one.x), ("max", one.x))
    if ranges[one.x].low < 0 < ranges[one.x].high:
        yield (ABSOLUTE, one.x)
    if one.x in table.rare or not table.is_full(one):
        yield ("count", one.x)


def _without_copies(table: UnitTable, ranges: Mapping[str, Range], wanted: Iterable[What]) -> dict[What, What]:
    """What is wanted, and which sum of other columns is the same."""
    names = {name: other for name, other in table.copies.items() if ranges.get(name) == ranges.get(other)}
    return {what: tuple(names.get(part, part) for part in what) for what in wanted}


def _checks(table: UnitTable) -> Iterator[What]:
    """Whether what was guessed is wrong: of a rare column by itself, of the others together."""
    guessed = [column for column in table.guessed if table.copies.get(column) not in table.guessed]
    yield from ((BROKEN, column) for column in guessed if column in table.rare)
    if usual := tuple(column for column in guessed if column not in table.rare):
        yield (BROKEN, *usual)


def _is_too_rough(x: str, ranges: Mapping[str, Range], found: Mapping[Group, Mapping[What, Any]]) -> bool:
    """Whether some group's values are so small against the largest of all that their cubes drown in its rounding.

    The cubes of nothing but 0 do not, whether they were asked for or left out.
    """
    shift, largest = ranges[x].shift, ranges[x].largest
    ends = [(values["min", x], values["max", x]) for values in found.values() if values["max", x] is not None]
    return any(0 < _ROUGH * max(abs(low - shift), abs(high - shift)) < largest for low, high in ends)


def _query(
    table: UnitTable, wanted: tuple[What, ...], ranges: Mapping[str, Range], *, rough: tuple[What, ...] = ()
) -> dict[Group, dict[What, Any]]:
    """By group."""
    every = Pass(
        wanted=wanted,
        keys=table.keys,
        grids={what: grid_of(what, ranges, table.units) for what in wanted if is_sum(what)},
        shifts={column: one.shift for column, one in ranges.items()},
        full=table.full,
        rough=rough,
    )
    made = list(passes(every, ranges, table.rare))
    answers = table.asked.ask_all([(("sums", table.what, one.question), partial(_put, table, one)) for one in made])
    nothing = {what: value for one in made for what, value in one.nothing.items()}
    found: dict[Group, dict[What, Any]] = {}
    for one, rows in zip(made, answers, strict=True):
        for row, values in zip(rows, one.read(rows), strict=True):
            group = tuple([row[key] for key in table.keys])
            found[group] = found.get(group, nothing) | values
    return found


def _put(table: UnitTable, one: Pass, source: Any) -> Any:
    return one.asked(table.prepare(source))
