"""Where each unit counts: its first exposure, and whether its windows are complete. See `analysis.aggregate`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import ibis

from analysis.aggregation.arms import arms_of, arms_table
from analysis.aggregation.reduce import Group
from analysis.moments import ArmKey, ArrivalKey, MetricKey
from analysis.plan import MetricPlan, Plan

if TYPE_CHECKING:
    import ibis.expr.types as ir

_ARM = ("epoch", "segment", "variant")
_DAY_SECONDS = 86_400


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
        exposed_at=rows.exposed_at.cast("timestamp('UTC', 6)"),
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
    states = {
        state_column(index): _window_state(first, seconds, plan.watermark_at) for index, seconds in windows_of(plan)
    }
    return first.select("unit_id", "arm", "exposed_at", "follow_up_ends_at", status=status, **states)


def state_column(index: int) -> str:
    return f"window{index}"


def windows_of(plan: Plan) -> list[tuple[int, int]]:
    """Number and length in seconds of every metric that has a window."""
    return [
        (index, metric.window_seconds) for index, metric in enumerate(plan.metrics) if metric.window_seconds is not None
    ]


class Key:
    """An integer for a unit: its number, its arm, and one bit for each metric with a window, set if it is complete."""

    def __init__(self, plan: Plan) -> None:
        self._bits = {index: 2**place for place, (index, _) in enumerate(windows_of(plan))}
        self._arm = 2 ** len(self._bits)
        self._unit = self._arm * len(arms_of(plan))

    def of(self, units: ir.Table) -> Any:
        key = ibis.row_number().over() * self._unit + units.arm.fill_null(0) * self._arm
        for index, bit in self._bits.items():
            key += (units[state_column(index)] == "complete").ifelse(bit, 0)
        return key

    def arm(self, key: Any) -> Any:
        return key % self._unit // self._arm

    def is_complete(self, key: Any, index: int) -> Any:
        """Whether the metric's window is, for one that has a window."""
        return key // self._bits[index] % 2 == 1


def _window_state(units: ir.Table, seconds: int, watermark_at: datetime | None) -> Any:
    """Whether a window is "complete" for a unit, and if not, why."""
    ends_at = units.exposed_at + ibis.interval(seconds=seconds)
    cut_short = (ends_at > units.follow_up_ends_at).fill_null(False)
    if watermark_at is None:
        return cut_short.ifelse("cut_short", "complete")
    return ibis.cases((cut_short, "cut_short"), (ends_at > instant(watermark_at), "maturing"), else_="complete")


def instant(value: datetime) -> Any:
    return ibis.literal(value.astimezone(UTC), type="timestamp('UTC')")


@dataclass(frozen=True, slots=True, kw_only=True)
class Headcount:
    """Units by arm number and status; and of those that count, by the state of each metric's window, and by date."""

    plan: Plan
    by_status: dict[str, dict[int, int]]
    by_state: dict[tuple[int, str], dict[int, int]]
    by_date: dict[tuple[int, int], int]
    outside: int

    def arms(self, status: str) -> dict[ArmKey, int]:
        keys = arms_of(self.plan)
        return {keys[arm]: size for arm, size in sorted(self.by_status.get(status, {}).items())}

    def sizes(self, index: int, metric: MetricPlan) -> dict[Group, int]:
        """Units whose outcome of this metric is known."""
        counted = self.by_status.get("counted", {})
        found = counted if metric.window_seconds is None else self.by_state.get((index, "complete"), {})
        return {(arm,): size for arm, size in found.items()}

    def incomplete(self, why: str) -> dict[MetricKey, int]:
        keys = arms_of(self.plan)
        found = {
            MetricKey(*keys[arm], metric.key): size
            for index, metric in enumerate(self.plan.metrics)
            for arm, size in self.by_state.get((index, why), {}).items()
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
    windows = [index for index, _ in windows_of(plan)]
    # A day number needs no time zone: a date is that of the session on some databases.
    days = (units.exposed_at.epoch_seconds() / _DAY_SECONDS).floor().cast("int64")
    keyed = units.mutate(day=(units.status == "counted").ifelse(days, 0))
    states = [state_column(index) for index in windows]
    rows = keyed.group_by(["status", "arm", "day", *states]).agg(size=keyed.count()).to_pyarrow().to_pylist()
    found = Headcount(plan=plan, by_status={}, by_state={}, by_date={}, outside=0)
    outside = sum(row["size"] for row in rows if row["status"] == "outside")
    for row in rows:
        arm, size = row["arm"], row["size"]
        if row["status"] != "outside":
            _add(found.by_status.setdefault(row["status"], {}), arm, size)
        if row["status"] == "counted":
            _add(found.by_date, (arm, row["day"]), size)
            for index in windows:
                _add(found.by_state.setdefault((index, row[state_column(index)]), {}), arm, size)
    return Headcount(
        plan=plan, by_status=found.by_status, by_state=found.by_state, by_date=found.by_date, outside=outside
    )


def _add(counts: dict[Any, int], key: Any, size: int) -> None:
    counts[key] = counts.get(key, 0) + size
