"""Arms by themselves: what each one did, before any comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.board import Board
from analysis.effect_rows import interval_of, number_of
from analysis.effects import values
from analysis.effects.proportions import wilson_intervals
from analysis.effects.quantiles import distribution_value
from analysis.estimate import ArmSummary, Interval, Undefined
from analysis.groups import FIELDS, Groups
from analysis.plan import MetricPlan
from analysis.reasons import Why
from analysis.special import pooled_distribution
from analysis.tested import ArmValues, mean_values, ratio_values

Floats: TypeAlias = NDArray[np.float64]
Summaries: TypeAlias = list[tuple[ArmSummary, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """Of all arms of all scopes, in lists."""

    units: list[int]
    total: list[float]
    value: list[float]
    std_dev: list[float]
    low: list[float]
    high: list[float]
    why_value: list[int]
    why_std_dev: list[int]
    why_interval: list[int]


def arm_summaries(board: Board, number: int) -> Summaries:
    """By scope, the arms' plain pooled numbers on one metric.

    `total` is the sum over units (of the numerators, for a ratio), `value` the mean, rate, ratio or quantile, `std_dev`
    that of one unit (for a ratio: of its linear part, √n times the standard error). `interval`: Wilson for conversions,
    t for the others, for one look. Pooled over epochs these are descriptions: arms are compared within strata.
    """
    metric = board.plan.metrics[number]
    if metric.kind == "quantile":
        return _quantiles(board, metric, number)
    columns, method = _columns(board, metric, number), _METHODS.get(metric.kind, "t")
    level, variants = 1 - board.plan.alpha, board.plan.variants

    def summary(row: int, variant: str) -> ArmSummary:
        return ArmSummary(
            variant=variant,
            units=columns.units[row],
            total=columns.total[row],
            value=number_of(columns.value[row], columns.why_value[row]),
            std_dev=number_of(columns.std_dev[row], columns.why_std_dev[row]),
            interval=interval_of(columns.low[row], columns.high[row], columns.why_interval[row], level, method),
        )

    return [
        tuple(summary(scope * len(variants) + place, variant) for place, variant in enumerate(variants))
        for scope in range(len(board.scopes))
    ]


_METHODS = {"conversion": "wilson", "ratio": "delta_t"}


def _columns(board: Board, metric: MetricPlan, number: int) -> _Columns:
    chosen = board.arms.take(np.s_[:, :, number])
    groups = Groups(**{name: getattr(chosen, name).ravel() for name in FIELDS})
    with np.errstate(divide="ignore", invalid="ignore"):
        arms = ratio_values(groups) if metric.kind == "ratio" else mean_values(groups)
        low, high, why_interval = _intervals(metric, groups, arms, board.plan.alpha)
        value = groups.mean / groups.denominator_mean if metric.kind == "ratio" else groups.mean
        variance = arms.values.variance * groups.n if metric.kind == "ratio" else groups.variance
    empty = groups.n == 0
    why_value = np.where(empty, Why.NO_UNITS, np.where(arms.why == Why.ZERO_DENOMINATOR, arms.why, Why.EXISTS))
    if metric.kind == "ratio":
        nil = ~empty & (np.abs(groups.denominator_mean) < 1e-50)
        why_value = np.where(nil, Why.ZERO_DENOMINATOR, why_value)
    whole = metric.kind == "conversion" or (metric.kind == "count" and metric.cap is None)
    return _Columns(
        units=groups.n.astype(int).tolist(),
        total=(np.round(groups.total) if whole else groups.total).tolist(),
        value=value.tolist(),
        std_dev=np.sqrt(variance).tolist(),
        low=low.tolist(),
        high=high.tolist(),
        why_value=why_value.tolist(),
        why_std_dev=arms.why.tolist(),
        why_interval=why_interval.tolist(),
    )


def _intervals(
    metric: MetricPlan, groups: Groups, arms: ArmValues, alpha: float
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    if metric.kind == "conversion":
        n = np.maximum(groups.n, 1.0)
        low, high = wilson_intervals(np.round(groups.total), n, values.critical_values(alpha, np.inf))
        return low, high, np.where(groups.n > 0, Why.EXISTS, Why.NO_UNITS)
    half_width = values.critical_values(alpha, np.maximum(arms.values.freedom, 1.0)) * np.sqrt(arms.values.variance)
    flat = np.where(arms.values.variance > 0, Why.EXISTS, Why.FLAT_ARM)
    why = np.where(arms.why != 0, arms.why, flat)
    return arms.values.value - half_width, arms.values.value + half_width, why


def _quantiles(board: Board, metric: MetricPlan, number: int) -> Summaries:
    return [
        tuple(_quantile(board, metric, scope, place, number) for place in range(len(board.plan.variants)))
        for scope in range(len(board.scopes))
    ]


def _quantile(board: Board, metric: MetricPlan, scope: int, place: int, number: int) -> ArmSummary:
    variant = board.plan.variants[place]
    found = pooled_distribution(board, metric, board.scopes[scope].strata, variant)
    value = distribution_value(found, metric.quantile or 0.5)
    interval: Interval | Undefined
    shown: float | Undefined
    spread: float | Undefined
    if isinstance(value, Undefined):
        interval = shown = spread = value
    else:
        reach = float(values.critical_values(board.plan.alpha, np.inf)) * value.variance**0.5
        method, level = "woodruff", 1 - board.plan.alpha
        interval = Interval(low=value.value - reach, high=value.value + reach, level=level, method=method)
        shown, spread = value.value, value.variance**0.5 * float(board.arms.n[scope, place, number]) ** 0.5
    return ArmSummary(
        variant=variant,
        units=int(board.arms.n[scope, place, number]),
        total=float(board.arms.total[scope, place, number]),
        value=shown,
        std_dev=spread,
        interval=interval,
    )
