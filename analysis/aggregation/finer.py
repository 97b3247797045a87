"""Sums again, where one group's values drown in the rounding that another's ask for.

The grids of the first sums follow from the largest value of all groups. Where one of them holds a value that is out of
all proportion (an instant in milliseconds among amounts), what is dropped may be all that another one has. Whether it
is follows from the sums themselves, so nothing is asked where it is not. Otherwise each group that is too rough is
summed on grids of its own: from its own range, with a shift of its own, in three parts.

With these nothing is lost. Range.shift leaves a largest |x - shift|, L, of which no more than L² <= 8 Σ(x - x̄)²; what
is dropped per value is below 2^-3(51 - log₂ n) L, and the same goes for products.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from itertools import combinations
from math import sqrt
from operator import mul
from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa

from analysis.aggregation.exact import Grid, Range, rounded, total
from analysis.aggregation.passes import What, columns_of, grid_of
from analysis.aggregation.sums import ABSOLUTE, Sums
from analysis.aggregation.variables import Variables

if TYPE_CHECKING:
    from analysis.aggregation.reduce import Group, UnitTable

_PARTS = 3
# What sums may be off by, relative to Σ(x - x̄)²: if every value lost as much as it may, 1.5e-11. Losses of either sign
# mostly cancel.
_TOLERANCE = 2.0**-36
_ROUNDING = 2.0**-53
# A column's Σ(x - x̄)² that is less of Σx² is the rounding of a constant.
_LEAST_SPREAD = 2.0**-48

ByGroup = dict["Group", Sums]


def refined(
    table: UnitTable, ranges: Mapping[str, Range], counted: Mapping[Group, int], sums: dict[str, ByGroup]
) -> dict[str, ByGroup]:
    """The sums of every metric by group, made again where they are too rough."""
    rough = {
        (one, group): columns
        for one in table.metrics
        for group, columns in _rough_groups(table, one, ranges, sums[one.metric.key])
    }
    if not rough:
        return sums
    spreads = _spreads(table, tuple(dict.fromkeys(one for one, _ in rough)), sums)
    # Columns of nothing but 0 look rough and are not.
    again = [pair for pair, columns in rough.items() if any(_is_not_zero(spreads[pair[1]][one]) for one in columns)]
    if not again:
        return sums
    grids = {group: (counted[group], spreads[group]) for _, group in again}
    totals = _totals(table, tuple(dict.fromkeys(one for one, _ in again)), grids)
    made = {key: dict(by_group) for key, by_group in sums.items()}
    for one, group in again:
        old = made[one.metric.key][group]
        shifts = {column: spreads[group][column].shift for column in one.columns}
        made[one.metric.key][group] = replace(old, shifts=shifts, totals={**old.totals, **totals[group]})
    return made


def _is_not_zero(found: Range) -> bool:
    return bool(found.low or found.high)


def _rough_groups(
    table: UnitTable, one: Variables, ranges: Mapping[str, Range], sums: Mapping[Group, Sums]
) -> Iterator[tuple[Group, set[str]]]:
    wanted = [what for what in one.products if what != (one.x,) * 3]
    dropped = {what: grid_of(what, ranges, table.units).dropped for what in wanted}
    for group, found in sums.items():
        # No unit that has no segment or variant is in an arm.
        if found.totals and None not in group and (columns := _rough_columns(found, dropped)):
            yield group, columns


def _rough_columns(sums: Sums, dropped: Mapping[What, float]) -> set[str]:
    """The columns of which more may have been lost than can be borne."""
    n = sums.n
    values = {what: sums.approximate(what) for what in dropped}
    columns = [what[0] for what in dropped if len(what) == 1 and not sums.is_constant(what[0])]
    spread: dict[str, float] = {}
    rough = set()
    for column in columns:
        one, two = values[column,], values.get((column, column), values[column,])
        square = dropped.get((column, column), 0.0)
        lost = n * square + 2 * abs(one) * dropped[column,] + (two * _ROUNDING if square else 0.0)
        found = max(two - one * one / n, 0.0)
        if lost > _TOLERANCE * found:
            rough.add(column)
        elif found > _LEAST_SPREAD * two:
            spread[column] = found
    for a, b in combinations(spread, 2):
        lost = n * dropped[a, b] + abs(values[a,]) * dropped[b,] + abs(values[b,]) * dropped[a,]
        if lost > _TOLERANCE * sqrt(spread[a]) * sqrt(spread[b]):
            rough |= {a, b}
    return rough


def _spreads(
    table: UnitTable, metrics: Sequence[Variables], sums: Mapping[str, Mapping[Group, Sums]]
) -> dict[Group, dict[str, Range]]:
    """Between which numbers the columns lie, by group; units without a number have 0."""
    rows, owners = table.rows, {column: one.metric.key for one in metrics for column in one.columns}
    asked = {f"{name}_{column}": getattr(rows[column], name)() for column in owners for name in ("min", "max", "count")}
    found: dict[Group, dict[str, Range]] = {}
    for row in rows.group_by(list(table.keys)).agg(**asked).to_pyarrow().to_pylist():
        group = tuple(row[key] for key in table.keys)
        ranges = found[group] = {}
        for column, key in owners.items():
            one = Range(low=float(row[f"min_{column}"] or 0), high=float(row[f"max_{column}"] or 0))
            is_full = group in sums[key] and row[f"count_{column}"] >= sums[key][group].n
            ranges[column] = one if is_full else one.with_zero()
    return found


def _totals(
    table: UnitTable, metrics: Sequence[Variables], groups: Mapping[Group, tuple[int, Mapping[str, Range]]]
) -> dict[Group, dict[What, Any]]:
    """Each group's sums, on grids of its own."""
    wanted = list(dict.fromkeys(what for one in metrics for what in (*one.products, (ABSOLUTE, one.x))))
    columns = [column for one in metrics for column in one.columns]
    rounding = [
        dict(zip(table.keys, group, strict=True))
        | {f"shift_{column}": ranges[column].shift for column in columns}
        | {
            f"anchor{index}_{part}": anchor
            for index, what in enumerate(wanted)
            for part, anchor in enumerate(_grid(what, ranges, rows).anchors)
        }
        for group, (rows, ranges) in groups.items()
    ]
    joined: Any = table.rows.inner_join(ibis.memtable(pa.Table.from_pylist(rounding)), list(table.keys))
    asked = {
        f"s{index}_{part}": one.sum() for index, what in enumerate(wanted) for part, one in _parts(joined, what, index)
    }
    return {
        tuple(row[key] for key in table.keys): {
            what: total([row[f"s{index}_{part}"] for part in range(_PARTS)]) for index, what in enumerate(wanted)
        }
        for row in joined.group_by(list(table.keys)).agg(**asked).to_pyarrow().to_pylist()
    }


def _grid(what: What, ranges: Mapping[str, Range], rows: int) -> Grid:
    return replace(grid_of(what, ranges, rows), whole=False, rounded=_PARTS)


def _parts(joined: Any, what: What, index: int) -> Iterator[tuple[int, Any]]:
    value = reduce(mul, (joined[column] - joined[f"shift_{column}"] for column in columns_of(what)))
    anchors = [joined[f"anchor{index}_{part}"] for part in range(_PARTS)]
    return enumerate(rounded(value.abs() if what[0] == ABSOLUTE else value, anchors))
