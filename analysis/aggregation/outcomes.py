"""Events to numbers per unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import add, or_
from typing import TYPE_CHECKING, Any

import ibis

from analysis.aggregation.caps import cut
from analysis.aggregation.event_values import Values, finite, values_of
from analysis.aggregation.exact import split
from analysis.aggregation.placement import STATE, state_column
from analysis.aggregation.variables import Variables
from analysis.plan import Covariate, MetricPlan, Plan

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One number of a unit: the events that make it, and when they count.

    `lookback_seconds` is set for what happened before the exposure, `window_seconds` perhaps for what came after.
    """

    column: str
    event_name: str
    counts_events: bool
    window_seconds: int | None = None
    lookback_seconds: int | None = None
    cap: float | None = None


def sources(metric: MetricPlan, index: int) -> Iterator[Source]:
    """x; y of a ratio or (the number of rows) of a quantile; covariates."""
    window, cap = metric.window_seconds, metric.cap
    counts = metric.kind in ("conversion", "count") or metric.numerator_counts_events
    yield Source(column=f"x{index}", event_name=metric.event_name, counts_events=counts, window_seconds=window, cap=cap)
    if metric.denominator_event_name is not None:
        yield Source(
            column=f"y{index}",
            event_name=metric.denominator_event_name,
            counts_events=metric.denominator_counts_events,
            window_seconds=window,
            cap=cap,
        )
    yield from (_of_covariate(one, f"c{index}_{number}") for number, one in enumerate(metric.covariates))


def _of_covariate(covariate: Covariate, column: str) -> Source:
    return Source(
        column=column,
        event_name=covariate.event_name,
        counts_events=covariate.counts_events,
        lookback_seconds=covariate.lookback_seconds,
        cap=covariate.cap,
    )


def variables(metric: MetricPlan, index: int) -> Variables:
    found = list(sources(metric, index))
    whole = {one.column for one in found if one.counts_events and (one.cap is None or one.cap == int(one.cap))}
    has_denominator = metric.kind in ("ratio", "quantile")
    return Variables(
        metric=metric,
        x=f"x{index}",
        y=f"y{index}" if has_denominator else None,
        covariates=tuple(one.column for one in found if one.lookback_seconds is not None),
        whole=frozenset(whole | ({f"y{index}"} if metric.kind == "quantile" else set())),
    )


