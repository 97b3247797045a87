"""Where each unit counts: its first exposure, and whether its window is complete. See `analysis.aggregate`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa

from analysis.moments import ArmKey
from analysis.plan import MetricPlan, Plan

if TYPE_CHECKING:
    import ibis.expr.types as ir

_ARM = ("epoch", "segment", "variant")


def units_of(exposures: ir.Table, plan: Plan) -> ir.Table:
    """One row per unit: its first exposure, the end of its follow-up, and whether it counts."""
    seen = _first_per_arm(exposures)
    by_unit = ibis.window(group_by="unit_id", order_by=["exposed_at", *_ARM])
    by_cell = ibis.window(group_by=["unit_id", "epoch", "segment"])
    ranked = seen.mutate(
        rank=ibis.row_number().over(by_unit),
        mixed=seen.variant.min().over(by_cell) != seen.variant.max().over(by_cell),
    )
    first = ranked.filter(ranked.rank == 0)
    placed = first.left_join(_arms_table(plan), _ARM)
    late = (placed.exposed_at >= placed.follow_up_ends_at).fill_null(False)
    status = ibis.cases(
        (placed.arm.isnull() | late, "outside"), (placed.mixed.fill_null(False), "mixed"), else_="counted"
    )
    return placed.select("unit_id", "arm", "exposed_at", "follow_up_ends_at", status=status)


def _first_per_arm(exposures: ir.Table) -> ir.Table:
    rows = exposures.filter(exposures.unit_id.notnull(), exposures.exposed_at.notnull())
    keys = rows.select(
        unit_id=rows.unit_id.cast("string"),
        epoch=rows.epoch.cast("int64"),
        segment=rows.segment.cast("string"),
        variant=rows.variant.cast("string"),
        exposed_at=rows.exposed_at.cast("timestamp('UTC')"),
    )
    return keys.group_by(["unit_id", *_ARM]).agg(exposed_at=keys.exposed_at.min())


def arms_of(plan: Plan) -> list[ArmKey]:
    """Every arm that may be found, those of weight 0 included; an arm's place in this list is its number."""
    return [ArmKey(cell.epoch, cell.segment, variant) for cell in plan.cells for variant in plan.variants]


def _arms_table(plan: Plan) -> ir.Table:
    schema = pa.schema(
        [
            ("epoch", pa.int64()),
            ("segment", pa.string()),
            ("variant", pa.string()),
            ("arm", pa.int64()),
            ("follow_up_ends_at", pa.timestamp("us", "UTC")),
        ]
    )
    ends_at = {(cell.epoch, cell.segment): cell.follow_up_ends_at for cell in plan.cells}
    rows = [
        {**arm._asdict(), "arm": number, "follow_up_ends_at": ends_at[arm.epoch, arm.segment]}
        for number, arm in enumerate(arms_of(plan))
    ]
    return ibis.memtable(pa.Table.from_pylist(rows, schema=schema))


def window_state(units: ir.Table, metric: MetricPlan, watermark_at: datetime | None) -> Any:
    """Whether the window of a metric that has one is "complete" for a unit, and if not, why."""
    ends_at = units.exposed_at + ibis.interval(seconds=metric.window_seconds)
    cut_short = (ends_at > units.follow_up_ends_at).fill_null(False)
    if watermark_at is None:
        return cut_short.ifelse("cut_short", "complete")
    return ibis.cases((cut_short, "cut_short"), (ends_at > _instant(watermark_at), "maturing"), else_="complete")


def _instant(value: datetime) -> Any:
    return ibis.literal(value.astimezone(UTC), type="timestamp('UTC')")
