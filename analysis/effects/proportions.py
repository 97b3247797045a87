"""Proportions: one of them (Wilson), two (score tests and the intervals that invert them).

The score interval of a difference and every score test with a margin are our own: in statsmodels 0.14.6 and 0.15.0 they
are wrong (a `count0` where `nobs0` belongs).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import acos, copysign, cos, inf, pi, sqrt

from scipy.optimize import brentq

from analysis.effects.arms import ArmValue
from analysis.effects.means import too_few_units
from analysis.estimate import Undefined
from analysis.moments import Moments

_CLOSE = 1e-13


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportion:
    """`successes` among `n` units, 0 ≤ successes ≤ n, n ≥ 1."""

    successes: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.n or self.n < 1:
            raise ValueError(f"not a proportion: {self.successes} of {self.n}")

    @property
    def rate(self) -> float:
        return self.successes / self.n


def wald_value(proportion: Proportion) -> ArmValue:
    """The rate with the squared Wald standard error p(1 - p)/n."""
    rate = proportion.rate
    return ArmValue(value=rate, variance=rate * (1 - rate) / proportion.n, degrees_of_freedom=inf)


def proportion_value(moments: Moments) -> ArmValue | Undefined:
    """The same from the moments of a conversion (its mean is the rate), for combining strata."""
    if moments.n < 2:
        return too_few_units(moments.n)
    return wald_value(Proportion(successes=round(moments.total), n=moments.n))


def wilson(proportion: Proportion, critical: float) -> tuple[float, float]:
    """Wilson's score interval of one proportion, never outside [0, 1], never empty.

    Solves |p̂ - p| ≤ c·√(p(1 - p)/n). Wilson, JASA 22 (1927), pp. 209-212. Newcombe, "Two-sided confidence intervals
    for the single proportion", Statistics in Medicine 17 (1998), method 3: the tests' reference numbers are from there.
    """
    n, rate = proportion.n, proportion.rate
    squared = critical * critical
    centre = proportion.successes + squared / 2
    spread = critical * sqrt(n * rate * (1 - rate) + squared / 4)
    low = 0.0 if proportion.successes == 0 else (centre - spread) / (n + squared)
    high = 1.0 if proportion.successes == n else (centre + spread) / (n + squared)
    return low, high


def newcombe(treatment: Proportion, baseline: Proportion, critical: float) -> tuple[float, float]:
    """Newcombe's hybrid score interval of a difference: simple, but it inverts no test.

    Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17
    (1998), pp. 873-890, method 10.
    """
    p1, p0 = treatment.rate, baseline.rate
    (low1, high1), (low0, high0) = wilson(treatment, critical), wilson(baseline, critical)
    below = sqrt((p1 - low1) ** 2 + (high0 - p0) ** 2)
    above = sqrt((high1 - p1) ** 2 + (p0 - low0) ** 2)
    return p1 - p0 - below, p1 - p0 + above


def score_z(
    treatment: Proportion, baseline: Proportion, *, margin: float = 0.0, corrected: bool = True
) -> float | Undefined:
    """Score statistic of "the rates differ by `margin`".

    Parameters
    ----------
    treatment, baseline
        Independent binomial counts.
    margin
        Hypothetical p₁ - p₀, in (-1, 1). Non-inferiority with a tolerated loss m tests margin = -m.
    corrected
        True: Miettinen–Nurminen, the variance times N/(N - 1). False: Farrington–Manning (Mee); with no margin that is
        the pooled z-test.

    Returns
    -------
    float
        (p̂₁ - p̂₀ - margin) / √(p̃₁q̃₁/n₁ + p̃₀q̃₀/n₀), near normal under the hypothesis, with p̃ its maximum-likelihood
        rates. `Undefined("zero_variance")` when nobody or everybody converted and there is no margin: 0/0.

    Notes
    -----
    Miettinen & Nurminen, "Comparative analysis of two rates", Statistics in Medicine 4 (1985), pp. 213-226; Farrington
    & Manning, Statistics in Medicine 9 (1990), pp. 1447-1454.
    """
    if margin == 0 and treatment.successes + baseline.successes in (0, treatment.n + baseline.n):
        return Undefined(reason="zero_variance", message="Both arms have the same rate, 0% or 100%: nothing to test.")
    return _difference_z(treatment, baseline, margin, corrected=corrected)


def score_interval(
    treatment: Proportion, baseline: Proportion, critical: float, *, corrected: bool = True
) -> tuple[float, float]:
    """Every difference that `score_z` does not reject: Miettinen–Nurminen, or Mee without the correction.

    Always exists, within [-1, 1], also for 0/n against 0/n. Leaves out 0 exactly when |score_z| > critical.
    """
    observed = treatment.rate - baseline.rate

    def z(difference: float) -> float:
        return _difference_z(treatment, baseline, difference, corrected=corrected)

    return _invert(z, observed, critical, floor=-1.0, ceiling=1.0)


def score_lift_interval(
    treatment: Proportion, baseline: Proportion, critical: float
) -> tuple[float, float] | Undefined:
    """Every lift that the Miettinen–Nurminen test of a *ratio* of rates does not reject.

    At lift 0 the restricted rates, hence the statistic, are those of the difference: the two intervals and the p-value
    agree about 0 in every case. Within [-1, ∞); `Undefined("unbounded")` when the baseline has no success.

    Miettinen & Nurminen (1985), with the closed-form restricted rates for a ratio.
    """
    if not baseline.successes:
        return Undefined(reason="unbounded", message="Nobody in the baseline converted: no percentage is too large.")
    observed = treatment.rate / baseline.rate - 1

    def z(lift: float) -> float:
        return _ratio_z(treatment, baseline, lift)

    ceiling = max(observed, 0.0) + 1.0
    while z(ceiling) > -critical:
        ceiling *= 2
    return _invert(z, observed, critical, floor=-1.0, ceiling=ceiling)


def _invert(
    z: Callable[[float], float], observed: float, critical: float, *, floor: float, ceiling: float
) -> tuple[float, float]:
    """Both ends of {θ: |z(θ)| ≤ critical} for a falling z with z(observed) = 0.

    Each end is searched on its own side of 0, as the test at 0 decides: no rounding can make them disagree.
    """
    at_zero = z(0.0)
    low = (0.0, observed) if at_zero > critical else (floor, min(observed, 0.0))
    high = (observed, 0.0) if at_zero < -critical else (max(observed, 0.0), ceiling)
    return _crossing(z, critical, *low), _crossing(z, -critical, *high)


def _crossing(z: Callable[[float], float], target: float, start: float, stop: float) -> float:
    """Where the falling z meets the target between start and stop; the outer end if it does not get there."""
    if target > 0 and not z(start) > target:
        return start
    if target < 0 and not z(stop) < target:
        return stop
    return float(brentq(lambda value: z(value) - target, start, stop, xtol=_CLOSE))


def _difference_z(treatment: Proportion, baseline: Proportion, difference: float, *, corrected: bool) -> float:
    n1, n0 = treatment.n, baseline.n
    p0 = _restricted_baseline(treatment, baseline, difference)
    p1 = min(max(p0 + difference, 0.0), 1.0)
    return _standardise(
        treatment.rate - baseline.rate - difference, p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0, n1 + n0, corrected
    )


def _ratio_z(treatment: Proportion, baseline: Proportion, lift: float) -> float:
    ratio = 1.0 + lift
    n1, n0 = treatment.n, baseline.n
    x1, x0 = treatment.successes, baseline.successes
    # (n₁ + n₀)·R·p² - (R(n₁ + x₀) + x₁ + n₀)·p + x₁ + x₀ = 0, its smaller root without cancellation.
    leading, linear, constant = (n1 + n0) * ratio, ratio * (n1 + x0) + x1 + n0, x1 + x0
    root = sqrt(max(linear * linear - 4 * leading * constant, 0.0))
    p0 = min(2 * constant / (linear + root), 1.0)
    p1 = min(ratio * p0, 1.0)
    variance = p1 * (1 - p1) / n1 + ratio * ratio * p0 * (1 - p0) / n0
    return _standardise(treatment.rate - ratio * baseline.rate, variance, n1 + n0, True)


def _standardise(distance: float, variance: float, n: int, corrected: bool) -> float:
    if corrected:
        variance *= n / (n - 1)
    if variance > 0:
        return distance / sqrt(variance)
    return copysign(inf, distance) if distance else 0.0


def _restricted_baseline(treatment: Proportion, baseline: Proportion, difference: float) -> float:
    """Maximum-likelihood baseline rate when the rates differ by `difference`: the cubic's middle root.

    Miettinen & Nurminen (1985), in trigonometric form.
    """
    n1, n0 = treatment.n, baseline.n
    x1, x0 = treatment.successes, baseline.successes
    n, x = n1 + n0, x1 + x0
    if difference == 0:
        return x / n
    l3 = n
    l2 = (n1 + 2 * n0) * difference - n - x
    l1 = (n0 * difference - n - 2 * x0) * difference + x
    l0 = x0 * difference * (1 - difference)
    shift = l2 / (3 * l3)
    q = shift**3 - l1 * l2 / (6 * l3 * l3) + l0 / (2 * l3)
    p = copysign(sqrt(max(shift * shift - l1 / (3 * l3), 0.0)), q)
    cosine = 0.0 if p == 0 else min(max(q / p**3, -1.0), 1.0)
    angle = (pi + acos(cosine)) / 3
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    return min(max(2 * p * cos(angle) - shift, low), high)
