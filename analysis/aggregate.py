"""Exposures and events, or one row per unit, to moments: Ibis expressions, so DuckDB here, Spark or a warehouse there.

A report is verified by computing it again and comparing bytes, so the same rows have to give the same floats, in
whatever order and on however many threads. A database that adds floats in parallel does not promise that: the order of
additions, hence the last bits, changes from run to run. So it is only asked for things that have no order: counts,
extremes, quantiles, and sums of which every addition is exact (`analysis.aggregation.exact`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.aggregation.arms import arms_of
from analysis.aggregation.asking import Asked
from analysis.aggregation.caps import winsorised
from analysis.aggregation.days import by_day
from analysis.aggregation.distributions import distributions_by_group
from analysis.aggregation.instants import INSTANT
from analysis.aggregation.outcomes import Outcomes, missing_by_metric
from analysis.aggregation.placement import Headcount, headcount, seen_of, units_of
from analysis.aggregation.reduce import Group, UnitTable, as_is, reaches, sums_by_group
from analysis.aggregation.results import ArmOf, keyed, parts_of
from analysis.aggregation.sources import variables
from analysis.aggregation.staging import staged
from analysis.aggregation.tables import TablesError, UnitsError, require_columns, require_instants, with_types
from analysis.aggregation.unit_rows import aggregate_units
from analysis.aggregation.unusable import unusable_rows
from analysis.moments import Distribution, MomentTable
from analysis.plan import Plan

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["TablesError", "UnitsError", "aggregate", "aggregate_units"]

EXPOSURE_COLUMNS = {
    "unit_id": "string",
    "variant": "string",
    "segment": "string",
    "epoch": "int64",
    "exposed_at": INSTANT,
}
EVENT_COLUMNS = {"unit_id": "string", "name": "string", "value": "float64", "occurred_at": INSTANT}


def aggregate(exposures: ir.Table, events: ir.Table, plan: Plan) -> MomentTable:
    """Reduce raw tables to the moments of a plan.

    Parameters
    ----------
    exposures : ibis.Table
        `unit_id` string, `variant` string, `segment` string, `epoch` integer, `exposed_at` timestamp (UTC). Any number
        of rows per unit, in any order; rows without a unit or an instant are no exposures, and counted.
    events : ibis.Table
        `unit_id` string, `name` string, `value` float or null, `occurred_at` timestamp (UTC). Every row is an event:
        duplicates are the recorder's business (`event_id`), not visible here. Those without a unit or an instant are
        counted, too.
    plan : Plan

    Returns
    -------
    MomentTable

    Raises
    ------
    TablesError
        `not_a_table`, `missing_columns`, `not_instants`.

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
    only makes customers decide sooner looks as if it made more of them decide. Covariates take the events of
    [exposed_at - lookback, exposed_at).

    Timestamps without a time zone are UTC, whatever the zone of a DuckDB session; sessions of other databases have to
    be in UTC (Ibis sees to that for Spark).

    A null, NaN or infinite value (or one beyond ±1e50) adds nothing to a sum, and is counted in `values_missing`; its
    event still counts as an event. A `cap` is applied to the unit's value, after summing.
    """
    require_columns(exposures, tuple(EXPOSURE_COLUMNS), "exposures")
    require_columns(events, tuple(EVENT_COLUMNS), "events")
    exposures, events = with_types(exposures, EXPOSURE_COLUMNS), with_types(events, EVENT_COLUMNS)
    require_instants(exposures, "exposed_at", "exposures")
    require_instants(events, "occurred_at", "events")
    with staged(seen_of(exposures, plan)) as seen, staged(units_of(exposures, seen, plan)) as units:
        count = headcount(units, plan)
        counted = units.filter(units.status == "counted").select(
            "unit_id", "key", "arm", "exposed_at", "follow_up_ends_at"
        )
        outcomes = Outcomes(counted, events, plan)
        with outcomes.by_unit() as rows:
            table, caps = winsorised(_unit_table(rows, plan, count))
            _, sums = sums_by_group(table)
            missing = missing_by_metric(rows, plan)
        parts = parts_of(sums, _arm_finder(plan))
        unusable, read = unusable_rows(exposures, events, plan)
        return MomentTable(
            units=count.arms("counted"),
            mixed=count.arms("mixed"),
            units_outside=count.outside,
            values_missing=missing,
            maturing=count.incomplete("maturing"),
            cut_short=count.incomplete("cut_short"),
            arrivals=count.arrivals,
            by_day=by_day(counted, outcomes, plan, caps),
            distributions=keyed(_distributions(outcomes, count, plan), _arm_finder(plan)),
            caps=caps,
            events=outcomes.events_of_zeros(parts["moments"]),
            rows_unusable=unusable,
            rows_read=read,
            **parts,
        )


def _arm_finder(plan: Plan) -> ArmOf:
    arms = arms_of(plan)
    return lambda group: arms[group[0]]


def _unit_table(rows: ir.Table, plan: Plan, count: Headcount) -> UnitTable:
    metrics = tuple(variables(metric, index) for index, metric in enumerate(plan.metrics))
    asked = Asked(rows)
    _, known = reaches(asked, None, as_is, [column for one in metrics for column in one.columns])
    return UnitTable(
        asked=asked,
        keys=("arm",),
        metrics=metrics,
        known=known,
        units=sum(count.arms("counted").values()),
        sizes={metric.key: count.sizes(metric) for metric in plan.metrics},
    )


def _distributions(outcomes: Outcomes, count: Headcount, plan: Plan) -> dict[str, dict[Group, Distribution]]:
    return {
        metric.key: distributions_by_group(
            outcomes.rows_of(metric, index), ("arm",), "key", metric.quantile, count.sizes(metric)
        )
        for index, metric in enumerate(plan.metrics)
        if metric.quantile is not None
    }
