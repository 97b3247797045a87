"""Arms whose value is more than their moments: adjusted for covariates, or a quantile. One stratum at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.board import Board
from analysis.effects.arms import ArmValue
from analysis.effects.cuped import adjust, linearise
from analysis.effects.means import too_few_units
from analysis.effects.quantiles import distribution_value
from analysis.effects.values import Values
from analysis.estimate import Undefined
from analysis.moments import CrossMoments, Distribution, MetricKey
from analysis.plan import MetricPlan
from analysis.reasons import Why, why_of
from analysis.scopes import Stratum
from analysis.tested import ArmValues

Floats: TypeAlias = NDArray[np.float64]
ArmsOf: TypeAlias = Callable[[Stratum], Sequence[ArmValue | Undefined]]


def is_special(board: Board, metric: MetricPlan) -> bool:
    """Quantiles, and metrics with covariates whose table has their cross products."""
    if metric.kind == "quantile":
        return True
    return bool(metric.covariates) and any(key.metric == metric.key for key in board.table.cross)


def special_arms(board: Board, metric: MetricPlan) -> ArmValues:
    """Treatments and baselines of every row of the board, shape (2, rows, strata)."""
    arms = _quantiles(board, metric) if metric.kind == "quantile" else _adjusted(board, metric)
    found = np.array([[_numbers(value) for value in arms(stratum)] for stratum in board.strata])
    nobody = np.full((1, len(board.plan.variants), 5), [0.0, 0.0, np.inf, float(Why.NO_UNITS), 0.0])
    strata, variants = board.rows
    value, variance, freedom, why, common = np.moveaxis(np.concatenate([found, nobody])[strata, variants], -1, 0)
    own = Values(value=value, variance=variance, freedom=freedom)
    return ArmValues(values=own, why=why.astype(np.int64), common=common)


def _numbers(value: ArmValue | Undefined) -> tuple[float, float, float, float, float]:
    if isinstance(value, Undefined):
        return 0.0, 0.0, np.inf, float(why_of(value)), 0.0
    return value.value, value.variance, value.degrees_of_freedom, float(Why.EXISTS), value.common_variance


def _adjusted(board: Board, metric: MetricPlan) -> ArmsOf:
    """All arms of a stratum are adjusted together, with one slope: it does not depend on who is compared to whom."""

    def of(stratum: Stratum) -> Sequence[ArmValue | Undefined]:
        found = [_cross(board, metric, stratum, variant) for variant in board.plan.variants]
        width = max((len(cross.mean) for cross in found if cross is not None), default=0)
        if not width:
            return [too_few_units(0)] * len(found)
        groups = [cross if cross is not None else _nobody(width) for cross in found]
        if metric.kind != "ratio":
            return adjust(groups).arms
        linear = [linearise(group) for group in groups]
        usable = adjust([_nobody(width - 1) if isinstance(one, Undefined) else one for one in linear]).arms
        return [one if isinstance(one, Undefined) else value for one, value in zip(linear, usable, strict=True)]

    return of


def _cross(board: Board, metric: MetricPlan, stratum: Stratum, variant: str) -> CrossMoments | None:
    keys = [MetricKey(stratum.epoch, segment, variant, metric.key) for segment in sorted(stratum.segments)]
    return (
        reduce(add, found) if (found := [board.table.cross[key] for key in keys if key in board.table.cross]) else None
    )


def _nobody(width: int) -> CrossMoments:
    zeros = (0.0,) * width
    return CrossMoments(n=0, mean=zeros, centred=(zeros,) * width)


def _quantiles(board: Board, metric: MetricPlan) -> ArmsOf:
    quantile = metric.quantile or 0.5

    def value(stratum: Stratum, variant: str) -> ArmValue | Undefined:
        return distribution_value(pooled_distribution(board, metric, [stratum], variant), quantile)

    return lambda stratum: [value(stratum, variant) for variant in board.plan.variants]


def pooled_distribution(
    board: Board, metric: MetricPlan, strata: Sequence[Stratum], variant: str
) -> Distribution | None:
    keys = [
        MetricKey(stratum.epoch, segment, variant, metric.key)
        for stratum in strata
        for segment in sorted(stratum.segments)
    ]
    found = [board.table.distributions[key] for key in keys if key in board.table.distributions]
    return reduce(add, found) if found else None
