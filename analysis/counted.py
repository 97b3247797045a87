"""Who counts, and where: one row per unit, as the moments of a plan have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.aggregation.arms import arms_table
from analysis.aggregation.placement import seen_of, units_of
from analysis.aggregation.staging import staged
from analysis.plan import Plan

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa


def counted_units(exposures: ir.Table, plan: Plan) -> pa.Table:
    """Place every unit that counts at its first exposure.

    Parameters
    ----------
    exposures : ibis.Table
        As `analysis.aggregate.aggregate` takes them.
    plan : Plan

    Returns
    -------
    pyarrow.Table
        `unit_id`, `variant`, `segment`, `epoch`, `exposed_at`: a row per unit in order of `unit_id`, mixed ones and
        those outside of all cells left out. The table is a table of exposures itself: aggregated under the same plan
        it gives the same units.
    """
    arms = arms_table(plan).select("arm", "variant", "segment", "epoch")
    with staged(seen_of(exposures, plan)) as seen:
        units = units_of(exposures, seen, plan)
        counted = units.filter(units.status == "counted").select("unit_id", "arm", "exposed_at")
        placed = counted.inner_join(arms, "arm").order_by("unit_id")
        return placed.select("unit_id", "variant", "segment", "epoch", "exposed_at").to_pyarrow()
