"""Plans, tables and moments for the tests of the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pyarrow as pa

from analysis.estimate import Comparison, Report, ScopeReport
from analysis.moments import ArmKey, MetricKey, Moments, MomentTable
from analysis.plan import Cell, MetricPlan, Plan
from analysis.report import build

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def metric(**changes: Any) -> MetricPlan:
    return MetricPlan(**{"key": "visits", "kind": "conversion", "role": "primary", "event_name": "visit"} | changes)


def plan(
    *metrics: MetricPlan,
    variants: Sequence[str] = ("a", "b"),
    segments: Sequence[str] = ("all",),
    cells: Sequence[Cell] | None = None,
    **changes: Any,
) -> Plan:
    """Two equal arms in one segment and epoch, the first of them the control, unless told otherwise."""
    equal = dict.fromkeys(variants, 1.0)
    fields: dict[str, Any] = {
        "variants": tuple(variants),
        "control": variants[0],
        "segments": tuple(segments),
        "metrics": metrics or (metric(),),
        "cells": tuple(cells or (Cell(epoch=1, segment=segment, weights=equal) for segment in segments)),
    }
    return Plan(**fields | changes)


def exposures(rows: Iterable[tuple[str | None, str | None, str | None, int | None, datetime | None]]) -> Any:
    """(unit_id, variant, segment, epoch, exposed_at)"""
    names = ["unit_id", "variant", "segment", "epoch", "exposed_at"]
    types = [pa.string(), pa.string(), pa.string(), pa.int64(), pa.timestamp("us", "UTC")]
    return _table(names, types, rows)


def events(rows: Iterable[tuple[str, str, float | None, datetime]]) -> Any:
    """(unit_id, name, value, occurred_at)"""
    types = [pa.string(), pa.string(), pa.float64(), pa.timestamp("us", "UTC")]
    return _table(["unit_id", "name", "value", "occurred_at"], types, rows)


def _table(names: list[str], types: list[Any], rows: Iterable[tuple[Any, ...]]) -> Any:
    records = [dict(zip(names, row, strict=True)) for row in rows]
    return ibis.memtable(pa.Table.from_pylist(records, schema=pa.schema(zip(names, types, strict=True))))


def moments_of(numerators: Iterable[float], denominators: Iterable[float] | None = None) -> Moments:
    """Moments by their definition, in numpy."""
    x = np.asarray(list(numerators), dtype=float)
    y = np.zeros_like(x) if denominators is None else np.asarray(list(denominators), dtype=float)
    dx, dy = x - x.mean(), y - y.mean()
    return Moments(
        n=len(x),
        mean=float(x.mean()),
        m2=float(dx @ dx),
        denominator_mean=float(y.mean()),
        denominator_m2=float(dy @ dy),
        co_m2=float(dx @ dy),
    )


def conversions(successes: int, n: int) -> Moments:
    """A conversion's moments: mean p, centred sum n·p·(1 - p)."""
    return Moments(n=n, mean=successes / n if n else 0.0, m2=successes * (n - successes) / n if n else 0.0)


def table(arms: Mapping[tuple[int, str, str], Mapping[str, Moments]], **changes: Any) -> MomentTable:
    """(epoch, segment, variant) -> metric -> moments."""
    return MomentTable(
        units={ArmKey(*arm): max(value.n for value in metrics.values()) for arm, metrics in arms.items()},
        moments={MetricKey(*arm, key): value for arm, metrics in arms.items() for key, value in metrics.items()},
        **changes,
    )


def one_segment(arms: Mapping[str, Moments], **changes: Any) -> Report:
    question = plan(variants=tuple(arms), **changes)
    return build(question, table({(1, "all", variant): {"visits": moments} for variant, moments in arms.items()}))


def rates(**successes: int) -> Report:
    """Arms of 10,000 each, the first of them the control."""
    return one_segment({variant: conversions(x, 10_000) for variant, x in successes.items()})


def segment(report: Report) -> ScopeReport:
    return report.segments[0]


def comparison(scope: ScopeReport, index: int = 0, metric_index: int = 0) -> Comparison:
    return scope.metrics[metric_index].comparisons[index]
