"""An adaptive split beside the declared one: what was gained, and what certainty it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.board import Board
from analysis.effects.adaptive import stabilised
from analysis.effects.events import EVENTS_NEEDED
from analysis.effects.gain import Gained, Shown, expected, gained, variance_if_fixed, variance_of_difference
from analysis.estimate import AdaptiveComparison, AdaptiveCost, Estimate, Interval, Undefined
from analysis.groups import Groups
from analysis.inference.sequential import mixture_scale, multiplier
from analysis.plan import LEAST_UNITS, MetricKind
from analysis.reasons import UNDEFINED, Why
from analysis.tested import mean_values, ratio_values

Floats: TypeAlias = NDArray[np.float64]

NO_BATCH = Undefined(reason="too_few_units", message="No batch yet in which every variant has enough units.")
NO_SUM = Undefined(reason="no_sum", message="A ratio or a quantile has no sum that more or less of could be gained.")
FEW_EVENTS = UNDEFINED[Why.TOO_FEW_EVENTS]
ONE_LOOK = Undefined(
    reason="adaptive_split", message="The split followed the outcomes: the range that holds at every look is the one."
)
NO_SPREAD = Undefined(reason="zero_variance", message="Nobody differs from anybody within an arm: no scale.")


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One segment's batches that can be compared; `left_out`: units of the others; `support`: see `_support`."""

    shown: Shown
    support: Floats
    left_out: int


def adaptive_comparison(board: Board, number: int) -> AdaptiveComparison | None:
    """Of one scope, on the primary metric; None where no split of it follows the outcomes.

    Segments are compared by themselves and added up.
    """
    plan = board.plan
    segment = board.scopes[number].segment
    names = plan.segments if segment is None else (segment,)
    parts = [part for name in names if (part := _part(board, name)) is not None]
    if not parts:
        return None
    inhabited = [part.shown for part in parts if part.shown.n.size]
    sums = [(one.n.sum(axis=0), (one.sizes * one.declared).sum(axis=0)) for one in inhabited]
    shown, fixed = np.sum(sums, axis=0) if sums else np.zeros((2, len(plan.variants)))
    offered = [place for place, variant in enumerate(plan.variants) if variant in board.scopes[number].offered]
    return AdaptiveComparison(
        units=int(shown.sum()),
        units_left_out=sum(part.left_out for part in parts),
        shown=tuple((plan.variants[place], int(shown[place])) for place in offered),
        if_fixed=tuple((plan.variants[place], float(fixed[place])) for place in offered),
        expected_if_fixed=_expected(board, inhabited),
        gained=_gained(board, inhabited, np.sum([part.support for part in parts], axis=0)),
        costs=tuple(
            _cost(board, number, inhabited, treatment, place) for place, treatment in _treatments(board, offered)
        ),
    )


def _treatments(board: Board, offered: Sequence[int]) -> list[tuple[int, str]]:
    variants = board.plan.variants
    return [(place, variants[place]) for place in offered if variants[place] != board.plan.control]


def _part(board: Board, segment: str) -> _Part | None:
    plan = board.plan
    cells = {(cell.epoch, cell.segment): cell for cell in plan.cells if cell.declared is not None}
    found = [
        (place, dict(cell.declared or {}))
        for place, stratum in enumerate(board.strata)
        if (cell := cells.get((stratum.epoch, segment))) is not None and segment in stratum.segments
    ]
    if not found:
        return None
    places = [place for place, _ in found]
    declared = np.array([[float(weights.get(variant, 0)) for variant in plan.variants] for _, weights in found])
    declared /= declared.sum(axis=1, keepdims=True)
    groups = Groups.from_columns(board.cells[:, board.primary, places])
    asked = (declared > 0) | board.invited[places]
    inside = np.where(asked, groups.n, np.inf).min(axis=1) >= LEAST_UNITS
    chosen = groups.take(np.s_[inside])
    return _Part(
        shown=Shown(
            n=chosen.n, mean=chosen.mean, declared=declared[inside], unit_variance=_own_variance(board, chosen)
        ),
        support=_support(chosen),
        left_out=int(groups.n[~inside].sum()),
    )


def _own_variance(board: Board, groups: Groups) -> Floats:
    """Variance of one unit's value by batch and arm, NaN where there is none; that of a ratio by linearisation."""
    values = ratio_values(groups) if board.plan.primary.kind == "ratio" else mean_values(groups)
    known = (groups.n > 1) & (values.why == 0)
    return np.where(known, values.values.variance * groups.n, np.nan)


