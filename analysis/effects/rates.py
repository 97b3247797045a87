"""Many pairs of rates at once: Miettinen–Nurminen score tests, and the intervals that invert them.

Arrays have one row per comparison and one column per stratum; `analysis.effects.scores` has it for one comparison.

The score interval of a difference and every score test with a margin are our own: in statsmodels 0.14.6 and 0.15.0 they
are wrong (a `count0` where `nobs0` belongs).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.effects.inversion import Bracket, Known, Rows, falling_roots
from analysis.effects.joint import Counts, joint_ends, joint_log_ratios
from analysis.effects.restricted import TwoCounts, restricted_low_rate
from analysis.groups import all_of, over_strata, put
from analysis.remembered import remembered

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Independent binomial counts, shape (rows, strata).

    `share`: a stratum's share of the whole, adding up to 1 in a row; 0 pads a row of fewer strata (with n = 1 and no
    successes). `treatment`, `baseline`: successes among `treatment_n`, `baseline_n` ≥ 1.
    """

    share: Floats
    treatment: Floats
    treatment_n: Floats
    baseline: Floats
    baseline_n: Floats

    def take(self, rows: Rows) -> Rates:
        return Rates(
            share=self.share[rows],
            treatment=self.treatment[rows],
            treatment_n=self.treatment_n[rows],
            baseline=self.baseline[rows],
            baseline_n=self.baseline_n[rows],
        )

    @remembered
    def treatment_rate(self) -> Floats:
        return over_strata(self.share * (self.treatment / self.treatment_n))

    @remembered
    def baseline_rate(self) -> Floats:
        return over_strata(self.share * (self.baseline / self.baseline_n))

    @remembered
    def null_variance(self) -> Floats:
        """Of the difference in each stratum, were the rates the same: p̂q̂(1/n₁ + 1/n₀), p̂ of both arms together."""
        n1, n0 = self.treatment_n, self.baseline_n
        together, n = self.treatment + self.baseline, n1 + n0
        variance: Floats = (together / n) * ((n - together) / n) * (1 / n1 + 1 / n0)
        return variance

    @remembered
    def corrected_counts(self) -> Counts:
        """For both intervals."""
        return _counts(self, corrected=True)

    @property
    def variances(self) -> tuple[Floats, Floats]:
        """Wald's, of the two rates."""
        squared = self.share * self.share
        return (
            over_strata(squared * self.treatment * (self.treatment_n - self.treatment) / self.treatment_n**3),
            over_strata(squared * self.baseline * (self.baseline_n - self.baseline) / self.baseline_n**3),
        )

    @property
    def is_degenerate(self) -> NDArray[np.bool_]:
        """Nobody, or everybody, converted in every stratum: the same in both arms."""
        together, n = self.treatment + self.baseline, self.treatment_n + self.baseline_n
        degenerate: NDArray[np.bool_] = ((together == 0) | (together == n) | (self.share == 0)).all(axis=1)
        return degenerate


def difference_z(rates: Rates, difference: Floats, *, corrected: bool = True) -> Floats:
    """Score statistic of "the rates differ by `difference` (one per row) in every stratum".

    Returns
    -------
    array
        Σ w(p̂₁ - p̂₀ - δ) / √Σ w²(p̃₁q̃₁/n₁ + p̃₀q̃₀/n₀), near normal under the hypothesis, with w the shares and p̃ the
        maximum-likelihood rates of each stratum; each stratum's variance times N/(N - 1) if `corrected`
        (Miettinen–Nurminen), else not (Farrington–Manning, Mee). Infinite where the variance is 0, and 0 for 0/0.

    Notes
    -----
    A stratum of few units or few conversions does no harm: its variance is that of the hypothesis, pooled over both
    arms, where Wald's of an arm without a conversion is 0. After a promotion to 95 % of a 1 % rate the z-test on Wald
    variances errs in .10 to .25 of all A/A tests at any look.

    Miettinen & Nurminen, "Comparative analysis of two rates", Statistics in Medicine 4 (1985), pp. 213-226 (strata: pp.
    217-218); Farrington & Manning, Statistics in Medicine 9 (1990), pp. 1447-1454.
    """
    delta = difference[:, None]
    observed = rates.treatment / rates.treatment_n - rates.baseline / rates.baseline_n
    variance = rates.share * rates.share * _difference_variance(rates, delta)
    if corrected:
        variance *= _correction(rates)
    return _standardise(over_strata(rates.share * (observed - delta)), over_strata(variance))


def null_z(rates: Rates, *, corrected: bool = True) -> Floats:
    """`difference_z` at 0, where the likeliest rates are those of both arms together."""
    variance = rates.share * rates.share * rates.null_variance
    if corrected:
        variance *= _correction(rates)
    return _standardise(rates.treatment_rate - rates.baseline_rate, over_strata(variance))


