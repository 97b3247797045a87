"""Exposures and events to moments: Ibis expressions, so DuckDB here, Spark or a warehouse there.

A report is verified by computing it again and comparing bytes, so the same input has to give the same floats. A
database that adds floats in parallel does not promise that: the order of additions, hence the last bits, changes from
run to run. So the database is only asked for things that have no order:

- conversions, counts and numbers of units are integers;
- a unit's sum adds its values in ascending order (a sorted list, not a running sum);
- over the units of a cell, the database counts how often each value occurs. This histogram is exact, small for most
  metrics (conversions have one row, revenue one per distinct basket), and the means and centred sums are taken from
  it with `math.fsum`, whose result is correctly rounded and so does not depend on the order of the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import reduce
from operator import mul, or_
from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from analysis.histogram import moments_by_arm
from analysis.moments import MetricKey, Moments, MomentTable
from analysis.placement import arms_of, units_of, window_state
from analysis.plan import MetricPlan, Plan

if TYPE_CHECKING:
    import ibis.expr.types as ir

# The square of a variance of such values is still a float. Nothing that is measured is larger.
LARGEST_VALUE = 1e50


def aggregate(exposures: ir.Table, events: ir.Table, plan: Plan) -> MomentTable:
    """Reduce raw tables to the moments of a plan, in one query.

    Parameters
    ----------
    exposures : ibis.Table
        `unit_id` string, `variant` string, `segment` string, `epoch` integer, `exposed_at` timestamp (UTC). Any number
        of rows per unit, in any order; rows without a unit or an instant are no exposures.
    events : ibis.Table
        `unit_id` string, `name` string, `value` float or null, `occurred_at` timestamp (UTC). Every row is an event:
        duplicates are the recorder's business (`event_id`), not visible here.
    plan : Plan

    Returns
    -------
    MomentTable

    Notes
    -----
    A unit counts once, where and when it was first exposed; at the same instant the lowest (epoch, segment, variant)
    wins. If that is outside of all cells, after its cell's follow-up ended, or in an unknown variant, the unit is
    *outside*; else, if it saw more than one variant in that segment during that epoch, it is *mixed*. Another variant
    in another segment or epoch is legitimate: it has another allocation. Who moves to another segment often does so by
    behaving in some way (first-time visitors become buyers), and after a promotion only the losers' buckets see
    another variant there: leaving these units out would make every A/A test of the first segment find a winner.

    An event counts for a unit from its first exposure (inclusive) to the end of the metric's window and the cell's
    follow-up (both exclusive). For a metric with a window only units count whose window is complete: it ends neither
    after the watermark (the others are *maturing*) nor after the follow-up (*cut short*). Otherwise a variant that
    only makes customers decide sooner looks as if it made more of them decide.

    A null, NaN or infinite value (or one beyond ±1e50) adds nothing to a sum, and is counted in `values_missing`; its
    event still counts as an event. A `cap` is applied to the unit's value, after summing.
    """
    units = units_of(exposures, plan)
    counted = units.filter(units.status == "counted")
    outcomes = _outcomes(counted, events, plan)
    parts = [_sized(units, kind=units.status)]
    for index, metric in enumerate(plan.metrics):
        parts += _windows(counted, metric, index, plan.watermark_at)
        parts += _histograms(outcomes, metric, index, plan.watermark_at)
    return _reduce(ibis.union(*parts).to_pyarrow(), plan)


def _outcomes(counted: ir.Table, events: ir.Table, plan: Plan) -> ir.Table:
    """One row per counted unit with any event that counts: x, y and missing values for each metric."""
    names = sorted({name for metric in plan.metrics for name in metric.event_names})
    relevant = events.filter(events.name.isin(names))
    relevant = relevant.select(
        unit_id=relevant.unit_id.cast("string"),
        name=relevant.name.cast("string"),
        value=_finite(relevant.value.cast("float64")),
        occurred_at=relevant.occurred_at.cast("timestamp('UTC')"),
    )
    joined = relevant.inner_join(counted, "unit_id")
    joined = joined.filter(
        joined.occurred_at >= joined.exposed_at,
        joined.follow_up_ends_at.isnull() | (joined.occurred_at < joined.follow_up_ends_at),
    )
    columns: dict[str, ir.Value] = {}
    for index, metric in enumerate(plan.metrics):
        columns |= _metric_columns(joined, metric, index)
    return joined.group_by(["unit_id", "arm", "exposed_at", "follow_up_ends_at"]).agg(**columns)


def _finite(value: Any) -> Any:
    """NaN and infinity fail the comparison on some backends and pass it on others, so NaN is named."""
    return (~value.isnan() & (value.abs() <= LARGEST_VALUE)).ifelse(value, ibis.null("float64"))


def _metric_columns(joined: ir.Table, metric: MetricPlan, index: int) -> dict[str, ir.Value]:
    numerator_counts = metric.kind in ("conversion", "count") or metric.numerator_counts_events
    sides = [("x", metric.event_name, numerator_counts)]
    if metric.denominator_event_name is not None:
        sides.append(("y", metric.denominator_event_name, metric.denominator_counts_events))
    columns = {
        f"{side}{index}": _unit_value(joined, metric, name, counts_events=counts_events)
        for side, name, counts_events in sides
    }
    missing = [_counts(joined, metric, name) for _, name, counts_events in sides if not counts_events]
    if missing:
        columns[f"missing{index}"] = joined.count(where=reduce(or_, missing) & joined.value.isnull())
    return columns


def _counts(joined: ir.Table, metric: MetricPlan, name: str) -> Any:
    """Whether a row is an event of this name inside the metric's window."""
    named = joined.name == name
    if metric.window_seconds is None:
        return named
    return named & (joined.occurred_at < joined.exposed_at + ibis.interval(seconds=metric.window_seconds))


