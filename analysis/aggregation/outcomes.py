"""Events to numbers per unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce
from itertools import count, takewhile
from operator import add, or_
from typing import TYPE_CHECKING, Any

import ibis

from analysis.aggregation.caps import cut
from analysis.aggregation.event_values import EVENTS_OF_A_UNIT, finite, values_of
from analysis.aggregation.exact import split
from analysis.aggregation.instants import in_utc
from analysis.aggregation.placement import Key
from analysis.aggregation.sources import Source, sources
from analysis.aggregation.staging import staged
from analysis.moments import MetricKey, Moments
from analysis.plan import MetricPlan, Plan

if TYPE_CHECKING:
    import ibis.expr.types as ir


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
        self._key = Key(plan)
        self._sources = {index: list(sources(metric, index)) for index, metric in enumerate(plan.metrics)}
        every = [one for found in self._sources.values() for one in found]
        self._names = {what: f"n{number}" for number, what in enumerate(dict.fromkeys(one.what for one in every))}
        self._looks_back = max((one.lookback_seconds or 0 for one in every), default=0)
        self._values = values_of(events, sorted({one.event_name for one in every if not one.counts_events}))
        self._busiest = EVENTS_OF_A_UNIT
        self.joined = self._joined(_relevant(events, sorted({one.event_name for one in every})), counted)

    def _joined(self, events: ir.Table, counted: ir.Table) -> ir.Table:
        """Each event beside its unit, with `is_after`: whether it is an outcome."""
        if not all(one.is_usable for one in self._values.values()):
            events = events.mutate(value=finite(events.value))
        if events.unit_id.type() != counted.unit_id.type():
            events, counted = (table.mutate(unit_id=table.unit_id.cast("string")) for table in (events, counted))
        found = events.inner_join(counted, "unit_id").drop("unit_id")
        is_after = found.occurred_at >= found.exposed_at
        if any(cell.follow_up_ends_at is not None for cell in self._plan.cells):
            is_after &= (found.occurred_at < found.follow_up_ends_at).fill_null(True)
        if not self._looks_back:
            return found.filter(is_after).mutate(is_after=True)
        is_before = (found.occurred_at < found.exposed_at) & (
            found.occurred_at >= found.exposed_at - ibis.interval(seconds=self._looks_back)
        )
        return found.filter(is_after | is_before).mutate(is_after=is_after)

    def _happened(self, rows: ir.Table, source: Source) -> Any:
        """Whether a joined row is one of its events."""
        named = rows.name == source.event_name
        if source.lookback_seconds is not None:
            since = rows.exposed_at - ibis.interval(seconds=source.lookback_seconds)
            return named & (rows.occurred_at < rows.exposed_at) & (rows.occurred_at >= since)
        if self._looks_back:
            named &= rows.is_after
        if source.window_seconds is None:
            return named
        return named & (rows.occurred_at < rows.exposed_at + ibis.interval(seconds=source.window_seconds))

    @contextmanager
    def by_unit(self, *, keyed: bool = False) -> Iterator[ir.Table]:
        """One row per unit with any event: `arm`, x, y, covariates and missing values of each metric.

        Null where a metric's window is not complete. `keyed`: with the unit's `key`.
        """
        with staged(self._by_unit(keyed)) as rows:
            busiest = rows.events.max().to_pyarrow().as_py() or 0
            if busiest <= self._busiest:
                yield rows
                return
        self._busiest = busiest
        with staged(self._by_unit(keyed)) as rows:
            yield rows

    def _by_unit(self, keyed: bool) -> ir.Table:
        asked: dict[str, Any] = {"events": self.joined.count()}
        for index, metric in enumerate(self._plan.metrics):
            for source in self._sources[index]:
                asked |= self._parts(self.joined, source)
            asked |= self._missing(index) | self._rows(self.joined, metric, index)
        grouped = self.joined.group_by("key").agg(**asked)
        columns: dict[str, Any] = {"arm": self._key.arm(grouped.key), "events": grouped.events}
        for index, metric in enumerate(self._plan.metrics):
            columns |= self._numbers(grouped, metric, index)
        return grouped.select(*(["key"] if keyed else []), **columns)

    def by_unit_and_day(self, day: Any, complete_days: Any) -> ir.Table:
        """`arm`, `day`, x and y of the primary metric, one row per unit and day that is complete."""
        metric = self._plan.primary
        index = self._plan.metrics.index(metric)
        found = [one for one in self._sources[index] if one.lookback_seconds is None]
        joined = self.joined.mutate(day=day).filter(self.joined.is_after, day < complete_days)
        asked = self._rows(joined, metric, index)
        for source in found:
            asked |= self._parts(joined, replace(source, window_seconds=None), self._names[source.what])
        grouped = joined.group_by(["key", "day"]).agg(**asked)
        numbers = {one.column: self._number(grouped, one, metric) for one in found}
        if metric.kind == "quantile":
            numbers[f"y{index}"] = grouped[f"y{index}"].cast("float64")
        return grouped.select("day", arm=self._key.arm(grouped.key), **numbers)

    def rows_of(self, metric: MetricPlan, index: int) -> ir.Table:
        """`arm`, `key` (of the unit) and `value` of each row of a quantile metric."""
        rows = self.joined.filter(self._happened(self.joined, self._sources[index][0]), self.joined.value.notnull())
        if metric.window_seconds is not None:
            rows = rows.filter(self._key.is_complete(rows.key, metric.window_seconds))
        return rows.select("key", "value", arm=self._key.arm(rows.key))

    def events_of_zeros(self, moments: Mapping[MetricKey, Moments]) -> dict[str, int]:
        """Events of metrics that are 0 for everybody: hardly ever asked, and then of their names alone."""
        known = {key.metric for key in moments}
        heard = {key.metric for key, one in moments.items() if one.mean or one.m2}
        names = {one.key: one.event_name for one in self._plan.metrics if one.key in known - heard}
        if not names:
            return {}
        rows = self.joined.filter(self.joined.is_after, self.joined.name.isin(sorted({*names.values()})))
        counts = rows.group_by("name").agg(events=rows.count()).to_pyarrow().to_pylist()
        found = {row["name"]: row["events"] for row in counts}
        return {key: found.get(name, 0) for key, name in names.items()}

    def _parts(self, joined: ir.Table, source: Source, name: str | None = None) -> dict[str, Any]:
        """What is to be added up for one number."""
        where, name = self._happened(joined, source), name or self._names[source.what]
        if source.counts_events:
            return {name: joined.count(where=where)}
        parts = split(joined.value, self._values[source.event_name].grid(self._busiest))
        return {f"{name}_{number}": part.sum(where=where) for number, part in enumerate(parts)}

    def _number(self, grouped: ir.Table, source: Source, metric: MetricPlan) -> Any:
        """One number per unit, from its parts."""
        name = self._names[source.what]
        numbered = takewhile(grouped.columns.__contains__, (f"{name}_{number}" for number in count()))
        parts = [grouped[part] for part in (name, *numbered) if part in grouped.columns]
        value = reduce(add, (part.fill_null(0) for part in parts), ibis.literal(0.0))
        if metric.kind == "conversion" and source.lookback_seconds is None:
            return (value > 0).cast("float64")
        return value if source.cap is None else cut(value, source.cap)

    def _missing(self, index: int) -> dict[str, Any]:
        """Outcomes without a usable value, where there may be any."""
        rows = self.joined
        summed = [one for one in self._sources[index] if not one.counts_events and one.lookback_seconds is None]
        missing = [self._happened(rows, one) for one in summed if self._values[one.event_name].has_missing]
        return {f"missing{index}": rows.count(where=reduce(or_, missing) & rows.value.isnull())} if missing else {}

    def _rows(self, joined: ir.Table, metric: MetricPlan, index: int) -> dict[str, Any]:
        """The rows of a quantile metric: events with a usable value."""
        if metric.kind != "quantile":
            return {}
        source = self._sources[index][0]
        if "day" in joined.columns:
            source = replace(source, window_seconds=None)
        return {f"y{index}": joined.count(where=self._happened(joined, source) & joined.value.notnull())}

    def _numbers(self, grouped: ir.Table, metric: MetricPlan, index: int) -> dict[str, Any]:
        found = {one.column: self._number(grouped, one, metric) for one in self._sources[index]}
        if metric.kind == "quantile":
            found[f"y{index}"] = grouped[f"y{index}"].cast("float64")
        if f"missing{index}" in grouped.columns:
            found[f"missing{index}"] = grouped[f"missing{index}"]
        if metric.window_seconds is None:
            return found
        complete = self._key.is_complete(grouped.key, metric.window_seconds)
        return {name: complete.ifelse(value, ibis.null(value.type())) for name, value in found.items()}


def _relevant(events: ir.Table, names: list[str]) -> ir.Table:
    found = events.filter(events.name.isin(names))
    return found.select(
        unit_id=found.unit_id,
        name=found.name.cast("string"),
        value=found.value.cast("float64"),
        occurred_at=in_utc(found.occurred_at),
    )


def missing_by_metric(rows: ir.Table, plan: Plan) -> dict[str, int]:
    """Values missing among all units, where there are any."""
    columns = {metric.key: f"missing{index}" for index, metric in enumerate(plan.metrics)}
    asked = {name: rows[name].sum() for name in columns.values() if name in rows.columns}
    found: Mapping[str, int | None] = rows.agg(**asked).to_pyarrow().to_pylist()[0] if asked else {}
    return {key: int(found[name] or 0) for key, name in columns.items() if found.get(name)}
