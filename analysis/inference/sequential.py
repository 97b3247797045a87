"""Looking at any time: asymptotic confidence sequences.

Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences",
Annals of Statistics 52 (2024), arXiv 2103.06476.
"""

from __future__ import annotations

from math import log, log1p, sqrt
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from analysis.estimate import SMALLEST_P

# One number, or one for each of many comparisons.
N = TypeVar("N", float, NDArray[np.float64])


def mixture_scale(alpha: float, tuned_for_units: int) -> float:
    """The ρ at which the sequence is narrowest after `tuned_for_units` units.

    Parameters
    ----------
    alpha : float
        In (0, 1).
    tuned_for_units : int
        ≥ 1. Chosen before the data: a ρ picked from them is peeking again.

    Notes
    -----
    ρ = √((-2·log α + log(1 - 2·log α)) / t), next to the minimiser of eq. 9 at t. For α = .05 and 5,000 units .0398401.
    """
    evidence = -2 * log(alpha)
    return sqrt((evidence + log1p(evidence)) / tuned_for_units)


def multiplier(units: N, alpha: N | float, rho: N | float) -> N:
    """How many standard errors wide, to each side, at `units` units so far: always more than the quantile of z.

    Parameters
    ----------
    units : float
        ≥ 1: the clock. All units behind the estimate, both arms together, as long as their variance stays what it is;
        else the variance of their sum over that of one unit in the first epoch (see `analysis.tested`).
    alpha : float
        In (0, 1): probability that the true value is *ever* outside, over all looks.
    rho : float
        From `mixture_scale`, the same at every look.

    Notes
    -----
    √((v + 1)/v · log((v + 1)/α²)) with v = units·ρ²: eq. 9 of the paper, in standard errors. Asymptotic: the standard
    error must have settled at the first look, which the plan's minimum of units and conversions is for. The estimate
    must be a mean of one contribution per unit (a difference of means is, in its influence function).

    Assumes that the clock is that of the summed variance. Counting units instead, where the variance per unit grows
    again and again, errs: with a standard deviation of 1, 5, 25, 125 over four epochs the any-look error of A/A tests
    is .057, with fourfold growth in each of ten epochs .10; on the summed variance it is .025.
    """
    v = units * rho * rho
    if isinstance(v, float) and isinstance(alpha, float) and v > 0:
        # Of one number numpy's functions take ten times as long.
        return sqrt((v + 1) / v * (log1p(v) - 2 * log(alpha)))
    width: N = np.sqrt((v + 1) / v * (np.log1p(v) - 2 * np.log(alpha)))
    return width


def always_valid_p(z: N, units: N | float, rho: N | float) -> N:
    """The α at which the sequence of `multiplier` would just leave out the hypothetical value.

    Parameters
    ----------
    z : float
        (estimate - hypothesis) / standard error.

    Returns
    -------
    float
        min(1, 1/E) with E = exp(½·z²·v/(1 + v)) / √(1 + v), the normal-mixture e-value: its reciprocal is a p-value at
        every stopping time (Ville), and Benjamini–Hochberg on it is e-BH, valid under any dependence.
        Johari, Koomen, Pekelis & Walsh, "Always valid inference", Operations Research 70 (2022), pp. 1806-1821.
    """
    v = units * rho * rho
    with np.errstate(over="ignore"):
        p: N = np.maximum(np.minimum(1.0, np.exp(0.5 * (np.log1p(v) - z * z * v / (1 + v)))), SMALLEST_P)
    return p
