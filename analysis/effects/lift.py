"""Lift, (treatment - baseline) / baseline, by Fieller's theorem."""

from __future__ import annotations

import numpy as np

from analysis.effects import values
from analysis.effects.arms import ArmPair
from analysis.estimate import Undefined

NOT_POSITIVE = Undefined(
    reason="baseline_not_positive", message="There is no percentage of a baseline that is not above zero."
)
UNBOUNDED = Undefined(
    reason="unbounded", message="The baseline is too close to zero, for its precision, to bound a percentage."
)


def lift_value(pair: ArmPair) -> float | Undefined:
    """treatment / baseline - 1, for a positive baseline."""
    if pair.baseline.value <= 0:
        return NOT_POSITIVE
    return pair.difference / pair.baseline.value


def lift_std_error(pair: ArmPair) -> float | Undefined:
    """First-order standard error √(v₁ + (T/B)²·v₀) / B: a scale for people; no interval here is built on it."""
    if pair.baseline.value <= 0:
        return NOT_POSITIVE
    return float(values.lift(_pairs(pair))[1][0])


def fieller(pair: ArmPair, critical: float) -> tuple[float, float] | Undefined:
    """Every lift θ that the test of treatment = (1 + θ)·baseline does not reject.

    Parameters
    ----------
    pair : ArmPair
        Independent, near-normal arm values with their squared standard errors.
    critical : float
        > 0. The critical value of the test of the difference: a quantile of t or z for a single look, the multiplier
        of a confidence sequence for any number of looks.

    Returns
    -------
    (low, high)
        As `analysis.effects.values.fieller`, which has the formula. `Undefined("unbounded")` when the baseline itself
        is not significantly above 0.
    """
    if pair.baseline.value <= 0:
        return NOT_POSITIVE
    low, high = values.fieller(_pairs(pair), np.array([critical]))
    return UNBOUNDED if np.isnan(low[0]) else (float(low[0]), float(high[0]))


def _pairs(pair: ArmPair) -> values.Pairs:
    treatment, baseline = (
        values.Values(
            value=np.array([arm.value]), variance=np.array([arm.variance]), freedom=np.array([arm.degrees_of_freedom])
        )
        for arm in (pair.treatment, pair.baseline)
    )
    return values.Pairs(treatment=treatment, baseline=baseline, common=np.array([pair.baseline.common_variance]))
