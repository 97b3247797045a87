"""The primary metric by day since exposure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import ibis

from analysis.aggregation.arms import arms_of
from analysis.aggregation.asking import Asked
from analysis.aggregation.caps import cut
from analysis.aggregation.instants import instant
from analysis.aggregation.outcomes import Outcomes
from analysis.aggregation.reduce import Group, UnitTable, as_is, reaches, sums_by_group
from analysis.aggregation.sources import variables
from analysis.aggregation.staging import staged
from analysis.moments import DayKey, Moments
from analysis.plan import Plan

if TYPE_CHECKING:
    import ibis.expr.types as ir

_DAY_MICROSECONDS = 86_400_000_000


def by_day(counted: ir.Table, outcomes: Outcomes, plan: Plan, caps: Mapping[str, float]) -> dict[DayKey, Moments]:
    """The metric on each day's outcomes alone, of the units whose day is complete.

    A day is complete when it ends neither after the watermark nor after the follow-up. The metric's own window plays no
    part. A unit's value of a day is cut off where its value of all days is.
    """
    if not plan.novelty_days:
        return {}
    metric = plan.primary
    sizes = _sizes(counted, plan)
    one = replace(variables(metric, plan.metrics.index(metric)), covariates=())
    rows = outcomes.by_unit_and_day(_day(outcomes.joined), _complete_days(outcomes.joined, plan))
    for column, name in ((one.x, metric.key), (one.y, f"{metric.key}/denominator")):
        if column is not None and name in caps:
            rows = rows.mutate(**{column: cut(rows[column], caps[name])})
    with staged(rows) as cached:
        asked = Asked(cached)
        _, known = reaches(asked, None, as_is, one.columns)
        units = sum(sizes.values())
        table = UnitTable(
            asked=asked, keys=("arm", "day"), metrics=(one,), known=known, units=units, sizes={metric.key: sizes}
        )
        _, sums = sums_by_group(table)
    arms = arms_of(plan)
    found = {DayKey(*arms[arm], day): value.moments() for (arm, day), value in sums[metric.key].items()}
    return dict(sorted(found.items()))


def _day(joined: ir.Table) -> Any:
    """0 on the first day since exposure."""
    return joined.occurred_at.delta(joined.exposed_at, unit="microsecond") // _DAY_MICROSECONDS


def _complete_days(units: ir.Table, plan: Plan) -> Any:
    """How many days of a unit, from the first, are complete: at most those that are wanted."""
    days = ibis.literal(plan.novelty_days, type="int64")
    ends = [] if plan.watermark_at is None else [instant(plan.watermark_at)]
    for end in [*ends, units.follow_up_ends_at]:
        complete = end.delta(units.exposed_at, unit="microsecond") // _DAY_MICROSECONDS
        days = (complete < days).ifelse(complete, days)
    return days


def _sizes(counted: ir.Table, plan: Plan) -> dict[Group, int]:
    """Units of each arm whose day is complete, by (arm, day)."""
    days = counted.mutate(complete=_complete_days(counted, plan))
    rows = days.group_by(["arm", "complete"]).agg(size=days.count()).to_pyarrow().to_pylist()
    sizes: dict[Group, int] = {}
    for arm in sorted({row["arm"] for row in rows}):
        ending = {row["complete"]: row["size"] for row in rows if row["arm"] == arm}
        counts = [ending.get(complete, 0) for complete in range(plan.novelty_days, 0, -1)]
        for day, size in zip(range(plan.novelty_days - 1, -1, -1), accumulate(counts), strict=True):
            if size:
                sizes[arm, day] = size
    return sizes
