"""Plans, tables and moments for the tests of the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from operator import mul
from typing import Any

import ibis
import numpy as np
import pyarrow as pa

from analysis.estimate import Comparison, Report, ScopeReport, Undefined
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
    """Moments by their definition, in whole numbers: rounded once, and so the same on every processor."""
    x, unit_x = _whole(numerators)
    y, unit_y = _whole([0.0] * len(x) if denominators is None else denominators)

    def centred(a: list[int], b: list[int], unit: Fraction) -> float:
        return float(Fraction(len(a) * sum(map(mul, a, b)) - sum(a) * sum(b), len(a)) * unit)

    return Moments(
        n=len(x),
        mean=float(Fraction(sum(x), len(x)) * unit_x),
        m2=centred(x, x, unit_x * unit_x),
        denominator_mean=float(Fraction(sum(y), len(y)) * unit_y),
        denominator_m2=centred(y, y, unit_y * unit_y),
        co_m2=centred(x, y, unit_x * unit_y),
    )


def drawn_moments(values: np.ndarray) -> Moments:
    """The same of many values, in numpy: quick, and rounded as the processor likes it."""
    centred = values - values.mean()
    return Moments(n=len(values), mean=float(values.mean()), m2=float(centred @ centred))


def _whole(values: Iterable[float]) -> tuple[list[int], Fraction]:
    """Return floats as whole multiples of a unit, and the unit: all of them are fractions of powers of two."""
    ratios = [float(value).as_integer_ratio() for value in values]
    finest = max(denominator for _, denominator in ratios)
    return [numerator * (finest // denominator) for numerator, denominator in ratios], Fraction(1, finest)


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


def reason(value: object) -> str:
    """Why there is no number."""
    assert isinstance(value, Undefined)
    return value.reason
