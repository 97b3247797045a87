"""Looking at any time: asymptotic confidence sequences.

Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences",
Annals of Statistics 52 (2024), arXiv 2103.06476.
"""

from __future__ import annotations

from math import exp, inf, log, log1p, sqrt

from analysis.estimate import SMALLEST_P


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


def multiplier(units: int, alpha: float, rho: float) -> float:
    """How many standard errors wide, to each side, at `units` units so far: always more than the quantile of z.

    Parameters
    ----------
    units : int
        ≥ 1: all units behind the estimate, both arms together.
    alpha : float
        In (0, 1): probability that the true value is *ever* outside, over all looks.
    rho : float
        From `mixture_scale`, the same at every look.

    Notes
    -----
    √((v + 1)/v · log((v + 1)/α²)) with v = units·ρ²: eq. 9 of the paper, in standard errors. Asymptotic: the standard
    error must have settled at the first look, which the plan's minimum of units and conversions is for. The estimate
    must be a mean of one contribution per unit (a difference of means is, in its influence function).

    Assumes that the variance of these contributions does not change for good: v grows with the units, where the theorem
    lets it grow with their summed variance. A ramp or a promotion is within what that tolerates: 50/50 then 5/95,
    back and forth, or ten steps from 1 to 50 %, err in .012 to .032 of A/A tests at any look, and a variance that falls
    costs width only (.010). One that grows again and again does not: with a standard deviation of 1, 3, 9 over three
    epochs the error is .039, with 1, 5, 25, 125 it is .060, with fourfold growth in each of ten epochs .163. A clock
    that counts variance in place of units holds .025 there. Metrics whose spread multiplies in time (a price level, a
    summed value that is never cut off by a window) are better given a window or a cap.
    """
    v = units * rho * rho
    return sqrt((v + 1) / v * (log1p(v) - 2 * log(alpha)))


def always_valid_p(z: float, units: int, rho: float) -> float:
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
    squared = z * z
    if squared == inf:
        return SMALLEST_P
    return max(min(1.0, exp(0.5 * (log1p(v) - squared * v / (1 + v)))), SMALLEST_P)
