"""Where each unit counts: its first exposure, and whether its windows are complete. See `analysis.aggregate`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import ibis

from analysis.aggregation.arms import arms_of, arms_table
from analysis.aggregation.instants import day_number, in_utc, instant
from analysis.aggregation.reduce import Group
from analysis.moments import ArmKey, ArrivalKey, MetricKey
from analysis.plan import MetricPlan, Plan

if TYPE_CHECKING:
    import ibis.expr.types as ir

_ARM = ("epoch", "segment", "variant")


def seen_of(exposures: ir.Table, plan: Plan) -> ir.Table:
    """One row per unit: in how many rows it was exposed, how often in a known arm, in which, and when first."""
    rows = _exposures(exposures)
    coded = rows.left_join(arms_table(plan), _ARM)
    return coded.group_by("unit_id").agg(
        rows=coded.count(),
        known=coded.arm.count(),
        low=coded.arm.min(),
        high=coded.arm.max(),
        exposed_at=coded.exposed_at.min(),
    )


def units_of(exposures: ir.Table, seen: ir.Table, plan: Plan) -> ir.Table:
    """One row per unit: its first exposure, the end of its follow-up, whether it counts, and its windows' states.

    `key` is an integer that no other unit has, with the arm and the complete windows in it (see `Key`): to group
    millions of events by, and to carry one column where there would be many.

    Parameters
    ----------
    seen
        Of `seen_of`. Most units are always seen in one arm; only for the others their exposures are put in order.
    """
    settled = (seen.known == seen.rows) & (seen.low == seen.high)
    arms = arms_table(plan).select("arm", "follow_up_ends_at")
    first = seen.filter(settled).select("unit_id", "exposed_at", arm=seen.low, mixed=ibis.literal(False))
    units = _placed(first.left_join(arms, "arm"), plan)
    wanderers = seen.filter(~settled.fill_null(False))
    if int(wanderers.count().to_pyarrow().as_py()):
        units = units.union(_placed(_wanderers(exposures, wanderers).left_join(arms_table(plan), _ARM), plan))
    return units.mutate(key=Key(plan).of(units))


def _exposures(exposures: ir.Table) -> ir.Table:
    rows = exposures.filter(exposures.unit_id.notnull(), exposures.exposed_at.notnull())
    return rows.select(
        unit_id=rows.unit_id,
        epoch=rows.epoch.cast("int64"),
        segment=rows.segment.cast("string"),
        variant=rows.variant.cast("string"),
        exposed_at=in_utc(rows.exposed_at),
    )


def _wanderers(exposures: ir.Table, units: ir.Table) -> ir.Table:
    """First exposures of the units that were seen in more than one arm, or in none that is known."""
    rows = _exposures(exposures).semi_join(units, "unit_id")
    seen = rows.group_by(["unit_id", *_ARM]).agg(exposed_at=rows.exposed_at.min())
    by_unit = ibis.window(group_by="unit_id", order_by=["exposed_at", *_ARM])
    by_cell = ibis.window(group_by=["unit_id", "epoch", "segment"])
    ranked = seen.mutate(
        rank=ibis.row_number().over(by_unit),
        mixed=seen.variant.min().over(by_cell) != seen.variant.max().over(by_cell),
    )
    return ranked.filter(ranked.rank == 0)


def _placed(first: ir.Table, plan: Plan) -> ir.Table:
    """Whether a unit counts. `mixed` may be null: who has no segment or epoch is in no cell."""
    late = (first.exposed_at >= first.follow_up_ends_at).fill_null(False)
    status = ibis.cases(
        (first.arm.isnull() | late, "outside"), (first.mixed.fill_null(False), "mixed"), else_="counted"
    )
    states = {state_column(rank): _window_state(first, seconds, plan) for rank, seconds in enumerate(windows_of(plan))}
    return first.select("unit_id", "arm", "exposed_at", "follow_up_ends_at", status=status, **states)


def state_column(rank: int) -> str:
    return f"window{rank}"


def windows_of(plan: Plan) -> list[int]:
    """The lengths in seconds of the metrics' windows, the shortest first: many metrics share few."""
    return sorted({metric.window_seconds for metric in plan.metrics if metric.window_seconds is not None})


