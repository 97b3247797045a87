"""The arms of a plan: what may be found, and by which columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa

from analysis.aggregation.results import ArmOf
from analysis.moments import ArmKey
from analysis.plan import Plan

if TYPE_CHECKING:
    import ibis.expr.types as ir


def arms_of(plan: Plan) -> list[ArmKey]:
    """Every arm that may be found, those of weight 0 included; an arm's place in this list is its number."""
    return [ArmKey(cell.epoch, cell.segment, variant) for cell in plan.cells for variant in plan.variants]


def arms_table(plan: Plan) -> ir.Table:
    """`epoch`, `segment`, `variant`, `arm` (its number) and `follow_up_ends_at` of every arm."""
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


def arm_finder(plan: Plan, keys: tuple[str, ...], epoch: int | None = None) -> ArmOf:
    """From the values of `keys` to the arm: (epoch, segment, variant), without the epoch where there is only one."""
    arms = [arm for arm in arms_of(plan) if epoch is None or arm.epoch == epoch]
    found: dict[tuple[Any, ...], ArmKey] = {tuple(getattr(arm, key) for key in keys): arm for arm in arms}
    return found.get
