"""Two proportions, in one stratum or several: Miettinen–Nurminen score tests and the intervals that invert them.

The score interval of a difference and every score test with a margin are our own: in statsmodels 0.14.6 and 0.15.0 they
are wrong (a `count0` where `nobs0` belongs).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import copysign, inf, sqrt

from scipy.optimize import brentq

from analysis.effects.proportions import Proportion
from analysis.effects.restricted import restricted_low_rate
from analysis.estimate import Undefined

_CLOSE = 1e-13


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoProportions:
    """Independent binomial counts of one stratum, and its share of the whole; the shares add up to 1."""

    share: float = 1.0
    treatment: Proportion
    baseline: Proportion

    @property
    def difference(self) -> float:
        return self.treatment.rate - self.baseline.rate

    @property
    def _correction(self) -> float:
        n = self.treatment.n + self.baseline.n
        return n / (n - 1)

    def difference_variance(self, difference: float, *, corrected: bool) -> float:
        """p̃₁q̃₁/n₁ + p̃₀q̃₀/n₀ with the maximum-likelihood rates that differ by `difference`."""
        low, high = (self.baseline, self.treatment) if difference >= 0 else (self.treatment, self.baseline)
        if low.successes + high.successes > (low.n + high.n) / 2:
            # Failures instead of successes: the same variance, and rates near 0 keep their digits.
            low, high = high.mirrored, low.mirrored
        gap = abs(difference)
        rate = restricted_low_rate(low, high, gap)
        variance = rate * (1 - rate) / low.n + (rate + gap) * max(1 - rate - gap, 0.0) / high.n
        return variance * self._correction if corrected else variance

    def ratio_variance(self, ratio: float) -> float:
        """p̃₁q̃₁/n₁ + R²·p̃₀q̃₀/n₀ with the maximum-likelihood rates p̃₁ = R·p̃₀."""
        n1, n0 = self.treatment.n, self.baseline.n
        x1, x0 = self.treatment.successes, self.baseline.successes
        # (n₁ + n₀)·R·p² - (R(n₁ + x₀) + x₁ + n₀)·p + x₁ + x₀ = 0, its smaller root without cancellation.
        leading, linear, constant = (n1 + n0) * ratio, ratio * (n1 + x0) + x1 + n0, x1 + x0
        root = sqrt(max(linear * linear - 4 * leading * constant, 0.0))
        p0 = min(2 * constant / (linear + root), 1.0)
        p1 = min(ratio * p0, 1.0)
        return (p1 * (1 - p1) / n1 + ratio * ratio * p0 * (1 - p0) / n0) * self._correction


def score_z(strata: Sequence[TwoProportions], *, margin: float = 0.0, corrected: bool = True) -> float | Undefined:
    """Score statistic of "the rates differ by `margin` in every stratum".

    Parameters
    ----------
    strata
        At least one.
    margin
        Hypothetical p₁ - p₀, in (-1, 1). Non-inferiority with a tolerated loss m tests margin = -m.
    corrected
        True: Miettinen–Nurminen, each stratum's variance times N/(N - 1). False: Farrington–Manning (Mee); in one
        stratum with no margin that is the pooled z-test.

    Returns
    -------
    float
        Σ w(p̂₁ - p̂₀ - margin) / √Σ w²(p̃₁q̃₁/n₁ + p̃₀q̃₀/n₀), near normal under the hypothesis, with w the shares and p̃ the
        maximum-likelihood rates of each stratum. `Undefined("zero_variance")` when in every stratum nobody or
        everybody converted and there is no margin: 0/0.

    Notes
    -----
    A stratum of few units or few conversions does no harm: its variance is that of the hypothesis, pooled over both
    arms, where Wald's of an arm without a conversion is 0. After a promotion to 95 % of a 1 % rate the z-test on Wald
    variances errs in .10 to .25 of all A/A tests at any look.

    Miettinen & Nurminen, "Comparative analysis of two rates", Statistics in Medicine 4 (1985), pp. 213-226 (strata: pp.
    217-218); Farrington & Manning, Statistics in Medicine 9 (1990), pp. 1447-1454.
    """
    if margin == 0 and all(
        stratum.treatment.successes + stratum.baseline.successes in (0, stratum.treatment.n + stratum.baseline.n)
        for stratum in strata
    ):
        return Undefined(reason="zero_variance", message="Both arms have the same rate, 0% or 100%: nothing to test.")
    return _difference_z(strata, margin, corrected=corrected)


def score_interval(strata: Sequence[TwoProportions], critical: float, *, corrected: bool = True) -> tuple[float, float]:
    """Every difference that `score_z` does not reject: Miettinen–Nurminen, or Mee without the correction.

    Always exists, within [-1, 1], also for 0/n against 0/n. Leaves out 0 exactly when |score_z| > critical.
    """
    observed = sum(stratum.share * stratum.difference for stratum in strata)

    def z(difference: float) -> float:
        return _difference_z(strata, difference, corrected=corrected)

    return _invert(z, observed, critical, floor=-1.0, ceiling=1.0)


def score_lift_interval(strata: Sequence[TwoProportions], critical: float) -> tuple[float, float] | Undefined:
    """Every lift that the Miettinen–Nurminen test of a *ratio* of rates, the same in every stratum, does not reject.

    At lift 0 the restricted rates, hence the statistic, are those of the difference: the two intervals and the p-value
    agree about 0 in every case. Within [-1, ∞); `Undefined("unbounded")` when the baseline has no success.

    Miettinen & Nurminen (1985), with the closed-form restricted rates for a ratio.
    """
    treatment = sum(stratum.share * stratum.treatment.rate for stratum in strata)
    baseline = sum(stratum.share * stratum.baseline.rate for stratum in strata)
    if not baseline:
        return Undefined(reason="unbounded", message="Nobody in the baseline converted: no percentage is too large.")
    observed = treatment / baseline - 1

    def z(lift: float) -> float:
        return score_lift_z(strata, lift)

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


def _difference_z(strata: Sequence[TwoProportions], difference: float, *, corrected: bool) -> float:
    distance = sum(stratum.share * (stratum.difference - difference) for stratum in strata)
    variance = sum(
        stratum.share * stratum.share * stratum.difference_variance(difference, corrected=corrected)
        for stratum in strata
    )
    return _standardise(distance, variance)


def score_lift_z(strata: Sequence[TwoProportions], lift: float) -> float:
    """Miettinen–Nurminen's statistic of "the ratio of the rates is 1 + `lift` in every stratum", lift > -1."""
    ratio = 1.0 + lift
    distance = sum(stratum.share * (stratum.treatment.rate - ratio * stratum.baseline.rate) for stratum in strata)
    variance = sum(stratum.share * stratum.share * stratum.ratio_variance(ratio) for stratum in strata)
    return _standardise(distance, variance)


def _standardise(distance: float, variance: float) -> float:
    if variance > 0:
        return distance / sqrt(variance)
    return copysign(inf, distance) if distance else 0.0
