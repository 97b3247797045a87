"""Our side: the engine from stored moments, from a table of units and from raw events, without anything skipped."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from analysis.aggregate import aggregate_units
from analysis.estimate import Report, ScopeReport, Undefined
from analysis.report import analyse, build
from benchmarks.harness import Numbers, Work
from benchmarks.questions import moment_table, question
from benchmarks.tables import Tables, ibis_connect


def report_from_moments(*, segments: int = 6, metrics: int = 5, arms: int = 2) -> Work:
    plan = question(segments=segments, metrics=metrics, arms=arms)
    return Work(run=partial(build, plan, moment_table(plan)), numbers=report_numbers)


def report_from_units(tables: Tables) -> Work:
    plan = question()
    units = ibis_connect().read_parquet(tables.units)
    units = units.mutate(revenue_per_visit=units.revenue, revenue_per_visit_denominator=units.visits)
    return Work(run=lambda: build(plan, aggregate_units(units, plan)), numbers=report_numbers)


def report_from_events(tables: Tables) -> Work:
    plan = question()
    connection = ibis_connect()
    exposures, events = connection.read_parquet(tables.exposures), connection.read_parquet(tables.events)
    return Work(run=partial(analyse, exposures, events, plan), numbers=report_numbers)


def report_numbers(report: Report) -> Numbers:
    """What the other sides can also say: arms as they are, differences and lifts."""
    return dict(pair for scope in (report.overall, *report.segments) for pair in _scope_numbers(scope))


def _scope_numbers(scope: ScopeReport) -> Iterator[tuple[str, float]]:
    where = scope.segment or "all"
    for metric in scope.metrics:
        for arm in metric.arms:
            name = f"{where}/{arm.variant}/{metric.metric}"
            yield f"units/{name}", float(arm.units)
            yield f"total/{name}", arm.total
            yield from _defined(f"std_dev/{name}", arm.std_dev)
        for comparison in metric.comparisons:
            name = f"{where}/{comparison.treatment}/{comparison.baseline}/{metric.metric}"
            yield from _defined(f"difference/{name}", comparison.difference.value)
            yield from _defined(f"lift/{name}", comparison.lift.value)
            if metric.kind in ("count", "mean"):
                yield from _defined(f"welch_p/{name}", comparison.p_value)


def _defined(name: str, value: float | Undefined) -> Iterator[tuple[str, float]]:
    if not isinstance(value, Undefined):
        yield name, value
