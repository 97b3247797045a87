"""Lift, (treatment - baseline) / baseline, by Fieller's theorem."""

from __future__ import annotations

from math import copysign, sqrt

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
    treatment, baseline = pair.treatment, pair.baseline
    if baseline.value <= 0:
        return NOT_POSITIVE
    ratio = treatment.value / baseline.value
    return sqrt(treatment.variance + ratio * ratio * baseline.variance) / baseline.value


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
        Solves (T - (1 + θ)B)² ≤ c²(v₁ + (1 + θ)²v₀). At θ = 0 this *is* the test of the difference, so the interval
        leaves out 0 exactly when that test rejects. `Undefined("unbounded")` when the baseline itself is not
        significantly above 0 (c²v₀ ≥ B²): the set is then a half-line or worse, no interval.

    Notes
    -----
    Fieller, "Some problems in interval estimation", JRSS B 16 (1954), pp. 175-185. A Wald interval of the lift
    contradicts its own test; the interval of the difference divided by the baseline covers .83 at a true lift of 100 %.
    The quadratic is written in θ, not in 1 + θ, so that its constant term is the test statistic itself and the roots'
    signs are decided without cancellation.
    """
    treatment, baseline = pair.treatment, pair.baseline
    if baseline.value <= 0:
        return NOT_POSITIVE
    squared = critical * critical
    leading = baseline.value * baseline.value - squared * baseline.variance
    if leading <= 0:
        return UNBOUNDED
    half = -baseline.value * pair.difference - squared * baseline.variance
    constant = pair.difference * pair.difference - squared * pair.variance
    root = critical * sqrt(treatment.variance * leading + treatment.value * treatment.value * baseline.variance)
    outer = -(half + copysign(root, half))
    if outer == 0:
        return 0.0, 0.0
    first, second = outer / leading, constant / outer
    return min(first, second), max(first, second)
