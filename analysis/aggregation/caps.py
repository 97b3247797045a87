"""Cut-offs at a quantile of all units' values, whatever their variant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil
from typing import Any

from analysis.aggregation.reduce import UnitTable
from analysis.aggregation.variables import Variables


def cut(value: Any, cap: float) -> Any:
    """Values above the cap made the cap; null stays null (LEAST forgets it on some databases)."""
    return (value > cap).ifelse(cap, value)


def winsorised(table: UnitTable) -> tuple[UnitTable, dict[str, float]]:
    """The same units with their values cut off at the metrics' `winsor_quantile`, and the caps.

    The cap is the ⌈n·q⌉-th smallest of the n values, those of units without an event (0) included.
    """
    caps = {column: (name, _cap(table, one, column)) for one in table.metrics for column, name in _sides(one)}
    if not caps or not table.units:
        return table, {}
    known = dict(table.known) | {column: table.known[column].capped(cap) for column, (_, cap) in caps.items()}

    def prepare(source: Any) -> Any:
        rows = table.prepare(source)
        return rows.mutate(**{column: cut(rows[column], cap) for column, (_, cap) in caps.items()})

    copies = {name: other for name, other in table.copies.items() if caps.keys().isdisjoint((name, other))}
    found = replace(table, prepare=prepare, what=(table.what, *caps.items()), known=known, copies=copies)
    return found, dict(caps.values())


def _sides(one: Variables) -> Iterator[tuple[str, str]]:
    """Column and name of what is cut off."""
    if one.metric.winsor_quantile is not None:
        yield one.x, one.metric.key
        if one.y is not None:
            yield one.y, f"{one.metric.key}/denominator"


def _cap(table: UnitTable, one: Variables, column: str) -> float:
    units, values = table.units_of(one), table.known[column].count
    # .9 of 10 is 9.000000000000002 in floats, and yet the ninth.
    rank = min(max(ceil(units * (one.metric.winsor_quantile or 1) * (1 - 1e-12)), 1), max(units, 1))
    zeros = units - values
    negative = _negative(table, column) if zeros and table.known[column].range.low < 0 else 0
    if negative < rank <= negative + zeros:
        return 0.0
    return _ranked(table, column, rank if rank <= negative else rank - zeros)


def _negative(table: UnitTable, column: str) -> int:
    return int(table.rows.filter(table.rows[column] < 0).count().to_pyarrow().as_py())


def _ranked(table: UnitTable, column: str, rank: int) -> float:
    values: Any = table.rows.filter(table.rows[column].notnull()).select(value=table.rows[column])
    found = values.order_by("value").limit(1, offset=rank - 1).to_pyarrow()["value"].to_pylist()
    return float(found[0]) if found else 0.0
