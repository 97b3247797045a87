"""Small tables, and what their moments are compared with."""

from __future__ import annotations

from typing import Any

from analysis.aggregate import aggregate
from analysis.moments import ArmKey, MetricKey, MomentTable
from analysis.plan import Cell
from tests.stats.builders import at, events, exposures, plan

ALL_A = ArmKey(1, "all", "a")
FOUR_CELLS = [
    Cell(epoch=epoch, segment=segment, weights={"a": 1, "b": 1}) for epoch in (1, 2) for segment in ("s", "t")
]


def one_arm(metric_plan: Any, units: list[str], event_rows: list[Any], **changes: Any) -> MomentTable:
    """Everybody was exposed in arm a at the start."""
    rows = [(unit, "a", "all", 1, at(0)) for unit in units]
    return aggregate(exposures(rows), events(event_rows), plan(metric_plan, **changes))


def of(table: MomentTable, key: str = "visits") -> Any:
    return table.of(MetricKey(*ALL_A, key))
