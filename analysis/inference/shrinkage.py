"""What a segment's effect probably is, given what the others showed: normal–normal shrinkage and James–Stein."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, inf, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from analysis.effects.means import critical_value
from analysis.estimate import Interval, Undefined
from analysis.inference.heterogeneity import TOO_FEW, EffectEstimate, pooled_effect

Floats: TypeAlias = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)


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
