"""Sums by group: over which rows each is taken, and the questions that ask for them.

A sum over a column that is 0 for nearly all units (what was bought, where few buy) is taken over the others alone; and
where all that is left is about one column of few integers (how often somebody came), its values are counted first.
Neither changes a sum: what is left out adds 0, and integers add up exactly in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add, mul, or_
from typing import Any

from analysis.aggregation.exact import ZERO, Grid, Range, split, total
from analysis.aggregation.sums import ABSOLUTE

BROKEN = "broken"
_PLAIN = ("min", "max", "count", BROKEN)
_ROUNDING = 1.5 * 2.0**52
# To read the table twice costs as much as so many sums.
_WORTH_A_PASS = 8
_MOST_VALUES = 1000

What = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One reading of the table.

    Parameters
    ----------
    wanted
        What is summed up.
    keys
        Columns that make a group.
    grids, shifts
        How values are rounded, and what is subtracted from a column before.
    full
        Columns without a null: as many values as rows.
    rough
        Of these only the first part is kept: 31 bits among a million rows.
    rare
        Only rows in which one of these columns is not 0. Empty: all rows.
    counted
        A column whose values are counted before anything is summed up.
    """

    wanted: tuple[What, ...]
    keys: tuple[str, ...]
    grids: Mapping[What, Grid]
    shifts: Mapping[str, float]
    full: frozenset[str] = frozenset()
    rough: tuple[What, ...] = ()
    rare: tuple[str, ...] = ()
    counted: str | None = None

    @property
    def question(self) -> tuple[Any, ...]:
        """All that the text depends on: not on the exact range, so that it often is the same next time."""
        grids = ((grid.parts, grid.anchors) for grid in self.grids.values())
        return (self.keys, self.wanted, self.full, self.rough, self.rare, self.counted, *grids, *self.shifts.items())

    def asked(self, rows: Any) -> Any:
        if self.rare:
            rows = rows.filter(self._is_not_zero(rows))
        times = None
        if self.counted is not None:
            rows = rows.group_by([*self.keys, self.counted]).agg(rows=rows.count())
            times = rows["rows"]
        parts = {what: self._parts(rows, what, times)[: 1 if what in self.rough else None] for what in self.wanted}
        names = {f"s{i}_{j}": part for i, found in enumerate(parts.values()) for j, part in enumerate(found)}
        return rows.group_by(list(self.keys)).agg(rows=rows.count() if times is None else times.sum(), **names)

    def _is_not_zero(self, rows: Any) -> Any:
        if self.full.issuperset(self.rare):
            # The sum of |x| is 0 where all of them are, and found sooner than which of them is not.
            return reduce(add, (rows[column].abs() for column in self.rare)) != 0
        return reduce(or_, (rows[column] != 0 for column in self.rare))

    def _parts(self, rows: Any, what: What, times: Any) -> list[Any]:
        if self._is_number_of_rows(what):
            return []
        if what[0] == BROKEN:
            # Adding and taking away 1.5 x 2^52 leaves integers as they are, and nothing else. (Squares, not
            # comparisons: those of floats are slow where NaN has a place among them.)
            over = [rows[name] + _ROUNDING - _ROUNDING - rows[name] for name in what[1:]]
            return [reduce(add, (part * part for part in over)).sum()]
        if what[0] == "count" and times is not None:
            return [times.sum(where=rows[what[1]].notnull())]
        if what[0] in _PLAIN:
            return [getattr(rows[what[1]], what[0])()]
        if not self.grids[what].parts:
            return []
        value = reduce(mul, (self._shifted(rows, name) for name in columns_of(what)))
        value = value.abs() if what[0] == ABSOLUTE else value
        return [part.sum() for part in split(value if times is None else value * times, self.grids[what])]

    def _shifted(self, rows: Any, name: str) -> Any:
        return rows[name] - self.shifts[name] if self.shifts[name] else rows[name]

    def read(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[What, Any]]:
        names = [(what, what[0] in _PLAIN, f"s{i}_0", f"s{i}_1") for i, what in enumerate(self.wanted)]
        for row in rows:
            values: dict[What, Any] = {} if self.rare else {("rows",): int(row["rows"])}
            for what, is_plain, first, second in names:
                values[what] = row.get(first) if is_plain else total([row.get(first), row.get(second)])
            values |= dict.fromkeys(filter(self._is_number_of_rows, self.wanted), int(row["rows"]))
            yield values

    def _is_number_of_rows(self, what: What) -> bool:
        return what[0] == "count" and what[1] in self.full

    @property
    def nothing(self) -> dict[What, Any]:
        """What is found in a group without rows."""
        return {what: 0 if what[0] == "count" else None if what[0] in _PLAIN else ZERO for what in self.wanted}


def columns_of(what: What) -> tuple[str, ...]:
    return what[1:] if what[0] in (*_PLAIN, ABSOLUTE) else what


def passes(whole: Pass, ranges: Mapping[str, Range], rare: Sequence[str]) -> Iterator[Pass]:
    """A pass over all rows, and perhaps one over those with something `rare`, that together find what `whole` does."""
    columns = tuple(column for column in rare if column in ranges and not ranges[column].shift)
    inside = tuple(what for what in whole.wanted if not set(columns).isdisjoint(columns_of(what)))
    if len(inside) < _WORTH_A_PASS:
        inside = ()
    others = replace(whole, wanted=tuple(what for what in whole.wanted if what not in inside))
    yield replace(others, counted=_to_count(others, ranges))
    if inside:
        yield replace(whole, wanted=inside, rare=tuple(c for c in columns if any(c in columns_of(w) for w in inside)))


def _to_count(found: Pass, ranges: Mapping[str, Range]) -> str | None:
    """The column that all is about, if it holds few integers and their sums need no rounding."""
    about = {
        column for what in found.wanted if what[0] in _PLAIN or found.grids[what].parts for column in columns_of(what)
    }
    if len(about) != 1:
        return None
    [column] = about
    found_range = ranges[column]
    is_exact = all(found.grids[what].parts < 2 for what in found.wanted if what in found.grids)
    few = found_range.whole and found_range.high - found_range.low <= _MOST_VALUES
    return column if few and is_exact else None


def grid_of(what: What, ranges: Mapping[str, Range], units: int) -> Grid:
    factors = [ranges[name] for name in columns_of(what)]
    return Grid(largest=reduce(mul, (one.largest for one in factors)), n=units, whole=all(one.whole for one in factors))


def is_sum(what: What) -> bool:
    return what[0] not in _PLAIN
