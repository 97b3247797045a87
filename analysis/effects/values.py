"""Many pairs of near-normal values at once: Welch's t, and Fieller's lift, which never contradicts it.

Arrays have one row per comparison; `analysis.effects.means` and `.lift` have the same for one comparison.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from analysis.estimate import SMALLEST_P
from analysis.groups import put

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """Independent estimates, any one shape: value, squared standard error, and its degrees of freedom (or infinity)."""

    value: Floats
    variance: Floats
    freedom: Floats

    def take(self, rows: Any) -> Values:
        return Values(value=self.value[rows], variance=self.variance[rows], freedom=self.freedom[rows])

    def averaged(self, share: Floats) -> Values:
        """Over strata (the last axis): Σ share·value with variance Σ share²·variance, Satterthwaite's freedom."""
        variances = share * share * self.variance
        return Values(
            value=(share * self.value).sum(axis=-1),
            variance=variances.sum(axis=-1),
            freedom=satterthwaite(variances, self.freedom),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """A treatment and what it is compared to, row by row; `common`: the variance that both values share, None: 0."""

    treatment: Values
    baseline: Values
    common: Floats | None = None

    def take(self, rows: NDArray[np.intp]) -> Pairs:
        common = None if self.common is None else self.common[rows]
        return Pairs(treatment=self.treatment.take(rows), baseline=self.baseline.take(rows), common=common)

    @property
    def difference(self) -> Floats:
        return self.treatment.value - self.baseline.value

    @property
    def variance(self) -> Floats:
        return self.treatment.variance + self.baseline.variance

    @property
    def freedom(self) -> Floats:
        """Welch, Biometrika 34 (1947), pp. 28-35."""
        total = self.variance
        total[~(total > 0)] = 1.0
        own, other = self.treatment.variance / total, self.baseline.variance / total
        return _freedom(own * own / self.treatment.freedom + other * other / self.baseline.freedom)


def satterthwaite(variances: Floats, freedoms: Floats) -> Floats:
    """Degrees of freedom of sums of independent variances (along the last axis), in shares: no square can overflow.

    (Σv)² / Σ(v²/f); infinite where all are known, or 0.
    """
    total = variances.sum(axis=-1, keepdims=True)
    shares = variances / np.where(total > 0, total, 1.0)
    return _freedom((shares * shares / freedoms).sum(axis=-1))


def _freedom(spread: Floats) -> Floats:
    return np.where(spread > 0, 1 / np.where(spread > 0, spread, 1.0), np.inf)


def two_sided_p(t: Floats | float, freedom: Floats | float) -> Floats:
    """P(|T| ≥ |t|) for Student's T, from the survival side: exact far below 1e-16."""
    p: Floats = np.maximum(2.0 * stdtr(freedom, -np.abs(t)), SMALLEST_P)
    return p


def critical_values(alpha: Floats | float, freedom: Floats | float) -> Floats:
    """c with P(|T| ≥ c) = alpha."""
    return np.asarray(-stdtrit(freedom, np.asarray(alpha) / 2), dtype=np.float64)


def fieller(pairs: Pairs, critical: Floats) -> tuple[Floats, Floats]:
    """Every lift θ that the test of treatment = (1 + θ)·baseline does not reject.

    Parameters
    ----------
    pairs
        Their degrees of freedom do not enter.
    critical
        > 0. The critical value of the test of the difference: a quantile of t or z for a single look, the multiplier
        of a confidence sequence for any number of looks.

    Returns
    -------
    (low, high)
        Solves (T - (1 + θ)B)² ≤ c²(v₁ + (1 + θ)²v₀ + θ²κ), κ what both values share. At θ = 0 this *is* the test of the
        difference, so the interval leaves out 0 exactly when that test rejects. NaN where the baseline is not
        significantly above 0 (B ≤ 0 or c²(v₀ + κ) ≥ B²): the set is then a half-line or worse, no interval.

    Notes
    -----
    Fieller, "Some problems in interval estimation", JRSS B 16 (1954), pp. 175-185. A Wald interval of the lift
    contradicts its own test; the interval of the difference divided by the baseline covers .83 at a true lift of 100 %.
    The quadratic is written in θ, not in 1 + θ, so that its constant term is the test statistic itself and the roots'
    signs are decided without cancellation.
    """
    base = put(pairs.baseline.value.copy(), ~(pairs.baseline.value > 0), np.nan)
    # In units of the baseline: squares of what may be 1e-100 would be nothing.
    difference, ratio = pairs.difference / base, pairs.treatment.value / base
    own, other = pairs.treatment.variance / base / base, pairs.baseline.variance / base / base
    shared = np.zeros_like(other) if pairs.common is None else pairs.common / base / base
    squared = critical * critical
    leading = 1.0 - squared * (other + shared)
    missing = ~(leading > 0)
    safe = put(leading, missing, 1.0)
    half = -difference - squared * other
    constant = difference * difference - squared * (own + other)
    # T = (1 + θ)B solves it, so that this is no square of a negative number but for rounding.
    inner = own * safe + ratio * ratio * other + shared * (difference * difference - squared * other)
    outer = -(half + np.copysign(critical * np.sqrt(np.maximum(inner, 0.0)), half))
    nil = outer == 0
    first, second = put(outer / safe, nil, 0.0), put(constant / put(outer, nil, 1.0), nil, 0.0)
    return put(np.minimum(first, second), missing, np.nan), put(np.maximum(first, second), missing, np.nan)


def lift(pairs: Pairs) -> tuple[Floats, Floats]:
    """treatment / baseline - 1 and its first-order standard error √(v₁ + r²·v₀ + (r - 1)²·κ) / B, r = T/B, if B > 0.

    The error is a scale for people; no interval here is built on it.
    """
    base = put(pairs.baseline.value.copy(), ~(pairs.baseline.value > 0), np.nan)
    ratio = pairs.treatment.value / base
    variance = pairs.treatment.variance + ratio * ratio * pairs.baseline.variance
    if pairs.common is not None:
        variance = variance + (ratio - 1) ** 2 * pairs.common
    return pairs.difference / base, np.sqrt(variance) / base
