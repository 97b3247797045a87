"""Do the segments differ? Cochran's Q, I², and the variance τ² of the true effects between them.

The model: segment i has the true effect θᵢ ~ N(μ, τ²) and shows the estimate yᵢ ~ N(θᵢ, vᵢ), vᵢ known, segments
independent (they hold different units). It fails where a segment is too small for its estimate to be near normal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import fsum, inf, log, log1p, sqrt
from operator import mul
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import chdtrc

from analysis.effects.means import critical_value, two_sided_p
from analysis.estimate import SMALLEST_P, Interval, Undefined

Floats: TypeAlias = NDArray[np.float64]
TauMethod = Literal["dersimonian_laird", "paule_mandel", "maximum_likelihood"]

# Newton's method for τ²: at most so many steps, until Q is that near to its target.
_STEPS, _CLOSE = 60, 1e-10

TOO_FEW = Undefined(
    reason="too_few_segments", message="Fewer than two segments have an effect that can be compared yet."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectEstimate:
    """An effect with its standard error, > 0 and finite: anything else raises `ValueError`."""

    value: float
    std_error: float

    def __post_init__(self) -> None:
        if not (abs(self.value) < inf and 0 < self.std_error < inf):
            raise ValueError("an effect needs a finite value and a positive, finite standard error")

    @property
    def variance(self) -> float:
        return self.std_error * self.std_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Heterogeneity:
    """Cochran's Q with its p-value, and I², the share of the estimates' spread that is no sampling noise, in [0, 1)."""

    q: float
    degrees_of_freedom: int
    p_value: float
    i_squared: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """One segment against all others together: does the effect differ *here*?"""

    difference: float
    std_error: float
    p_value: float
    interval: Interval


def pooled_effect(effects: Sequence[EffectEstimate], tau_squared: float = 0.0) -> EffectEstimate | Undefined:
    """Precision-weighted mean Σwy/Σw with w = 1/(v + τ²), and its standard error (Σw)^-½.

    τ² = 0 is the fixed-effect mean (one effect for all); τ² < 0 raises `ValueError`. `Undefined("no_segments")` of
    none.
    """
    if tau_squared < 0:
        raise ValueError("a variance is negative")
    if not effects:
        return Undefined(reason="no_segments", message="There is no segment with an effect.")
    weights = [1 / (effect.variance + tau_squared) for effect in effects]
    total = fsum(weights)
    mean = fsum(w * effect.value for w, effect in zip(weights, effects, strict=True)) / total
    return EffectEstimate(value=mean, std_error=1 / sqrt(total))


def heterogeneity(effects: Sequence[EffectEstimate]) -> Heterogeneity | Undefined:
    """Test of "all segments have the same effect".

    Returns
    -------
    Heterogeneity
        Q = Σ(y - μ̂)²/v, chi-square with k - 1 degrees of freedom under the hypothesis; I² = max(0, 1 - (k - 1)/Q).

    Notes
    -----
    Cochran, "The combination of estimates from different experiments", Biometrics 10 (1954), pp. 101-129; Higgins &
    Thompson, "Quantifying heterogeneity in a meta-analysis", Statistics in Medicine 21 (2002), pp. 1539-1558. One look
    only: where results are looked at again, `log_evidence_of_difference` is the test.
    """
    if len(effects) < 2:
        return TOO_FEW
    freedom, q = len(effects) - 1, _q(effects, 0.0)
    return Heterogeneity(
        q=q,
        degrees_of_freedom=freedom,
        p_value=max(float(chdtrc(freedom, q)), SMALLEST_P),
        i_squared=max(0.0, 1 - freedom / q) if q else 0.0,
    )


def log_evidence_of_difference(values: ArrayLike, variances: ArrayLike, units: ArrayLike, rho: float) -> Floats:
    """log E of "the segments do not all have the same effect": an e-process, so it may be looked at every day.

    Parameters
    ----------
    values, variances, units : array_like, shape (..., segments)
        Each segment's effect so far, its squared standard error (> 0), and the units behind it (> 0). Segments without
        an estimate are left out; one that joins later changes nothing of what was valid before.
    rho : float
        > 0, fixed in advance, the same at every look: `difference_scale`.

    Returns
    -------
    ndarray, shape (...)
        ½·(log Σ1/v - log Σ1/v' - Σ log(v'/v) + Q(v) - Q(v')) with v' = v·(1 + units·ρ²) and Q(v) = Σ(y - μ̂)²/v about
        the mean weighted with 1/v. min(1, 1/E) is a p-value at every stopping time (Ville). 0 for a single segment.

    Notes
    -----
    The likelihood ratio of "effects μ + δᵢ, δᵢ ~ N(0, τᵢ²)" to "all effects μ", μ integrated over the flat prior in
    both. Flat is the right Haar measure of shifts: the ratio depends on the data only through what no common shift
    changes, and there it is a likelihood ratio with mean 1 whatever μ is, at every look. Pérez-Ortiz, Lardy, de Heide &
    Grünwald, "E-statistics, group invariance and anytime-valid testing", Annals of Statistics 52 (2024), pp. 1410-1432.
    τᵢ² = vᵢ·unitsᵢ·ρ²: the spread is in standard deviations of a unit's contribution in that segment, constant while
    the segment grows, as in `sequential.multiplier`. Segments may grow at any speed, as long as that does not depend on
    their effects. Asymptotic like all of these: standard errors must have settled at the first look.

    Error at any of 100 looks for α .05 in 10,000 runs, all growing alike / at speeds from √t to t²: 2 segments .020 /
    .018, 6 .031 / .030, 20 .033 / .036; of sizes 10:1 .006 / .006, .014 / .014, .018 / .020. Q at each of these looks
    errs in .34 to .41. Effects that vary by .06 of a unit's standard deviation, with 10,000 units a segment in two
    equal arms, are found in .40, .90, 1.00 (10:1: .07, .58, .97) by the last look.
    """
    y, v, n = (np.asarray(array, dtype=np.float64) for array in (values, variances, units))
    inflation = 1 + n * (rho * rho)
    weights = 1 / v
    lighter = weights / inflation
    total, total_lighter = weights.sum(axis=-1), lighter.sum(axis=-1)
    # From the first value: no common level costs digits.
    y = y - y[..., :1]
    spread = _squares(y, weights, total) - _squares(y, lighter, total_lighter)
    evidence: Floats = 0.5 * (spread + np.log(total / total_lighter) - np.log(inflation).sum(axis=-1))
    return evidence


def _squares(values: Floats, weights: Floats, total: Floats) -> Floats:
    centred = values - ((weights * values).sum(axis=-1) / total)[..., None]
    squares: Floats = (weights * centred * centred).sum(axis=-1)
    return squares


def spread_at(values: Floats, variances: Floats, target: float) -> Floats:
    """The τ² ≥ 0 at which the generalised Q is `target`; 0 where it is below that without any.

    Parameters
    ----------
    values, variances : ndarray, shape (..., segments)
    target
        ≥ 0. The number of segments less one, Q's expectation, is Paule & Mandel's estimate.

    Returns
    -------
    ndarray, shape (...)
        By Newton's method from 0: Q is convex and falls in τ², so it comes from below and never overshoots. Infinite
        for a target of 0 where effects differ at all.
    """
    tau2 = np.zeros(values.shape[:-1])
    if target <= 0:
        return np.where((values != values[..., :1]).any(axis=-1), np.inf, tau2)
    if values.ndim == 1:
        return np.asarray(_spread_of_one(values.tolist(), variances.tolist(), target))
    y = values - values[..., :1]
    for _ in range(_STEPS):
        weights = 1 / (variances + tau2[..., None])
        centred = y - ((weights * y).sum(axis=-1) / weights.sum(axis=-1))[..., None]
        terms = weights * centred * centred
        excess = terms.sum(axis=-1) - target
        if (excess <= _CLOSE * target).all():
            break
        slope = (weights * terms).sum(axis=-1)
        tau2 = tau2 + np.divide(excess, slope, out=np.zeros_like(tau2), where=excess > 0)
    return tau2


def _spread_of_one(values: list[float], variances: list[float], target: float) -> float:
    """The same in plain floats: of a few numbers ten times as fast."""
    tau2, y = 0.0, [value - values[0] for value in values]
    for _ in range(_STEPS):
        weights = [1 / (variance + tau2) for variance in variances]
        mean = sum(map(mul, weights, y)) / sum(weights)
        terms = [weight * (value - mean) ** 2 for weight, value in zip(weights, y, strict=True)]
        excess = sum(terms) - target
        if excess <= _CLOSE * target:
            break
        tau2 += excess / sum(map(mul, weights, terms))
    return tau2


@lru_cache(maxsize=256)
def difference_scale(alpha: float, rho: float, segments: int) -> float:
    """The ρ of `log_evidence_of_difference` for so many segments as the plan declares.

    Parameters
    ----------
    alpha, rho
        Of the plan: ρ = `mixture_scale(alpha, tuned_for_units)`, units of one segment.
    segments
        ≥ 2, declared: were it the number of those that have an estimate, it would depend on the data.

    Returns
    -------
    float
        With d = segments - 1 contrasts Q crosses the boundary soonest at v = c/d + log(1 + v), c = -2·log α: fewer
        standard errors are spread over more segments. ρ times √(v(d)/v(1)).
    """
    return rho * sqrt(_best_v(alpha, segments - 1) / _best_v(alpha, 1))


def _best_v(alpha: float, contrasts: int) -> float:
    """The v > 0 that makes (c + d·log(1 + v))·(1 + v)/v least, c = -2·log α."""
    wanted = -2 * log(alpha) / contrasts
    return float(brentq(lambda v: v - log1p(v) - wanted, 0.0, 10 * (wanted + sqrt(wanted) + 1)))


def tau_squared(effects: Sequence[EffectEstimate], method: TauMethod = "paule_mandel") -> float | Undefined:
    """Variance of the true effects between segments, ≥ 0, in the effect's unit squared.

    Parameters
    ----------
    method
        "dersimonian_laird": (Q - (k - 1)) / (Σw - Σw²/Σw), closed form, one step. "paule_mandel" (default): the τ² at
        which the generalised Q is k - 1, its expectation; less biased where segments differ in size.
        "maximum_likelihood": maximum of the marginal likelihood, the mean profiled out; biased low for few segments.

    Notes
    -----
    DerSimonian & Laird, "Meta-analysis in clinical trials", Controlled Clinical Trials 7 (1986), pp. 177-188; Paule &
    Mandel, J. Res. Natl. Bureau of Standards 87 (1982), pp. 377-385. All three are 0 in about half of all cases
    without true differences, which does not prove that there are none.
    """
    if len(effects) < 2:
        return TOO_FEW
    if method == "dersimonian_laird":
        weights = [1 / effect.variance for effect in effects]
        total = fsum(weights)
        spread = total - fsum(w * w for w in weights) / total
        return max(0.0, (_q(effects, 0.0) - (len(effects) - 1)) / spread)
    return _paule_mandel(effects) if method == "paule_mandel" else _marginal_maximum(effects)


def contrasts(effects: Sequence[EffectEstimate], alpha: float = 0.05) -> list[Contrast | Undefined]:
    """Each segment's effect minus the precision-weighted effect of all the others: the interaction, one row a segment.

    Returns
    -------
    list
        yᵢ - μ̂₋ᵢ, its variance vᵢ + Var(μ̂₋ᵢ), z-test and interval at 1 - alpha. Not corrected for the number of
        segments: `holm` of the p-values is. `Undefined("too_few_segments")` where there is no other segment.

    Notes
    -----
    "Significant here, not there" is no difference between here and there (Gelman & Stern, The American Statistician 60
    (2006), pp. 328-331): this is the test of that difference.
    """
    return [_contrast(effect, [*effects[:i], *effects[i + 1 :]], alpha) for i, effect in enumerate(effects)]


def _contrast(effect: EffectEstimate, others: Sequence[EffectEstimate], alpha: float) -> Contrast | Undefined:
    rest = pooled_effect(others)
    if isinstance(rest, Undefined):
        return TOO_FEW
    difference, error = effect.value - rest.value, sqrt(effect.variance + rest.variance)
    half_width = critical_value(alpha) * error
    return Contrast(
        difference=difference,
        std_error=error,
        p_value=two_sided_p(difference / error, inf),
        interval=Interval(low=difference - half_width, high=difference + half_width, level=1 - alpha, method="Wald"),
    )


def _q(effects: Sequence[EffectEstimate], tau2: float) -> float:
    """Generalised Q: Σ(y - μ̂)²/(v + τ²) about the mean with the same weights; falls as τ² grows."""
    weights = [1 / (effect.variance + tau2) for effect in effects]
    mean = fsum(w * effect.value for w, effect in zip(weights, effects, strict=True)) / fsum(weights)
    return fsum(w * (effect.value - mean) ** 2 for w, effect in zip(weights, effects, strict=True))


def _largest(effects: Sequence[EffectEstimate]) -> float:
    """A τ² above every estimate: at the range squared, Q is below (k - 1)."""
    values = [effect.value for effect in effects]
    return (max(values) - min(values)) ** 2


def _paule_mandel(effects: Sequence[EffectEstimate]) -> float:
    freedom = len(effects) - 1
    if _q(effects, 0.0) <= freedom:
        return 0.0
    return float(brentq(lambda tau2: _q(effects, tau2) - freedom, 0.0, _largest(effects), rtol=1e-12))


def _marginal_maximum(effects: Sequence[EffectEstimate]) -> float:
    def loss(tau: float) -> float:
        tau2 = tau * tau
        return 0.5 * (fsum(log(effect.variance + tau2) for effect in effects) + _q(effects, tau2))

    # In τ, over panels: with very unequal segments the likelihood can have two tops.
    ends = [sqrt(_largest(effects)) * i / 8 for i in range(9)]
    best = min(
        (minimize_scalar(loss, bounds=pair, method="bounded") for pair in pairwise(ends)),
        key=lambda found: float(found.fun),
    )
    return 0.0 if loss(0.0) <= best.fun else float(best.x) ** 2