class Outcomes:
    """The events of the units that count.

    Parameters
    ----------
    counted
        The units, from `placement.units_of`.
    events
        As for `analysis.aggregate.aggregate`.
    """

    def __init__(self, counted: ir.Table, events: ir.Table, plan: Plan) -> None:
        self._plan = plan
        self._sources = {m: list(sources(metric, m)) for m, metric in enumerate(plan.metrics)}
        every = [one for found in self._sources.values() for one in found]
        relevant = _relevant(events, sorted({one.event_name for one in every}))
        self.values = values_of(relevant, sorted({one.event_name for one in every if not one.counts_events}))
        self.joined = self._joined(relevant, counted, max((one.lookback_seconds or 0 for one in every), default=0))

    def _joined(self, events: ir.Table, counted: ir.Table, lookback_seconds: int) -> ir.Table:
        """Each event beside its unit, with `is_after`: whether it is an outcome."""
        if any(one.has_missing for one in self.values.values()):
            events = events.mutate(value=finite(events.value))
        if events.unit_id.type() != counted.unit_id.type():
            events, counted = (table.mutate(unit_id=table.unit_id.cast("string")) for table in (events, counted))
        found = events.inner_join(counted, "unit_id")
        is_after = found.occurred_at >= found.exposed_at
        if any(cell.follow_up_ends_at is not None for cell in self._plan.cells):
            is_after &= (found.occurred_at < found.follow_up_ends_at).fill_null(True)
        if not lookback_seconds:
            return found.filter(is_after).mutate(is_after=True)
        is_before = (found.occurred_at < found.exposed_at) & (
            found.occurred_at >= found.exposed_at - ibis.interval(seconds=lookback_seconds)
        )
        return found.filter(is_after | is_before).mutate(is_after=is_after)

    def _happened(self, rows: ir.Table, source: Source) -> Any:
        """Whether a joined row is one of its events."""
        named = rows.name == source.event_name
        if source.lookback_seconds is not None:
            since = rows.exposed_at - ibis.interval(seconds=source.lookback_seconds)
            return named & (rows.occurred_at < rows.exposed_at) & (rows.occurred_at >= since)
        if any(one.lookback_seconds is not None for found in self._sources.values() for one in found):
            named &= rows.is_after
        if source.window_seconds is None:
            return named
        return named & (rows.occurred_at < rows.exposed_at + ibis.interval(seconds=source.window_seconds))

    def by_unit(self) -> ir.Table:
        """One row per unit with any event: `arm`, x, y, covariates and missing values of each metric.

        Null where a metric's window is not complete.
        """
        joined = self.joined
        asked: dict[str, Any] = {}
        for index, metric in enumerate(self._plan.metrics):
            for source in self._sources[index]:
                asked |= self._parts(joined, source)
            asked |= self._missing(metric, index)
        states = [column for column in joined.columns if column.startswith(STATE)]
        constant = {column: joined[column].arbitrary() for column in ("arm", *states)}
        grouped = joined.group_by("unit_id").agg(**constant, **asked)
        columns: dict[str, Any] = {"arm": grouped.arm}
        for index, metric in enumerate(self._plan.metrics):
            columns |= self._numbers(grouped, metric, index)
        return grouped.select(**columns)

    def by_unit_and_day(self, day: Any, complete_days: Any) -> ir.Table:
        """`arm`, `day`, x and y of the primary metric, one row per unit and day that is complete."""
        metric = self._plan.primary
        index = self._plan.metrics.index(metric)
        whole = [replace(one, window_seconds=None) for one in self._sources[index] if one.lookback_seconds is None]
        joined = self.joined.mutate(day=day).filter(self.joined.is_after, day < complete_days)
        asked: dict[str, Any] = {}
        for source in whole:
            asked |= self._parts(joined, source)
        if metric.kind == "quantile":
            asked[f"y{index}"] = joined.count(where=self._happened(joined, whole[0]) & joined.value.notnull())
        grouped = joined.group_by(["unit_id", "arm", "day"]).agg(**asked)
        numbers = {one.column: self._number(grouped, one, metric) for one in whole}
        if metric.kind == "quantile":
            numbers[f"y{index}"] = grouped[f"y{index}"].cast("float64")
        return grouped.select("arm", "day", **numbers)

    def _parts(self, joined: ir.Table, source: Source) -> dict[str, Any]:
        """What is to be added up for one number."""
        where = self._happened(joined, source)
        if source.counts_events:
            return {source.column: joined.count(where=where)}
        grid = self.values[source.event_name].grid
        return {
            f"{source.column}_part{number}": part.sum(where=where)
            for number, part in enumerate(split(joined.value, grid))
        }

    def _number(self, grouped: ir.Table, source: Source, metric: MetricPlan) -> Any:
        """One number per unit, from its parts."""
        if source.counts_events:
            value = grouped[source.column]
        else:
            names = [column for column in grouped.columns if column.startswith(f"{source.column}_part")]
            value = reduce(add, (grouped[name].fill_null(0.0) for name in names), ibis.literal(0.0))
        if metric.kind == "conversion" and source.lookback_seconds is None:
            return (value > 0).cast("float64")
        value = value.cast("float64")
        return value if source.cap is None else cut(value, source.cap)

    def _missing(self, metric: MetricPlan, index: int) -> dict[str, Any]:
        """Outcomes without a usable value; and the rows of a quantile, which are those with one."""
        summed = [one for one in self._sources[index] if not one.counts_events and one.lookback_seconds is None]
        missing = [self._happened(self.joined, one) for one in summed if self.values[one.event_name].has_missing]
        found: dict[str, Any] = {}
        if missing:
            found[f"missing{index}"] = self.joined.count(where=reduce(or_, missing) & self.joined.value.isnull())
        if metric.kind == "quantile":
            found[f"y{index}"] = self.joined.count(
                where=self._happened(self.joined, summed[0]) & self.joined.value.notnull()
            )
        return found

    def _numbers(self, grouped: ir.Table, metric: MetricPlan, index: int) -> dict[str, Any]:
        found = {one.column: self._number(grouped, one, metric) for one in self._sources[index]}
        if metric.kind == "quantile":
            found[f"y{index}"] = grouped[f"y{index}"].cast("float64")
        if f"missing{index}" in grouped.columns:
            found[f"missing{index}"] = grouped[f"missing{index}"]
        if metric.window_seconds is None:
            return found
        complete = grouped[state_column(index)] == "complete"
        return {name: complete.ifelse(value, ibis.null(value.type())) for name, value in found.items()}

    def rows_of(self, metric: MetricPlan, index: int) -> ir.Table:
        """`arm`, `unit_id` and `value` of each row of a quantile metric."""
        rows = self.joined.filter(self._happened(self.joined, self._sources[index][0]), self.joined.value.notnull())
        if metric.window_seconds is not None:
            rows = rows.filter(rows[state_column(index)] == "complete")
        return rows.select("arm", "unit_id", "value")


def _relevant(events: ir.Table, names: list[str]) -> ir.Table:
    found = events.filter(events.name.isin(names))
    return found.select(
        unit_id=found.unit_id,
        name=found.name.cast("string"),
        value=found.value.cast("float64"),
        occurred_at=found.occurred_at.cast("timestamp('UTC')"),
    )


def missing_by_metric(rows: ir.Table, plan: Plan) -> dict[str, int]:
    """Values missing among all units, where there are any."""
    columns = {metric.key: f"missing{index}" for index, metric in enumerate(plan.metrics)}
    asked = {name: rows[name].sum() for name in columns.values() if name in rows.columns}
    found: Mapping[str, int | None] = rows.agg(**asked).to_pyarrow().to_pylist()[0] if asked else {}
    return {key: int(found[name] or 0) for key, name in columns.items() if found.get(name)}


__all__ = ["Outcomes", "Source", "Values", "missing_by_metric", "sources", "variables"]
