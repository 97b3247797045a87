"""Less noise from what was known before: CUPED, which is analysis of covariance, from cross-product moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.effects.arms import ArmValue
from analysis.effects.means import too_few_units
from analysis.effects.ratios import ratio_of_sums
from analysis.estimate import Undefined
from analysis.moments import CrossMoments, Moments

Floats: TypeAlias = NDArray[np.float64]

# Directions of the covariates with less than this share of the largest (as correlations) are rounding noise.
_RANK_TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """Arms after adjustment, in the order given.

    Parameters
    ----------
    arms
        Each can be compared to each other one (`ArmPair`, Welch, Fieller) as unadjusted ones can.
    theta
        One slope per covariate, common to all arms.
    variance_kept : float
        Share of the within-arm variance that is left, 1 - R²; 1 - ρ² for one covariate.
    """

    arms: tuple[ArmValue | Undefined, ...]
    theta: tuple[float, ...]
    variance_kept: float | Undefined


def cross_moments(values: Floats) -> CrossMoments:
    """Moments of a table of finite numbers: one row per unit, one column per variable. No rows: n = 0."""
    if not len(values):
        zeros = (0.0,) * values.shape[1]
        return CrossMoments(n=0, mean=zeros, centred=(zeros,) * values.shape[1])
    shift = values[0]
    mean = shift + (values - shift).mean(axis=0)
    delta = values - mean
    centred = (delta.T @ delta).tolist()
    return CrossMoments(n=len(values), mean=tuple(mean.tolist()), centred=tuple(map(tuple, centred)))


def with_missing(covariates: Floats, fill: float = 0.0) -> Floats:
    """Covariates with a pre-period missing (NaN) for some units, made complete: nobody is left out.

    Parameters
    ----------
    covariates
        One row per unit.
    fill
        Stands for what is missing; the same for all arms and groups that are merged. The adjustment does not depend on
        it, but choose one near the values where these are large against their spread.

    Returns
    -------
    array
        Twice the columns: the filled ones, then 1.0 where it was missing. Whether a unit has a pre-period is known
        before exposure, so the indicator is a covariate as good as any; columns that are constant do nothing.
    """
    missing = np.isnan(covariates)
    return np.hstack([np.where(missing, fill, covariates), missing.astype(np.float64)])


def linearise(moments: CrossMoments) -> CrossMoments | Undefined:
    """A ratio as one number per unit: (numerator, denominator, covariates…) to (linear part, covariates…).

    The linear part is R + (x - R·y)/ȳ with R = Σx/Σy of the group, the delta method's: its mean is R, its variance
    over n that of `ratio_value`. Apply per arm, after merging, then `adjust`. `Undefined("zero_denominator")` as
    there.

    Deng, Knoblich & Lu (KDD 2018), section 3.1; with covariates: Jin & Ba, "Toward optimal variance reduction in online
    controlled experiments", Technometrics 65 (2023), pp. 231-242.
    """
    if not moments.n:
        return moments_without(moments)
    ratio = ratio_of_sums(Moments(n=moments.n, mean=moments.mean[0], denominator_mean=moments.mean[1]))
    if isinstance(ratio, Undefined):
        return ratio
    size = len(moments.mean) - 1
    transform = np.zeros((size, size + 1))
    transform[0, :2] = 1 / moments.mean[1], -ratio / moments.mean[1]
    transform[1:, 2:] = np.eye(size - 1)
    centred = transform @ np.array(moments.centred) @ transform.T
    return CrossMoments(n=moments.n, mean=(ratio, *moments.mean[2:]), centred=tuple(map(tuple, centred.tolist())))


def moments_without(moments: CrossMoments) -> CrossMoments:
    """Nobody, with one variable fewer."""
    zeros = (0.0,) * (len(moments.mean) - 1)
    return CrossMoments(n=0, mean=zeros, centred=(zeros,) * len(zeros))


def adjust(arms: Sequence[CrossMoments]) -> Adjusted:
    """Arm means adjusted for covariates: CUPED with one θ, the slope within arms.

    Parameters
    ----------
    arms
        At least one, of one stratum (one split), with the same variables. Covariates must not be touched by the
        treatment: measured before exposure.

    Returns
    -------
    Adjusted
        Arm: ȳ - θ'(c̄ - c̄ₐₗₗ), its squared standard error Σ(y - ȳ - θ'(c - c̄))²/((n - 1)·n) times (N - g)/(N - g -
        r) for the r slopes estimated from N units in g arms. Common to all arms, and so in lifts alone, is the error of
        c̄ₐₗₗ as the covariates' mean of the population, θ'Sθ/N. θ = S_cc⁻¹S_cy, S the cross products within arms, summed
        over them; of collinear covariates the shortest solution. Arms with fewer than two units are `Undefined`.

    Notes
    -----
    The difference of two arms is the treatment's coefficient in the least-squares regression on an intercept, the
    treatment and the covariates (an identity), with variances of their own per arm. Deng, Xu, Kohavi & Walker,
    "Improving the sensitivity of online controlled experiments by utilizing pre-experiment data", WSDM 2013; Lin,
    Annals of Applied Statistics 7 (2013), pp. 295-318, for why it is safe whether or not the regression is true: the
    bias is of order 1/n. With
    fewer than some ten units per covariate and arm the slopes' own error is not negligible.
    """
    if not arms or len({len(arm.mean) for arm in arms}) != 1:
        raise ValueError("no arms, or arms of different variables")
    within = sum((np.array(arm.centred) for arm in arms if arm.n), np.zeros((len(arms[0].mean),) * 2))
    theta, rank = _slopes(within)
    units, groups = sum(arm.n for arm in arms), sum(1 for arm in arms if arm.n)
    centre = sum((arm.n * np.array(arm.mean[1:]) for arm in arms), np.zeros(len(theta))) / max(units, 1)
    freedom = units - groups - rank
    scale = (units - groups) / freedom if freedom > 0 else None
    common = float(theta @ within[1:, 1:] @ theta) / (units - groups) / units if units > groups else 0.0
    kept = _residual(within, theta) / within[0, 0] if within[0, 0] > 0 else None
    flat = Undefined(reason="zero_variance", message="The outcome does not vary: there is no noise to remove.")
    return Adjusted(
        arms=tuple(_adjusted(arm, theta, centre, scale, common) for arm in arms),
        theta=tuple(theta.tolist()),
        variance_kept=flat if kept is None else kept,
    )


def pooled_std_error(treatment: CrossMoments, baseline: CrossMoments) -> float | Undefined:
    """Standard error of the adjusted difference under one common residual variance: textbook analysis of covariance.

    √(σ²·(1/n₁ + 1/n₀ + d'S_cc⁻¹d)), d the difference of the covariates' means: for small groups, and to check `adjust`
    against any regression program. Assumes equal residual variances and a linear regression.
    """
    within = np.array(treatment.centred) + np.array(baseline.centred)
    theta, rank = _slopes(within)
    freedom = treatment.n + baseline.n - 2 - rank
    if freedom < 1 or not treatment.n or not baseline.n:
        return too_few_units(min(treatment.n, baseline.n, 1))
    apart = np.array(treatment.mean[1:]) - np.array(baseline.mean[1:])
    leverage = float(apart @ np.linalg.pinv(within[1:, 1:], rcond=_RANK_TOLERANCE, hermitian=True) @ apart)
    return sqrt(_residual(within, theta) / freedom * (1 / treatment.n + 1 / baseline.n + leverage))


def _slopes(within: Floats) -> tuple[Floats, int]:
    """θ and its rank, solved on the scale of correlations, where 1e8 euros and 0.01 visits weigh the same."""
    size = np.sqrt(np.diag(within)[1:])
    unit = np.where(size > 0, 1 / np.where(size > 0, size, 1.0), 0.0)
    correlation = within[1:, 1:] * np.outer(unit, unit)
    solution, _, rank, _ = np.linalg.lstsq(correlation, within[1:, 0] * unit, rcond=_RANK_TOLERANCE)
    theta: Floats = solution * unit
    return theta, int(rank)


def _residual(centred: Floats, theta: Floats) -> float:
    """Σ(y - θ'c)², centred; exactly 0 where only rounding is left of it."""
    contrast = np.concatenate([[1.0], -theta])
    residual = float(contrast @ centred @ contrast)
    return residual if residual > 1e-13 * float(centred[0, 0]) else 0.0


def _adjusted(
    arm: CrossMoments, theta: Floats, centre: Floats, scale: float | None, common: float
) -> ArmValue | Undefined:
    if arm.n < 2:
        return too_few_units(arm.n)
    if scale is None:
        return Undefined(reason="too_few_units", message="Fewer customers than covariates: no slope can be estimated.")
    residual = _residual(np.array(arm.centred), theta)
    return ArmValue(
        value=arm.mean[0] - float(theta @ (np.array(arm.mean[1:]) - centre)),
        variance=scale * residual / (arm.n - 1) / arm.n,
        degrees_of_freedom=float(arm.n - 1),
        common_variance=common,
    )
