"""Several treatments against one control, corrected for how much their comparisons share: Dunnett's test.

All comparisons use the same control, so their statistics are correlated with corr(i, j) = λᵢ·λⱼ, λᵢ² being the
control's part in the variance of comparison i: Bonferroni pays for more than there is to pay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isinf, log, sqrt
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr, stdtrit

from analysis.effects.arms import ArmPair, ArmValue
from analysis.effects.means import too_few_units
from analysis.estimate import SMALLEST_P, Interval, Undefined
from analysis.moments import Moments

Alternative = Literal["two_sided", "greater", "less"]
Floats: TypeAlias = NDArray[np.float64]

# Beyond it a normal tail is no float. A larger loading is taken as this one: see `dunnett_p`.
_FARTHEST, _LARGEST_LOADING = 39.0, 0.9999

NO_SPREAD = Undefined(reason="zero_variance", message="Neither arm varies: there is nothing to test.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyToOne:
    """One treatment against the control: `p_value` and `interval` hold for all treatments of the call together."""

    difference: float
    std_error: float
    p_value: float
    interval: Interval


def pooled(arms: Sequence[Moments]) -> tuple[list[ArmValue | Undefined], float]:
    """Arms with one common variance, and its degrees of freedom Σ(n - 1): the classical setting of Dunnett's tables.

    Parameters
    ----------
    arms
        Moments of one number per unit, the control among them. Arms without units are undefined.

    Notes
    -----
    Assumes the same variance in every arm. Where it may differ (a treatment that changes spend changes its spread) use
    `mean_value` per arm and infinite, or the smallest Welch, degrees of freedom instead.
    """
    freedom = sum(moments.n - 1 for moments in arms if moments.n)
    if freedom < 1:
        return [too_few_units(moments.n) for moments in arms], inf
    variance = sum(moments.variance * (moments.n - 1) for moments in arms if moments.n > 1) / freedom
    return [
        ArmValue(value=moments.mean, variance=variance / moments.n, degrees_of_freedom=float(freedom))
        if moments.n
        else too_few_units(0)
        for moments in arms
    ], float(freedom)


def many_to_one(
    control: ArmValue,
    treatments: Sequence[ArmValue | Undefined],
    *,
    alpha: float,
    degrees_of_freedom: float = inf,
    alternative: Alternative = "two_sided",
) -> list[ManyToOne | Undefined]:
    """Every treatment against the control, family-wise error `alpha`.

    Parameters
    ----------
    control, treatments
        Independent, near-normal values with squared standard errors: pooled ones, or each arm's own. Only variances
        enter the correlations, λᵢ² = v₀/(v₀ + vᵢ): n₀ and nᵢ of any size.
    degrees_of_freedom : float
        Of a variance common to all arms; infinite (default) where each has its own and arms hold hundreds of units.
    alternative
        "greater": treatments above the control. The interval is then (low, ∞).

    Returns
    -------
    list
        In the order given. A treatment without a value, or without any spread, is `Undefined` and still counts as a
        member of the family (as if independent of the rest, which can only widen the others).

    Notes
    -----
    Dunnett, "A multiple comparison procedure for comparing several treatments with a control", JASA 50 (1955), pp.
    1096-1121; unequal arms: Dunnett, "New tables for multiple comparisons with a control", Biometrics 20 (1964), pp.
    482-491. One look, planned in advance: it is no rule for looking again.
    """
    pairs = [one if isinstance(one, Undefined) else ArmPair(treatment=one, baseline=control) for one in treatments]
    loadings = [_loading(pair) for pair in pairs]
    if not pairs:
        return []
    critical = dunnett_critical(loadings, alpha, degrees_of_freedom=degrees_of_freedom, alternative=alternative)

    def p_value(statistic: float) -> float:
        return dunnett_p(statistic, loadings, degrees_of_freedom=degrees_of_freedom, alternative=alternative)

    return [_compare(pair, critical, alpha, alternative, p_value) for pair in pairs]


def dunnett_p(
    statistic: float,
    loadings: Sequence[float],
    *,
    degrees_of_freedom: float = inf,
    alternative: Alternative = "two_sided",
) -> float:
    """Probability that the most extreme of the statistics lies at or beyond `statistic` when no treatment differs.

    Parameters
    ----------
    loadings
        λᵢ in [0, 1], one per comparison: √(nᵢ/(nᵢ + n₀)) with a common variance. All 0: independent (Šidák).

    Returns
    -------
    float
        ∫ [1 - Πᵢ(1 - tailᵢ(u))] φ(u) du with tailᵢ the chance that λᵢu + √(1 - λᵢ²)·Z is beyond the statistic, averaged
        over the chi distribution of the common standard deviation where the degrees of freedom are finite. Never 0.

    Notes
    -----
    Integrands are analytic and decay like normal densities, where the trapezoidal rule converges geometrically: eight
    digits and more, also far in the tail, since no probability is subtracted from 1. Loadings above .9999 are taken as
    .9999, which errs to the safe side (Slepian's inequality).
    """
    _check(loadings, degrees_of_freedom)
    point = {"two_sided": abs(statistic), "greater": statistic, "less": -statistic}[alternative]
    counts = Counter(min(loading, _LARGEST_LOADING) for loading in loadings)
    if isinf(degrees_of_freedom):
        p = float(_beyond(np.array([point]), counts, two_sided=alternative == "two_sided")[0])
    else:
        scale, weight = _chi(point, degrees_of_freedom)
        p = float(_beyond(point * scale, counts, two_sided=alternative == "two_sided") @ weight)
    return min(max(p, SMALLEST_P), 1.0)


def dunnett_critical(
    loadings: Sequence[float],
    alpha: float,
    *,
    degrees_of_freedom: float = inf,
    alternative: Alternative = "two_sided",
) -> float:
    """c with `dunnett_p(c) = alpha`, positive for every alternative; alpha in (0, .5).

    Between the quantile for one comparison and Bonferroni's. Two-sided 5 %, equal arms, three treatments: 2.34897.
    """
    _check(loadings, degrees_of_freedom)
    if not loadings or not 0 < alpha < 0.5:
        raise ValueError("needs a comparison, and an alpha in (0, 0.5)")
    tail = alpha / 2 if alternative == "two_sided" else alpha
    narrow, wide = (-float(stdtrit(degrees_of_freedom, tail / k)) for k in (1, len(loadings)))
    if len(loadings) == 1:
        return narrow

    def excess(critical: float) -> float:
        sided: Alternative = "two_sided" if alternative == "two_sided" else "greater"
        return log(dunnett_p(critical, loadings, degrees_of_freedom=degrees_of_freedom, alternative=sided) / alpha)

    return float(brentq(excess, narrow * (1 - 1e-6), wide * (1 + 1e-6), xtol=1e-11))


def _check(loadings: Sequence[float], degrees_of_freedom: float) -> None:
    if not all(0 <= loading <= 1 for loading in loadings):
        raise ValueError("a loading is outside [0, 1]")
    if not degrees_of_freedom >= 1:
        raise ValueError("fewer than one degree of freedom")


def _loading(pair: ArmPair | Undefined) -> float:
    if isinstance(pair, Undefined) or pair.variance <= 0:
        return 0.0
    return sqrt(pair.baseline.variance / pair.variance)


def _compare(
    pair: ArmPair | Undefined,
    critical: float,
    alpha: float,
    alternative: Alternative,
    p_value: Callable[[float], float],
) -> ManyToOne | Undefined:
    if isinstance(pair, Undefined):
        return pair
    if pair.variance <= 0:
        return NO_SPREAD
    error, difference = sqrt(pair.variance), pair.difference
    return ManyToOne(
        difference=difference,
        std_error=error,
        p_value=p_value(difference / error),
        interval=Interval(
            low=-inf if alternative == "less" else difference - critical * error,
            high=inf if alternative == "greater" else difference + critical * error,
            level=1 - alpha,
            method="Dunnett",
        ),
    )


def _beyond(points: Floats, counts: Counter[float], *, two_sided: bool) -> Floats:
    """P(max > point) for each point, known variance: the trapezoidal rule over the control's deviation u."""
    points = np.clip(points, -_FARTHEST, _FARTHEST)
    narrowest = min(sqrt(1 - loading * loading) for loading in counts)
    step = min(0.25, narrowest / 2)
    reach = float(np.abs(points).max()) + 9
    u = np.arange(-reach, reach + step, step)
    below = np.zeros((len(points), len(u)))
    for loading, count in counts.items():
        spread = sqrt(1 - loading * loading)
        shift = loading * u[None, :]
        if two_sided:
            outside = ndtr((shift - points[:, None]) / spread) + ndtr((-shift - points[:, None]) / spread)
            with np.errstate(divide="ignore"):
                below += count * np.log1p(-np.minimum(outside, 1.0))
        else:
            below += count * log_ndtr((points[:, None] - shift) / spread)
    density = np.exp(-0.5 * u * u) * (step / sqrt(2 * np.pi))
    beyond: Floats = -np.expm1(below) @ density
    return beyond


def _chi(point: float, freedom: float) -> tuple[Floats, Floats]:
    """Nodes and weights for s, s² = χ²/freedom, spaced in log s, where its density is s^f·exp(-f·s²/2)."""
    width = 1 / sqrt(2 * freedom)
    low = -0.5 * np.log1p(point * point / freedom) - max(12 * width, 40 / freedom)
    x = np.arange(low, min(3.0, 12 * width), min(0.1, 0.4 * width))
    weight = np.exp(freedom * (x - 0.5 * np.expm1(2 * x)))
    return np.exp(x), weight / weight.sum()