class Key:
    """An integer for a unit: its number, how many windows are complete, and its arm.

    The number is enough, for whoever's longer window is complete, all shorter ones are too: so keys stay small however
    many windows there are. They are only taken apart by remainders: what databases make of a division is a float.
    """

    def __init__(self, plan: Plan) -> None:
        self._windows = windows_of(plan)
        self._arms = len(arms_of(plan))
        self._unit = self._arms * (len(self._windows) + 1)

    def of(self, units: ir.Table) -> Any:
        states = (units[state_column(rank)] for rank in range(len(self._windows)))
        complete = reduce(add, ((state == "complete").cast("int64") for state in states), ibis.literal(0, type="int64"))
        return ibis.row_number().over() * self._unit + complete * self._arms + units.arm.fill_null(0)

    def arm(self, key: Any) -> Any:
        return key % self._arms

    def is_complete(self, key: Any, window_seconds: int) -> Any:
        """Whether a window of this length is."""
        return key % self._unit >= self._arms * (self._windows.index(window_seconds) + 1)


def _window_state(units: ir.Table, seconds: int, plan: Plan) -> Any:
    """Whether a window is "complete" for a unit, and if not, why."""
    ends_at = units.exposed_at + ibis.interval(seconds=seconds)
    cut_short = (ends_at > units.follow_up_ends_at).fill_null(False)
    if plan.watermark_at is None:
        return cut_short.ifelse("cut_short", "complete")
    return ibis.cases((cut_short, "cut_short"), (ends_at > instant(plan.watermark_at), "maturing"), else_="complete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Headcount:
    """Units by arm number and status; and of those that count, by the state of each window, and by date.

    A window is known by its length in seconds.
    """

    plan: Plan
    by_status: dict[str, dict[int, int]]
    by_state: dict[tuple[int, str], dict[int, int]]
    by_date: dict[tuple[int, int], int]
    outside: int

    def arms(self, status: str) -> dict[ArmKey, int]:
        keys = arms_of(self.plan)
        return {keys[arm]: size for arm, size in sorted(self.by_status.get(status, {}).items())}

    def sizes(self, metric: MetricPlan) -> dict[Group, int]:
        """Units whose outcome of this metric is known."""
        counted = self.by_status.get("counted", {})
        found = counted if metric.window_seconds is None else self.by_state.get((metric.window_seconds, "complete"), {})
        return {(arm,): size for arm, size in found.items()}

    def incomplete(self, why: str) -> dict[MetricKey, int]:
        keys = arms_of(self.plan)
        found = {
            MetricKey(*keys[arm], metric.key): size
            for metric in self.plan.metrics
            if metric.window_seconds is not None
            for arm, size in self.by_state.get((metric.window_seconds, why), {}).items()
        }
        return dict(sorted(found.items()))

    @property
    def arrivals(self) -> dict[ArrivalKey, int]:
        keys = arms_of(self.plan)
        found: dict[ArrivalKey, int] = {}
        for (arm, day), size in self.by_date.items():
            key = ArrivalKey(keys[arm].segment, (date(1970, 1, 1) + timedelta(days=day)).isoformat())
            found[key] = found.get(key, 0) + size
        return dict(sorted(found.items()))


def headcount(units: ir.Table, plan: Plan) -> Headcount:
    """In one query: there are no more combinations than arms x dates x states."""
    windows = {seconds: state_column(rank) for rank, seconds in enumerate(windows_of(plan))}
    # A date is that of the session on some databases.
    keyed = units.mutate(day=(units.status == "counted").ifelse(day_number(units.exposed_at), 0))
    rows = keyed.group_by(["status", "arm", "day", *windows.values()]).agg(size=keyed.count()).to_pyarrow().to_pylist()
    found = Headcount(plan=plan, by_status={}, by_state={}, by_date={}, outside=0)
    outside = sum(row["size"] for row in rows if row["status"] == "outside")
    for row in rows:
        arm, size = row["arm"], row["size"]
        if row["status"] != "outside":
            _add(found.by_status.setdefault(row["status"], {}), arm, size)
        if row["status"] == "counted":
            _add(found.by_date, (arm, row["day"]), size)
            for seconds, state in windows.items():
                _add(found.by_state.setdefault((seconds, row[state]), {}), arm, size)
    return Headcount(
        plan=plan, by_status=found.by_status, by_state=found.by_state, by_date=found.by_date, outside=outside
    )


def _add(counts: dict[Any, int], key: Any, size: int) -> None:
    counts[key] = counts.get(key, 0) + size
