"""What is asked in the benchmarks, and moments to ask it of: five metrics, six segments, two variants, unless swept."""

from __future__ import annotations

from datetime import UTC, datetime
from math import sqrt

import numpy as np

from analysis.moments import ArmKey, MetricKey, Moments, MomentTable
from analysis.plan import Cell, MetricPlan, Plan

SEED = 20_261_122
START = datetime(2026, 3, 1, tzinfo=UTC)
CONTROL, TREATMENT = "control", "treatment"
SEGMENTS = ("new", "returning", "loyal", "lapsed", "trade", "staff")

# One of each kind; which events make them is what `benchmarks.bare` writes out by hand.
METRICS = (
    MetricPlan(key="ordered", kind="conversion", role="primary", event_name="order"),
    MetricPlan(key="visits", kind="count", role="secondary", event_name="visit"),
    MetricPlan(key="revenue", kind="mean", role="secondary", event_name="order"),
    MetricPlan(key="refunds", kind="mean", role="guardrail", event_name="refund", direction="decrease"),
    MetricPlan(
        key="revenue_per_visit",
        kind="ratio",
        role="secondary",
        event_name="order",
        denominator_event_name="visit",
        denominator_counts_events=True,
    ),
)
EVENT_NAMES = ("visit", "order", "refund", "scroll")


def question(*, segments: int = 6, metrics: int = 5, arms: int = 2) -> Plan:
    """One epoch, equal weights; beyond the named ones, metrics and segments repeat under other names."""
    variants = (CONTROL, *(TREATMENT if arms == 2 else f"treatment_{index}" for index in range(1, arms)))
    names = SEGMENTS[:segments] + tuple(f"segment_{index}" for index in range(len(SEGMENTS), segments))
    return Plan(
        variants=variants,
        control=CONTROL,
        segments=names,
        metrics=tuple(_metric(index) for index in range(metrics)),
        cells=tuple(Cell(epoch=1, segment=name, weights=dict.fromkeys(variants, 1.0)) for name in names),
    )


def _metric(index: int) -> MetricPlan:
    again, which = divmod(index, len(METRICS))
    metric = METRICS[which]
    if not again:
        return metric
    return MetricPlan(
        key=f"{metric.key}_{again}",
        kind=metric.kind,
        role="secondary",
        event_name=metric.event_name,
        denominator_event_name=metric.denominator_event_name,
        denominator_counts_events=metric.denominator_counts_events,
    )


def moment_table(plan: Plan, *, units: int = 20_000) -> MomentTable:
    """Stored moments of about so many units in each arm of each segment, every variant a little different."""
    rng = np.random.default_rng(SEED)
    sizes: dict[ArmKey, int] = {}
    moments: dict[MetricKey, Moments] = {}
    for cell in plan.cells:
        for variant in plan.variants:
            n = int(rng.binomial(2 * units, 0.5))
            sizes[ArmKey(cell.epoch, cell.segment, variant)] = n
            for metric in plan.metrics:
                key = MetricKey(cell.epoch, cell.segment, variant, metric.key)
                moments[key] = _moments(rng, metric, n)
    return MomentTable(units=sizes, moments=moments)


def _moments(rng: np.random.Generator, metric: MetricPlan, n: int) -> Moments:
    if metric.kind == "conversion":
        successes = int(rng.binomial(n, 0.12))
        return Moments(n=n, mean=successes / n, m2=successes * (n - successes) / n)
    mean, spread = {"count": (3.0, 1.8), "mean": (42.0, 90.0), "ratio": (42.0, 90.0)}[metric.kind]
    x = float(rng.normal(mean, spread / sqrt(n)))
    if metric.kind != "ratio":
        return Moments(n=n, mean=x, m2=spread * spread * (n - 1))
    y = float(rng.normal(3.0, 1.8 / sqrt(n)))
    return Moments(
        n=n,
        mean=x,
        m2=spread * spread * (n - 1),
        denominator_mean=y,
        denominator_m2=1.8 * 1.8 * (n - 1),
        co_m2=0.4 * spread * 1.8 * (n - 1),
    )