def _support(groups: Groups) -> Floats:
    """Units, sum of the sizes of their values, and of their squares, by arm: they add up over batches and segments."""
    columns = (groups.n, groups.n * groups.absolute_mean, groups.m2 + groups.n * groups.mean**2)
    return np.array([np.where(groups.n > 0, column, 0.0).sum(axis=0) for column in columns])


def _is_enough(kind: MetricKind, support: Floats) -> bool:
    """Whether each arm has the effective events that always-valid intervals wait for, see `analysis.effects.events`.

    A conversion counts on both sides: with hardly anybody without an event there is no spread either.
    """
    units, total, squares = support[:, support[0] > 0]
    events = total * total / np.where(squares > 0, squares, 1.0)
    if kind == "conversion":
        events = np.minimum(events, units - total)
    return bool((events.round(6) >= EVENTS_NEEDED).all())


def _expected(board: Board, parts: Sequence[Shown]) -> float | Undefined:
    if board.plan.primary.kind in ("ratio", "quantile"):
        return NO_SUM
    return sum(float(expected(one)) for one in parts) if parts else NO_BATCH


def _gained(board: Board, parts: Sequence[Shown], support: Floats) -> Estimate:
    plan = board.plan
    if plan.primary.kind in ("ratio", "quantile") or not parts:
        reason = NO_BATCH if not parts else NO_SUM
        return Estimate(value=reason, std_error=reason, fixed=reason, always_valid=reason)
    sign = 1.0 if plan.primary.direction == "increase" else -1.0
    found: list[Gained] = [gained(one) for one in parts]
    value = sign * sum(float(one.value) for one in found)
    error, clock = sqrt(sum(float(one.variance) for one in found)), sum(float(one.clock) for one in found)
    if not error:
        return Estimate(value=value, std_error=NO_SPREAD, fixed=ONE_LOOK, always_valid=NO_SPREAD)
    if not _is_enough(plan.primary.kind, support):
        return Estimate(value=value, std_error=error, fixed=ONE_LOOK, always_valid=FEW_EVENTS)
    rho = mixture_scale(plan.alpha, plan.tuned_for_units)
    reach = error * float(multiplier(np.maximum(clock, 1.0), plan.alpha, rho))
    always = Interval(
        low=value - reach, high=value + reach, level=1 - plan.alpha, method="asymptotic_confidence_sequence"
    )
    return Estimate(value=value, std_error=error, fixed=ONE_LOOK, always_valid=always)


def _cost(board: Board, number: int, parts: Sequence[Shown], treatment: str, place: int) -> AdaptiveCost:
    """Segments weigh by their units, as in the comparison itself."""
    control = board.variants[board.plan.control]
    pair = (place, control)
    sizes = [float(one.n.sum()) for one in parts]
    adapted, fixed = (
        sum((size / sum(sizes)) ** 2 * of for size, of in zip(sizes, each, strict=True))
        for each in (
            [_adapted(board, number, one, pair) for one in parts],
            [float(variance_if_fixed(one, pair)) for one in parts],
        )
    )
    names = {"treatment": treatment, "baseline": board.plan.control}
    if not (parts and np.isfinite(adapted) and np.isfinite(fixed)):
        return AdaptiveCost(**names, std_error=NO_BATCH, if_fixed=NO_BATCH, units_missing=NO_BATCH)
    if not (adapted > 0 and fixed > 0):
        return AdaptiveCost(**names, std_error=NO_SPREAD, if_fixed=NO_SPREAD, units_missing=NO_SPREAD)
    return AdaptiveCost(**names, std_error=sqrt(adapted), if_fixed=sqrt(fixed), units_missing=1 - fixed / adapted)


def _adapted(board: Board, number: int, shown: Shown, pair: tuple[int, int]) -> float:
    """Of the batches that enter the comparison, with the weights that they have there."""
    one, other = shown.n[:, pair[0]], shown.n[:, pair[1]]
    inside = np.minimum(one, other) >= board.plan.min_units
    if not inside.any():
        return float("nan")
    weights = np.where(inside, shown.sizes[:, 0], 0.0)
    if board.alone[number]:
        weights = stabilised(shown.sizes[:, 0][None], one[None], other[None], inside[None])[0]
    return float(variance_of_difference(shown, pair, weights))