def _difference_variance(rates: Rates, delta: Floats) -> Floats:
    """p̃₁q̃₁/n₁ + p̃₀q̃₀/n₀ with the maximum-likelihood rates that differ by δ."""
    treatment_is_high = delta >= 0
    low = np.where(treatment_is_high, rates.baseline, rates.treatment)
    high = np.where(treatment_is_high, rates.treatment, rates.baseline)
    low_n = np.where(treatment_is_high, rates.baseline_n, rates.treatment_n)
    high_n = np.where(treatment_is_high, rates.treatment_n, rates.baseline_n)
    # Failures instead of successes: the same variance, and rates near 0 keep their digits.
    many = low + high > (low_n + high_n) / 2
    counts = TwoCounts(
        low=np.where(many, high_n - high, low),
        low_n=np.where(many, high_n, low_n),
        high=np.where(many, low_n - low, high),
        high_n=np.where(many, low_n, high_n),
    )
    gap = np.broadcast_to(np.abs(delta), low.shape)
    rate = restricted_low_rate(counts, gap)
    other = rate + gap
    variance: Floats = rate * (1 - rate) / counts.low_n + other * np.maximum(1 - other, 0.0) / counts.high_n
    return variance


def lift_z(rates: Rates, ratio: Floats) -> Floats:
    """Miettinen–Nurminen's statistic of "the rates have the ratio `ratio` > 0 (one per row) in every stratum".

    With p̃₁ = R·p̃₀ the maximum-likelihood rates, in closed form: Σ w(p̂₁ - R·p̂₀) / √Σ w²(p̃₁q̃₁/n₁ + R²p̃₀q̃₀/n₀).
    """
    many = ratio[:, None]
    n1, n0, x1, x0 = rates.treatment_n, rates.baseline_n, rates.treatment, rates.baseline
    # (n₁ + n₀)·R·p² - (R(n₁ + x₀) + x₁ + n₀)·p + x₁ + x₀ = 0, its smaller root without cancellation.
    linear, constant = many * (n1 + x0) + x1 + n0, x1 + x0
    root = np.sqrt(np.maximum(linear * linear - 4 * ((n1 + n0) * many) * constant, 0.0))
    p0 = np.minimum(2 * constant / (linear + root), 1.0)
    p1 = np.minimum(many * p0, 1.0)
    variance = (p1 * (1 - p1) / n1 + many * many * p0 * (1 - p0) / n0) * _correction(rates)
    return _standardise(
        over_strata(rates.share * (x1 / n1 - many * (x0 / n0))), over_strata(rates.share * rates.share * variance)
    )


def _correction(rates: Rates) -> Floats:
    n = rates.treatment_n + rates.baseline_n
    return n / (n - 1)


def _standardise(distance: Floats, variance: Floats) -> Floats:
    spread = variance > 0
    if all_of(spread):
        return distance / np.sqrt(variance)
    z = distance / np.sqrt(np.where(spread, variance, 1.0))
    return np.where(spread, z, np.where(distance == 0, 0.0, np.copysign(np.inf, distance)))


def difference_interval(
    rates: Rates, critical: Floats, *, corrected: bool = True, at_zero: Floats | None = None
) -> tuple[Floats, Floats]:
    """Every difference that `difference_z` does not reject at `critical` (one per row, > 0).

    Always exists, within [-1, 1], also for 0/n against 0/n. Leaves out 0 exactly when |difference_z(0)| > critical.
    `at_zero`: `null_z` of the rows, where it is known.
    """
    # Where rates are 0 or 1, or nothing converges, what comes of it is not finite, and left out.
    with np.errstate(all="ignore"):
        observed = rates.treatment_rate - rates.baseline_rate
        at_zero = null_z(rates, corrected=corrected) if at_zero is None else at_zero
        around = _Around(observed, _scale(rates, observed, at_zero), floor=-1.0, ceiling=1.0)

        def z(difference: Floats, rows: Rows, of: Rates) -> Floats:
            return difference_z(of.take(rows), difference, corrected=corrected)

        def at_once(target: Floats, guess: Floats) -> tuple[Floats, Flags]:
            counts = rates.corrected_counts if corrected else _counts(rates, corrected=False)
            return joint_ends(counts, observed, target, guess, around.error)

        low, high = _ends(rates, z, critical, at_zero, around, at_once=at_once)
    return put(low, observed <= -1, -1.0), put(high, observed >= 1, 1.0)


def _counts(rates: Rates, *, corrected: bool) -> Counts:
    """A stratum that only pads has rates of ½, and no weight."""
    weights = rates.share * rates.share
    if corrected:
        weights *= _correction(rates)
    successes = np.array((rates.treatment, rates.baseline))
    if not all_of(is_real := rates.share > 0):
        successes = np.where(is_real, successes, 0.5)
    return Counts(successes, np.array((rates.treatment_n, rates.baseline_n)), weights)


def _scale(rates: Rates, observed: Floats, at_zero: Floats) -> Floats:
    """A standard error to start from."""
    told = np.abs(observed / at_zero)
    is_told = np.isfinite(told) & (told > 0)
    if all_of(is_told):
        return told
    together = (rates.treatment + rates.baseline + 0.5) / (rates.treatment_n + rates.baseline_n + 1)
    spread = together * (1 - together) * (1 / rates.treatment_n + 1 / rates.baseline_n)
    return np.where(is_told, told, np.sqrt(over_strata(rates.share * rates.share * spread)))


