"""Units one by one: who counts and where, and what the primary metric says of each. The same as `aggregate` counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.aggregation.arms import arms_table
from analysis.aggregation.outcomes import Outcomes
from analysis.aggregation.placement import seen_of, state_column, units_of, windows_of
from analysis.aggregation.staging import staged
from analysis.plan import MetricPlan, Plan, PlanError

if TYPE_CHECKING:
    import ibis.expr.types as ir

KINDS = frozenset({"conversion", "count", "mean"})
_CELL = ("variant", "segment", "epoch")


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
    with _counted(exposures, plan) as units:
        return _in_cells(units, plan).select("unit_id", *_CELL, "exposed_at").to_pyarrow()


def unit_values(exposures: ir.Table, events: ir.Table, plan: Plan) -> pa.Table:
    """One row per unit that counts, in order of unit.

    Parameters
    ----------
    exposures, events, plan
        As for `analysis.aggregate.aggregate`; of the metrics only the primary one is looked at.

    Returns
    -------
    pyarrow.Table
        As of `counted_units`, and `value`: float, 0 without any event, cut off at the metric's cap; null where its
        window is not complete.

    Raises
    ------
    PlanError
        `metric_kind`: a ratio or a quantile has no one number per unit.
    """
    metric = plan.primary
    if metric.kind not in KINDS:
        raise PlanError("metric_kind", f"{metric.key}: a {metric.kind} has no number of its own for each unit")
    index = plan.metrics.index(metric)
    with _counted(exposures, plan) as units:
        outcomes = Outcomes(units.select("unit_id", "key", "arm", "exposed_at", "follow_up_ends_at"), events, plan)
        known = units.mutate(
            complete=units[state_column(windows_of(plan).index(metric.window_seconds))] == "complete"
            if metric.window_seconds is not None
            else True
        )
        with outcomes.by_unit(keyed=True) as rows:
            values = rows.select("key", value=rows[f"x{index}"].cast("float64"))
            placed = _in_cells(known.left_join(values, "key"), plan)
            found = placed.select("unit_id", *_CELL, "exposed_at", "complete", "value").to_pyarrow()
    return _told(found, metric)


@contextmanager
def _counted(exposures: ir.Table, plan: Plan) -> Iterator[ir.Table]:
    with staged(seen_of(exposures, plan)) as seen, staged(units_of(exposures, seen, plan)) as units:
        yield units.filter(units.status == "counted")


def _in_cells(units: ir.Table, plan: Plan) -> ir.Table:
    """With what the number of their arm stands for, in order of unit."""
    return units.inner_join(arms_table(plan).select("arm", *_CELL), "arm").order_by("unit_id")


def _told(found: pa.Table, metric: MetricPlan) -> pa.Table:
    """Who did nothing has 0; whose window is not complete has nothing yet."""
    values = pc.if_else(found["complete"], pc.fill_null(found["value"], 0.0), pa.scalar(None, pa.float64()))
    return found.select(["unit_id", *_CELL, "exposed_at"]).append_column(
        "value", _winsorised(values, metric.winsor_quantile)
    )


def _winsorised(values: pa.ChunkedArray, quantile: float | None) -> pa.ChunkedArray:
    """Cut off at the ⌈n·q⌉-th smallest of the n values, as `analysis.aggregation.caps` does."""
    present = np.sort(values.drop_null().to_numpy())
    if quantile is None or not len(present):
        return values
    cap = present[min(max(ceil(len(present) * quantile * (1 - 1e-12)), 1), len(present)) - 1]
    return pc.if_else(pc.greater(values, cap), float(cap), values)
