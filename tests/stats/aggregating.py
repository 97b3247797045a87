"""Small tables, and what their moments are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from analysis.aggregate import aggregate
from analysis.moments import ArmKey, MetricKey, Moments, MomentTable
from analysis.plan import Cell
from tests.stats.builders import at, events, exposures, moments_of, plan

ALL_A = ArmKey(1, "all", "a")
FOUR_CELLS = [
    Cell(epoch=epoch, segment=segment, weights={"a": 1, "b": 1}) for epoch in (1, 2) for segment in ("s", "t")
]


def one_arm(metric_plan: Any, units: Sequence[str], event_rows: list[Any], **changes: Any) -> MomentTable:
    """Everybody was exposed in arm a at the start."""
    rows = [(unit, "a", "all", 1, at(0)) for unit in units]
    return aggregate(exposures(rows), events(event_rows), plan(metric_plan, **changes))


def of(table: MomentTable, key: str = "visits") -> Any:
    return table.of(MetricKey(*ALL_A, key))


def rows_up_to(values: dict[str, list[float]], threshold: float) -> Moments:
    """By unit: how many of its rows are no more than that, and how many it has."""
    return moments_of(
        [sum(value <= threshold for value in rows) for rows in values.values()], [len(rows) for rows in values.values()]
    )


def moments_close(found: Moments, expected: Moments) -> bool:
    return found.n == expected.n and all(
        getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-10, abs=1e-10)
        for name in ("mean", "m2", "denominator_mean", "denominator_m2", "co_m2", "size")
    )