def lift_interval(rates: Rates, critical: Floats, *, at_zero: Floats | None = None) -> tuple[Floats, Floats]:
    """Every lift that `lift_z` does not reject at `critical`, within [-1, ∞); NaN where the baseline has no success.

    At lift 0 the restricted rates, hence the statistic, are those of the difference: the two intervals and the p-value
    agree about 0 in every case. Miettinen & Nurminen (1985), with the closed-form restricted rates for a ratio.
    """
    exists = rates.baseline_rate > 0
    known = null_z(rates) if at_zero is None else at_zero
    with np.errstate(all="ignore"):
        if all_of(exists):
            return _lift_ends(rates, critical, known)
        low, high = np.full((2, len(critical)), np.nan)
        if len(those := exists.nonzero()[0]):
            low[those], high[those] = _lift_ends(rates.take(those), critical[those], known[those])
    return low, high


def _lift_ends(rates: Rates, critical: Floats, at_zero: Floats) -> tuple[Floats, Floats]:
    """Searched in log(ratio), where the statistic is nearly straight."""
    treatment, baseline = rates.treatment_rate, rates.baseline_rate
    observed = np.log(treatment / baseline)

    def z(log_ratio: Floats, rows: Rows, of: Rates) -> Floats:
        return lift_z(of.take(rows), np.exp(log_ratio))

    around = _Around(observed, _log_scale(rates, observed, at_zero), floor=-np.inf, ceiling=np.inf)

    def at_once(target: Floats, guess: Floats) -> tuple[Floats, Flags]:
        return joint_log_ratios(rates.corrected_counts, (treatment, baseline), target, guess, around.error)

    low, high = _ends(rates, z, critical, at_zero, around, at_once=at_once)
    return put(np.expm1(low), treatment == 0, -1.0), np.expm1(high)


def _log_scale(rates: Rates, observed: Floats, at_zero: Floats) -> Floats:
    told = np.abs(observed / at_zero)
    is_told = np.isfinite(told) & (told > 0)
    if all_of(is_told):
        return told
    events = [
        1 / np.maximum(over_strata(np.where(rates.share > 0, successes, 0.0)), 0.5)
        for successes in (rates.treatment, rates.baseline)
    ]
    return np.where(is_told, told, np.sqrt(events[0] + events[1]))


@dataclass(frozen=True, slots=True)
class _Around:
    """Where z is 0, and about one standard error of it; between floor and ceiling."""

    observed: Floats
    error: Floats
    floor: float
    ceiling: float


def _ends(
    rates: Rates,
    z: Callable[[Floats, Rows, Rates], Floats],
    critical: Floats,
    at_zero: Floats,
    around: _Around,
    *,
    at_once: Callable[[Floats, Floats], tuple[Floats, Flags]],
) -> tuple[Floats, Floats]:
    """Both ends of {θ: |z(θ)| ≤ critical} for a falling z with z(observed) = 0.

    Each end is on its own side of 0, as the test at 0 decides: no rounding can make them disagree. `at_once` finds most
    of them without a search, from their targets and first guesses, shape (2, rows): low ends, then high ones.
    """
    observed, rejected = around.observed, np.array((at_zero > critical, at_zero < -critical))
    start = put(observed.copy(), ~np.isfinite(observed), 0.0)
    target = np.array((critical, -critical))
    guess = start - target * around.error
    found, is_found = at_once(target, guess)
    is_found &= _belongs(found, start, rejected, around)
    if not all_of(is_found):
        left = ~is_found
        both = np.nonzero(left)[1]
        low, high = _brackets(start, rejected, around)
        known = Known(start[both], np.where(np.isfinite(observed), 0.0, at_zero)[both])
        found[left] = falling_roots(
            lambda value, of: z(value, both[of], rates),
            target[left],
            Bracket(low[left], high[left]),
            known,
            guess[left],
        )
    return found[0], found[1]


def _belongs(found: Floats, start: Floats, rejected: Flags, around: _Around) -> Flags:
    """Beyond the estimate, within what is possible, and on the side of 0 that the test at 0 says."""
    is_above = np.array((rejected[0], ~rejected[1]))
    beyond = np.array((found[0] < start, found[1] > start))
    inside = (around.floor < found) & (found < around.ceiling)
    belongs: Flags = inside & beyond & (found != 0) & ((found > 0) == is_above)
    return belongs


def _brackets(start: Floats, rejected: Flags, around: _Around) -> tuple[Floats, Floats]:
    """Of the low ends and the high ones."""
    observed, (above, below) = around.observed, rejected
    # An estimate at the end of what is possible is its own bound: nothing to search.
    floor = np.where(observed <= around.floor, start, around.floor)
    ceiling = np.where(observed >= around.ceiling, start, around.ceiling)
    low = np.where(above, 0.0, floor), np.where(below, observed, np.maximum(observed, 0.0))
    high = np.where(above, start, np.minimum(start, 0.0)), np.where(below, 0.0, ceiling)
    return np.array(low), np.array(high)
