"""The primary metric unit by unit, for what looks at them one by one: the same who, when and what as `aggregate`."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.aggregation.arms import arms_of
from analysis.aggregation.outcomes import Outcomes
from analysis.aggregation.placement import seen_of, state_column, units_of
from analysis.aggregation.staging import staged
from analysis.plan import MetricPlan, Plan, PlanError

if TYPE_CHECKING:
    import ibis.expr.types as ir

KINDS = frozenset({"conversion", "count", "mean"})


def unit_values(exposures: ir.Table, events: ir.Table, plan: Plan) -> pa.Table:
    """One row per unit that counts, in order of unit.

    Parameters
    ----------
    exposures, events, plan
        As for `analysis.aggregate.aggregate`; of the metrics only the primary one is looked at.

    Returns
    -------
    pyarrow.Table
        `unit_id`, `epoch`, `segment`, `variant`, `exposed_at`, and `value`: float, 0 without any event, cut off at the
        metric's cap; null where its window is not complete.

    Raises
    ------
    PlanError
        `metric_kind`: a ratio or a quantile has no one number per unit.
    """
    metric = plan.primary
    if metric.kind not in KINDS:
        raise PlanError("metric_kind", f"{metric.key}: a {metric.kind} has no number of its own for each unit")
    index = plan.metrics.index(metric)
    with staged(seen_of(exposures, plan)) as seen, staged(units_of(exposures, seen, plan)) as units:
        counted = units.filter(units.status == "counted")
        outcomes = Outcomes(counted.select("unit_id", "key", "arm", "exposed_at", "follow_up_ends_at"), events, plan)
        known = counted.mutate(
            complete=counted[state_column(index)] == "complete" if metric.window_seconds is not None else True
        )
        with outcomes.by_unit(keyed=True) as rows:
            values = rows.select("key", value=rows[f"x{index}"].cast("float64"))
            joined = known.left_join(values, "key").order_by("unit_id")
            found = joined.select("unit_id", "arm", "exposed_at", "complete", "value").to_pyarrow()
    return _told(found, metric, plan)


def _told(found: pa.Table, metric: MetricPlan, plan: Plan) -> pa.Table:
    arms = [arms_of(plan)[arm] for arm in found["arm"].to_pylist()]
    values = pc.if_else(found["complete"], pc.fill_null(found["value"], 0.0), pa.scalar(None, pa.float64()))
    return pa.table(
        {
            "unit_id": found["unit_id"],
            "epoch": pa.array([arm.epoch for arm in arms], pa.int64()),
            "segment": pa.array([arm.segment for arm in arms], pa.string()),
            "variant": pa.array([arm.variant for arm in arms], pa.string()),
            "exposed_at": found["exposed_at"],
            "value": _winsorised(values, metric.winsor_quantile),
        }
    )


def _winsorised(values: pa.ChunkedArray, quantile: float | None) -> pa.ChunkedArray:
    """Cut off at the ⌈n·q⌉-th smallest of the n values, as `analysis.aggregation.caps` does."""
    present = np.sort(values.drop_null().to_numpy())
    if quantile is None or not len(present):
        return values
    cap = present[min(max(ceil(len(present) * quantile * (1 - 1e-12)), 1), len(present)) - 1]
    return pc.if_else(pc.greater(values, cap), float(cap), values)
