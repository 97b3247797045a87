"""Arms by themselves: what each one did, before any comparison."""

from __future__ import annotations

from itertools import repeat
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.board import Board
from analysis.effect_rows import intervals_of, numbers
from analysis.effects import values
from analysis.effects.proportions import wilson_intervals
from analysis.effects.quantiles import distribution_value
from analysis.effects.ratios import SMALLEST_DENOMINATOR
from analysis.estimate import ArmSummary, Interval, Undefined
from analysis.groups import Groups, all_of
from analysis.in_rows import rows
from analysis.plan import MetricPlan, Plan
from analysis.reasons import Reasons, Why, or_else
from analysis.special import pooled_distribution
from analysis.tested import ArmValues

Floats: TypeAlias = NDArray[np.float64]
Summaries: TypeAlias = list[tuple[ArmSummary, ...]]


def arm_summaries(board: Board) -> list[Summaries]:
    """By metric and by scope, the arms' plain pooled numbers.

    `total` is the sum over units (of the numerators, for a ratio), `value` the mean, rate, ratio or quantile, `std_dev`
    that of one unit (for a ratio: of its linear part, √n times the standard error). `interval`: Wilson for conversions,
    t for the others, for one look. Pooled over epochs these are descriptions: arms are compared within strata.
    """
    plan, width = board.plan, len(board.plan.variants)
    found = _summaries(board, board.arms)
    size = len(board.scopes) * width
    return [
        _quantiles(board, metric, number)
        if metric.kind == "quantile"
        else [tuple(found[start : start + width]) for start in range(number * size, (number + 1) * size, width)]
        for number, metric in enumerate(plan.metrics)
    ]


_METHODS = {"conversion": "wilson", "ratio": "delta_t"}


def _summaries(board: Board, groups: Groups) -> list[ArmSummary]:
    """Of all metrics but quantiles: metric by metric, scope by scope, variant by variant."""
    plan, each = board.plan, len(board.scopes) * len(board.plan.variants)
    # A mean is the ratio to the number of units.
    arms = board.arm_values
    nil = np.where(np.abs(groups.denominator_mean) < SMALLEST_DENOMINATOR, Why.ZERO_DENOMINATOR, Why.EXISTS)
    low, high, why = _intervals(plan, groups, arms)
    methods = [method for metric in plan.metrics for method in repeat(_METHODS.get(metric.kind, "t"), each)]
    return rows(
        ArmSummary,
        plan.variants * (len(plan.metrics) * len(board.scopes)),
        groups.n.astype(np.int64).ravel().tolist(),
        _totals(plan, groups).ravel().tolist(),
        numbers(arms.values.value.ravel(), np.where(groups.n == 0, Why.NO_UNITS, nil).ravel()),
        numbers(np.sqrt(arms.values.variance * groups.n).ravel(), arms.why.ravel()),
        intervals_of(low.ravel(), high.ravel(), why.ravel(), 1 - plan.alpha, methods),
    )


def _totals(plan: Plan, groups: Groups) -> Floats:
    """Whole numbers where units have whole numbers."""
    total = groups.total
    for number, metric in enumerate(plan.metrics):
        if metric.kind == "conversion" or (metric.kind == "count" and metric.cap is None):
            total[number] = np.rint(total[number])
    return total


def _intervals(plan: Plan, groups: Groups, arms: ArmValues) -> tuple[Floats, Floats, Reasons]:
    found, freedom = arms.values, np.maximum(arms.values.freedom, 1.0)
    if all_of(freedom == freedom[0]):
        # Without windows all metrics have the same units.
        freedom = freedom[:1]
    half_width = values.critical_values(plan.alpha, freedom) * np.sqrt(found.variance)
    low, high = found.value - half_width, found.value + half_width
    why = or_else(arms.why, ~(found.variance > 0), Why.FLAT_ARM)
    if rates := [number for number, metric in enumerate(plan.metrics) if metric.kind == "conversion"]:
        n, successes = np.maximum(groups.n[rates], 1.0), np.rint(groups.total[rates])
        low[rates], high[rates] = wilson_intervals(successes, n, values.critical_values(plan.alpha, np.inf))
        why[rates] = np.where(groups.n[rates] > 0, Why.EXISTS, Why.NO_UNITS)
    return low, high, why


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
        shown, spread = value.value, value.variance**0.5 * float(board.arms.n[number, scope, place]) ** 0.5
    return ArmSummary(
        variant=variant,
        units=int(board.arms.n[number, scope, place]),
        total=float(board.arms.total[number, scope, place]),
        value=shown,
        std_dev=spread,
        interval=interval,
    )
