"""What a segment's effect probably is, given what the others showed: normal–normal shrinkage and James–Stein."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, inf, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtr

from analysis.effects.means import critical_value
from analysis.estimate import Interval, Undefined
from analysis.inference.heterogeneity import TOO_FEW, EffectEstimate, pooled_effect, spread_at

Floats: TypeAlias = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)

# Of Cochran's Q: as long as it is not below this, all segments are shown the common effect.
SHOWN_APART_BELOW = 0.1

# τ in standard errors, and the weights of the prior at them: see `show`.
_COARSE_NODES, _COARSE_WEIGHTS = np.polynomial.legendre.leggauss(24)
_REACH = (1 + _COARSE_NODES) / (1 - _COARSE_NODES)
_SQUARED_REACH = (_REACH * _REACH)[:, None]
_PRIOR = _COARSE_WEIGHTS / (1 - _COARSE_NODES) ** 2 * _REACH / (1 + (_REACH / 4) ** 4) ** 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """Posterior of one segment's true effect; `kept` is the share of its distance from the common mean that stayed."""

    value: float
    std_error: float
    interval: Interval
    kept: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mixture:
    """Normal posteriors of every segment (columns) at every τ of a grid (rows), and the weight of each τ."""

    means: Floats
    spreads: Floats
    kept: Floats
    weight: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What to show of every segment: `values`, and `std_errors` about them, arrays of shape (..., segments)."""

    values: Floats
    std_errors: Floats


def show(values: Floats, variances: Floats) -> Shown:
    """The estimates to show of segments side by side, so that the best of them is not too good to be true.

    Parameters
    ----------
    values, variances : ndarray, shape (..., segments)
        Independent estimates yᵢ ~ N(θᵢ, vᵢ), two segments at least, all vᵢ > 0.

    Returns
    -------
    Shown
        While Cochran's Q has p ≥ .1 the common effect for all; from there on μ̂ + τ²/(τ² + vᵢ)·(yᵢ - μ̂) with the τ² at
        which the generalised Q is k - 2.5 (for equal errors James & Stein's 1 - (k - 2.5)/Q). `std_errors` are
        root-mean-square errors about that: posterior variance plus the squared distance to the posterior mean, τ²
        integrated. Its prior is flat in τ² (Morris, "Parametric empirical Bayes inference", JASA 78 (1983), pp. 47-55),
        tapered off (as τ^-2 in τ) beyond four standard errors (those of the harmonic mean of the variances), so that it
        is proper for two segments too.

    Notes
    -----
    Why not the posterior mean, as in `shrink`: where segments hardly differ, it believes in some spread all the same,
    and the best of 20 keeps a fifth of its winner's curse. If the true effects are normal, the curse is exactly gone
    with 1 - (k - 2)/Q, also below 0; no estimate between the common effect and the raw one can do that at every τ.
    Among those that only look at Q, a linear program puts the least largest share that stays at .049 for 20 segments,
    .069 for 10, .092 for 6, .12 for 4; this rule has .06, .08, .11, .15.

    Bias of the shown best one in shares of its raw bias, and root-mean-square error of all in shares of the raw one's,
    10,000 runs, errors equal / from ½ to 2:

    ====  ===========  ===========  ===========  ==========  ===========  ===========
    τ     20: bias     error        6: bias      error       3: bias      error
    ====  ===========  ===========  ===========  ==========  ===========  ===========
    0      .05 /  .03   .28 / .22    .12 /  .10   .52 / .40   .18 /  .19   .72 / .60
    0.25   .02 /  .02   .38 / .31    .08 /  .09   .57 / .46   .15 /  .17   .75 / .63
    0.5   -.05 /  .00   .56 / .46    .01 /  .06   .69 / .57   .08 /  .14   .83 / .71
    1     -.04 /  .02   .78 / .65   -.12 /  .04   .89 / .76  -.04 /  .09   .97 / .87
    2      .01 /  .03   .91 / .84    .00 /  .09   .98 / .90  -.06 /  .09  1.05 / 1.01
    ====  ===========  ===========  ===========  ==========  ===========  ===========

    Two segments: bias from .26 at τ = 0 to -.23 at 2, error from .85 to 1.07.

    value ± 1.96·std_error covers the best one's true effect in .948 or more of the runs (20, 6, 3 and 2 segments, all
    five τ). Effects with long tails (Student's t, three degrees of freedom) make that .91; one segment alone that
    differs from 19 others by two to nine errors is pulled too far, and covered in half of the runs. An interval that
    has to hold whatever the effects are is `selection.hybrid_interval`.
    """
    k = values.shape[-1]
    common, _, q = _fixed(values, variances)
    apart = chdtrc(k - 1, q) < SHOWN_APART_BELOW
    shown = np.full(values.shape, common[..., None])
    if apart.any():
        shown = np.where(apart[..., None], _pulled(values, variances), shown)
    means, spread = _posterior(values, variances)
    return Shown(values=shown, std_errors=np.sqrt(spread + (means - shown) ** 2))


def _fixed(values: Floats, variances: Floats) -> tuple[Floats, Floats, Floats]:
    """Precision-weighted mean, the sum of weights, and Q about it."""
    weights = 1 / variances
    total = weights.sum(axis=-1)
    start = values[..., :1]
    mean = start[..., 0] + (weights * (values - start)).sum(axis=-1) / total
    q: Floats = (weights * (values - mean[..., None]) ** 2).sum(axis=-1)
    return mean, total, q


def _pulled(values: Floats, variances: Floats) -> Floats:
    """Towards the mean, by the spread at which Q is k - 2.5; of two segments, whose Q says too little, not at all."""
    tau2 = spread_at(values, variances, max(values.shape[-1] - 2.5, 0.0))[..., None]
    with np.errstate(invalid="ignore"):
        kept = np.where(np.isinf(tau2), 1.0, tau2 / (tau2 + variances))
    mean = _fixed(values, variances + np.where(np.isinf(tau2), 0.0, tau2))[0][..., None]
    pulled: Floats = mean + kept * (values - mean)
    return pulled


def _posterior(values: Floats, variances: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of every segment's effect, over the posterior of τ."""
    centred = values - values[..., :1]
    size = 1 / ((1 / variances).sum(axis=-1) / variances.shape[-1])
    tau2 = size[..., None, None] * _SQUARED_REACH
    spread = variances[..., None, :]
    precision = 1 / (spread + tau2)
    total = precision.sum(axis=-1)
    mean = (precision * centred[..., None, :]).sum(axis=-1) / total
    away = centred[..., None, :] - mean[..., None]
    log_weight = 0.5 * (np.log(precision).sum(axis=-1) - np.log(total) - (precision * away * away).sum(axis=-1))
    weight = np.exp(log_weight - log_weight.max(axis=-1, keepdims=True)) * _PRIOR
    weight = (weight / weight.sum(axis=-1, keepdims=True))[..., None]
    kept = tau2 * precision
    means = mean[..., None] + kept * away
    centre = (weight * means).sum(axis=-2)
    within = kept * spread + (1 - kept) ** 2 / total[..., None] + (means - centre[..., None, :]) ** 2
    return values[..., :1] + centre, (weight * within).sum(axis=-2)


def shrink(
    effects: Sequence[EffectEstimate], alpha: float = 0.05, *, tau_squared: float | None = None
) -> list[Shrunk] | Undefined:
    """Empirical-Bayes estimates of all segments' effects, in the order given.

    Parameters
    ----------
    effects
        Independent estimates: yᵢ ~ N(θᵢ, vᵢ), θᵢ ~ N(μ, τ²), no segment expected beforehand to be better than another.
    tau_squared
        A known, or plugged-in, variance between segments (see `heterogeneity.tau_squared`), ≥ 0. None (default):
        unknown, integrated over a flat prior on τ, for at least three segments.

    Returns
    -------
    list[Shrunk]
        For a given τ²: θᵢ | y ~ N(μ̂ + k(yᵢ - μ̂), k·vᵢ + (1 - k)²·Var(μ̂)), k = τ²/(τ² + vᵢ); the last term is for
        the mean that was estimated. Unknown τ mixes these normals over its posterior; `interval` holds its alpha/2
        quantiles. `Undefined("too_few_segments")` with fewer than two (three) segments.

    Notes
    -----
    Rubin, "Estimation in parallel randomized experiments", J. Educational Statistics 6 (1981), pp. 377-401; Gelman et
    al., Bayesian Data Analysis, 3rd ed., section 5.4. A plugged-in τ² is 0 half of the time when segments hardly
    differ, and then all intervals collapse to that of the mean: hence the integral. Intervals cover on average over
    segments, not in each: one that truly differs from all others (no normal spread) is pulled too far.
    """
    if tau_squared is not None and tau_squared < 0:
        raise ValueError("a variance is negative")
    if len(effects) < (3 if tau_squared is None else 2):
        return TOO_FEW
    mixture = _mixture(effects, tau_squared)
    centre = mixture.weight @ mixture.means
    variance = mixture.weight @ (mixture.spreads**2 + (mixture.means - centre) ** 2)
    low, high = _quantile(mixture, alpha / 2), _quantile(mixture, 1 - alpha / 2)
    kept = mixture.weight @ mixture.kept
    return [
        Shrunk(
            value=float(centre[i]),
            std_error=float(np.sqrt(variance[i])),
            interval=Interval(low=float(low[i]), high=float(high[i]), level=1 - alpha, method="empirical Bayes"),
            kept=float(kept[i]),
        )
        for i in range(len(effects))
    ]


def _mixture(effects: Sequence[EffectEstimate], tau_squared: float | None) -> _Mixture:
    values, variances = (np.array([getattr(effect, name) for effect in effects]) for name in ("value", "variance"))
    if tau_squared is None:
        # τ = s·t/(1 - t) with s the harmonic mean of the errors: t in (0, 1) covers every τ.
        scale, t = float(np.mean(1 / variances)) ** -0.5, (_NODES + 1) / 2
        tau2, step = (scale * t / (1 - t)) ** 2, _WEIGHTS / (1 - t) ** 2
    else:
        tau2, step = np.array([tau_squared]), np.ones(1)
    precision = 1 / (variances + tau2[:, None])
    total = precision.sum(axis=1)
    # From the first value: no common level costs digits.
    centred = values - values[0]
    mean = precision @ centred / total
    q = (precision * (centred - mean[:, None]) ** 2).sum(axis=1)
    log_weight = 0.5 * (np.log(precision).sum(axis=1) - np.log(total) - q)
    weight = np.exp(log_weight - log_weight.max()) * step
    kept = tau2[:, None] * precision
    return _Mixture(
        means=values[0] + mean[:, None] + kept * (centred - mean[:, None]),
        spreads=np.sqrt(kept * variances + (1 - kept) ** 2 / total[:, None]),
        kept=kept,
        weight=weight / weight.sum(),
    )


def _quantile(mixture: _Mixture, probability: float) -> Floats:
    """By bisection, all segments at once."""
    low = (mixture.means - 9 * mixture.spreads).min(axis=0)
    high = (mixture.means + 9 * mixture.spreads).max(axis=0)
    for _ in range(60):
        middle = (low + high) / 2
        below = mixture.weight @ ndtr((middle - mixture.means) / mixture.spreads) < probability
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    quantile: Floats = (low + high) / 2
    return quantile


def james_stein(values: Sequence[float], variance: float) -> tuple[float, list[float]] | Undefined:
    """Positive-part James–Stein estimates about the mean of the values, for one common known variance.

    Parameters
    ----------
    values
        At least four independent near-normal estimates; else `Undefined("too_few_segments")`.
    variance
        Of each of them, > 0 (`ValueError` otherwise).

    Returns
    -------
    (factor, estimates)
        factor = max(0, 1 - (k - 3)·variance/Σ(y - ȳ)²), estimates ȳ + factor·(y - ȳ). Their total squared error is
        below the raw values' whatever the true values are; a single one's need not be.

    Notes
    -----
    Efron & Morris, "Stein's paradox in statistics", Scientific American 236 (1977), pp. 119-127: 18 batters, .212.
    """
    if not 0 < variance < inf:
        raise ValueError("a variance is not positive")
    k = len(values)
    if k < 4:
        return TOO_FEW
    mean = fsum(values) / k
    spread = fsum((value - mean) ** 2 for value in values)
    factor = max(0.0, 1 - (k - 3) * variance / spread) if spread else 0.0
    return factor, [mean + factor * (value - mean) for value in values]


def next_segment(effects: Sequence[EffectEstimate], tau_squared: float, alpha: float = 0.05) -> Interval | Undefined:
    """Where a further segment's true effect lies: μ̂ ± z·√(τ² + Var(μ̂)), normal, τ² taken as known.

    Higgins, Thompson & Spiegelhalter, "A re-evaluation of random-effects meta-analysis", JRSS A 172 (2009), pp.
    137-159.
    """
    mean = pooled_effect(effects, tau_squared)
    if isinstance(mean, Undefined):
        return mean
    half_width = critical_value(alpha) * sqrt(tau_squared + mean.variance)
    return Interval(low=mean.value - half_width, high=mean.value + half_width, level=1 - alpha, method="prediction")