def _unit_value(joined: ir.Table, metric: MetricPlan, name: str, *, counts_events: bool) -> Any:
    where = _counts(joined, metric, name)
    if counts_events:
        value = joined.count(where=where).cast("float64")
    else:
        value = joined.value.collect(where=where & joined.value.notnull()).sort().sums().fill_null(0.0)
    if metric.kind == "conversion":
        return ibis.least(value, 1.0)
    return value if metric.cap is None else ibis.least(value, metric.cap)


def _windows(counted: ir.Table, metric: MetricPlan, index: int, watermark_at: datetime | None) -> Iterator[ir.Table]:
    """How many units of each arm have a complete window, and how many have none, and why."""
    if metric.window_seconds is not None:
        yield _sized(counted, kind=window_state(counted, metric, watermark_at) + f":{index}")


def _histograms(
    outcomes: ir.Table, metric: MetricPlan, index: int, watermark_at: datetime | None
) -> Iterator[ir.Table]:
    if metric.window_seconds is not None:
        outcomes = outcomes.filter(window_state(outcomes, metric, watermark_at) == "complete")
    columns = outcomes.columns
    y = outcomes[f"y{index}"] if f"y{index}" in columns else ibis.literal(0.0)
    yield _sized(outcomes, kind=ibis.literal(f"metric:{index}"), x=outcomes[f"x{index}"], y=y)
    if (name := f"missing{index}") in columns:
        affected = outcomes.filter(outcomes[name] > 0)
        yield _sized(affected, kind=ibis.literal(f"missing:{index}"), x=affected[name].cast("float64"))


def _sized(rows: ir.Table, *, kind: ir.Value, x: ir.Value | None = None, y: ir.Value | None = None) -> ir.Table:
    """How many units of each arm have the same x and y."""
    zero = ibis.literal(0.0)
    rows = rows.select("arm", kind=kind, x=zero if x is None else x, y=zero if y is None else y)
    return rows.group_by(list(rows.columns)).agg(size=rows.count())


def _reduce(rows: pa.Table, plan: Plan) -> MomentTable:
    arms = arms_of(plan)
    counted = _sizes(rows, "counted")
    moments: dict[MetricKey, Moments] = {}
    values_missing: dict[str, int] = {}
    for index, metric in enumerate(plan.metrics):
        units = counted if metric.window_seconds is None else _sizes(rows, f"complete:{index}")
        found = moments_by_arm(_of_kind(rows, f"metric:{index}"), units)
        moments |= {MetricKey(*arms[number], metric.key): value for number, value in found.items()}
        missing = _of_kind(rows, f"missing:{index}")
        if len(missing):
            values_missing[metric.key] = round(sum(map(mul, missing["x"].to_pylist(), missing["size"].to_pylist())))
    return MomentTable(
        units={arms[number]: size for number, size in counted.items()},
        moments=moments,
        mixed={arms[number]: size for number, size in _sizes(rows, "mixed").items()},
        units_outside=sum(_of_kind(rows, "outside")["size"].to_pylist()),
        values_missing=values_missing,
        maturing=_incomplete(rows, "maturing", plan),
        cut_short=_incomplete(rows, "cut_short", plan),
    )


def _incomplete(rows: pa.Table, why: str, plan: Plan) -> dict[MetricKey, int]:
    arms = arms_of(plan)
    return {
        MetricKey(*arms[number], metric.key): size
        for index, metric in enumerate(plan.metrics)
        for number, size in _sizes(rows, f"{why}:{index}").items()
    }


def _sizes(rows: pa.Table, kind: str) -> dict[int, int]:
    """Units by arm."""
    found = _of_kind(rows, kind)
    return dict(zip(found["arm"].to_pylist(), found["size"].to_pylist(), strict=True))


def _of_kind(rows: pa.Table, kind: str) -> pa.Table:
    return rows.filter(pc.equal(rows["kind"], kind))
