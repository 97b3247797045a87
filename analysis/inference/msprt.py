"""Looking at any time, in its other forms: the mixture SPRT, one-sided confidence sequences, the normal-mixture bound.

All are one family: the likelihood ratio of z, averaged over a normal distribution of effects (two-sided) or over its
positive half (one-sided). In standard errors its variance is v: `units`·ρ² in `sequential`, n·τ²/V here.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, isfinite, log, log1p, sqrt

from scipy.optimize import brentq
from scipy.special import log_ndtr

from analysis.estimate import SMALLEST_P, Undefined
from analysis.inference import sequential

_NO_SCALE = Undefined(reason="zero_variance", message="Nobody differs from anybody: no scale to test on.")


def log_mixture_ratio(
    difference: float, variance: float, units_per_arm: float, tau_squared: float
) -> float | Undefined:
    """log Λ of the mixture sequential probability ratio test of "the difference is 0".

    Parameters
    ----------
    difference : float
        Treatment mean minus control mean, less the hypothetical difference if that is not 0.
    variance : float
        V, the variances of one unit of either arm added; ≥ 0.
    units_per_arm : float
        n ≥ 0; difference has the variance V/n. Unequal arms: any n and V with V/n = σ₁²/n₁ + σ₀²/n₀.
    tau_squared : float
        τ² > 0, variance of the effects mixed over, chosen before the data: the square of a typical effect.

    Returns
    -------
    float
        ½·log(V/(V + nτ²)) + n²τ²·difference²/(2V(V + nτ²)). Λ is an e-value at every n. 0 at n = 0.
        `Undefined("zero_variance")` for V = 0.

    Raises
    ------
    ValueError
        A negative or infinite variance or number of units, τ² not positive, a difference that is no number.

    Notes
    -----
    Exact for normal units with known V; for others once means are near normal, hence the minimum of units.
    Johari, Koomen, Pekelis & Walsh, "Always valid inference", Operations Research 70 (2022), pp. 1806-1821.
    """
    if not (0 <= variance < inf and 0 <= units_per_arm < inf and 0 < tau_squared < inf and isfinite(difference)):
        raise ValueError("no mixture ratio: variance and units must be ≥ 0, τ² positive, and all of them finite")
    if variance == 0:
        return _NO_SCALE
    v = units_per_arm * tau_squared / variance
    z = difference * sqrt(units_per_arm / variance)
    return 0.5 * (z * z * v / (1 + v) - log1p(v))


def running_p_value(log_ratios: Sequence[float]) -> float:
    """min(1, 1/Λ) with the largest Λ of the looks so far: it never rises again. 1 before the first look."""
    return max(exp(-max([0.0, *log_ratios])), SMALLEST_P)


def rho_of(tau_squared: float, variance: float) -> float:
    """The ρ with which `sequential` is this mSPRT at two equal arms: n·τ²/V = 2n·ρ², for units of both arms together.

    Parameters
    ----------
    tau_squared, variance
        As in `log_mixture_ratio`, both positive.
    """
    return sqrt(tau_squared / (2 * variance))


def normal_mixture_bound(v: float, alpha: float, v_opt: float) -> float:
    """What the absolute value of a sum with variance v ever exceeds with probability at most alpha, over all v.

    Parameters
    ----------
    v : float
        > 0: variance of the sum so far (its intrinsic time).
    alpha : float
        In (0, 1).
    v_opt : float
        > 0: where the bound is tightest, chosen before the data.

    Returns
    -------
    float
        √((v + r)·log((v + r)/(r·α²))), r = v_opt/(-2·log α + log(1 - 2·log α)): `sequential.multiplier` times √v.

    Raises
    ------
    ValueError
        v or v_opt not positive, alpha not in (0, 1).

    Notes
    -----
    For sums of sub-Gaussian increments exact at every v. Howard, Ramdas, McAuliffe & Sekhon, "Time-uniform,
    nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49 (2021), pp. 1055-1080, the
    two-sided normal mixture.
    """
    _check(alpha, v, v_opt)
    rho = sequential.mixture_scale(alpha, 1) / sqrt(v_opt)
    return sqrt(v) * sequential.multiplier(1, alpha, rho * sqrt(v))


def one_sided_scale(alpha: float, tuned_for_units: int) -> float:
    """The ρ at which a one-sided sequence is narrowest after so many units, next to it: that of 2·alpha two-sided.

    Parameters
    ----------
    alpha : float
        In (0, ½).
    tuned_for_units : int
        ≥ 1, chosen before the data.

    Raises
    ------
    ValueError
        Outside these.
    """
    _check(2 * alpha, tuned_for_units)
    return sequential.mixture_scale(2 * alpha, tuned_for_units)


def one_sided_multiplier(units: float, alpha: float, rho: float) -> float:
    """How many standard errors below the estimate the one-sided asymptotic confidence sequence ends.

    Parameters
    ----------
    units : float
        ≥ 1: all units behind the estimate.
    alpha : float
        In (0, 1): probability that the true value is *ever* below the bound.
    rho : float
        From `one_sided_scale`, the same at every look.

    Returns
    -------
    float
        a·√((v + 1)/v) with v = units·ρ² and a²/2 + log Φ(a) = log(√(v + 1)/(2α)).

    Raises
    ------
    ValueError
        Outside these.

    Notes
    -----
    The half-normal mixture of likelihood ratios, 2·exp(a²/2)·Φ(a)/√(v + 1), set to 1/α. Solved exactly it is a little
    narrower than the closed form √(2·log(1 + √(v + 1)/(2α))·(v + 1)/v) of Waudby-Smith et al. (arXiv 2103.06476). Valid
    under every true value below the hypothetical one too. Asymptotic as `sequential.multiplier` is.
    """
    _check(alpha, units, rho)
    v = units * rho * rho
    target = 0.5 * log1p(v) - log(2 * alpha)
    highest = sqrt(2 * (target + log(2)))
    a = float(brentq(lambda x: 0.5 * x * x + float(log_ndtr(x)) - target, 0.0, highest + 1e-9, xtol=1e-13))
    return a * sqrt((v + 1) / v)


def one_sided_p(z: float, units: float, rho: float) -> float:
    """The α at which the one-sided sequence would just leave out the hypothetical value: min(1, 1/E), at every look.

    Parameters
    ----------
    z : float
        (estimate - hypothesis) / standard error; evidence is only what is above 0.
    units, rho
        As in `one_sided_multiplier`, both positive: ValueError otherwise.
    """
    _check(0.5, units, rho)
    if z <= 0:
        return 1.0
    if z == inf:
        return SMALLEST_P
    v = units * rho * rho
    a = z * sqrt(v / (1 + v))
    log_evidence = log(2) - 0.5 * log1p(v) + 0.5 * a * a + float(log_ndtr(a))
    return max(exp(-max(log_evidence, 0.0)), SMALLEST_P)


def _check(alpha: float, *positive: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"an error rate must be between 0 and 1: {alpha}")
    if not all(0 < value < inf for value in positive):
        raise ValueError(f"must be positive and finite: {positive}")
