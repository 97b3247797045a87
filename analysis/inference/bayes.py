"""Chance to be best, and what choosing one variant is expected to cost: posteriors of all arms, by quadrature.

A posterior needs a prior, and an answer from it is no error rate: "92 % chance to be best" is right on average over the
prior, at any look, if the prior is; it promises nothing about how often a variant without effect is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincc, betaln, expit, log_expit, log_ndtr, ndtr, polygamma, psi

from analysis.effects.arms import ArmValue
from analysis.effects.proportions import Proportion
from analysis.estimate import Undefined
from analysis.inference.heterogeneity import EffectEstimate, TauMethod, pooled_effect, tau_squared

Floats: TypeAlias = NDArray[np.float64]
Direction = Literal["increase", "decrease"]

# Panel ends in standard deviations from each posterior's centre; one Gauss–Legendre rule per panel.
_ENDS = np.array([0, 0.75, 1.5, 2.25, 3, 4, 5, 6, 7.5, 9, 12, 16, 22, 30, 38], dtype=float)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beta:
    """Distribution of a rate: `successes` and `failures`, both > 0, of which a prior's are imagined."""

    successes: float
    failures: float

    def __post_init__(self) -> None:
        if not (0 < self.successes < np.inf and 0 < self.failures < np.inf):
            raise ValueError("a Beta distribution needs two positive numbers")

    @property
    def mean(self) -> float:
        return self.successes / (self.successes + self.failures)


UNIFORM = Beta(successes=1.0, failures=1.0)
JEFFREYS = Beta(successes=0.5, failures=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Normal:
    """Distribution of a mean or an effect; `std_dev` > 0."""

    mean: float
    std_dev: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mean) and 0 < self.std_dev < np.inf):
            raise ValueError("a normal distribution needs a finite mean and a positive standard deviation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """Of one arm: `chance_to_be_best` sums to 1 over the arms; `expected_loss` ≥ 0 in the metric's unit."""

    chance_to_be_best: float
    expected_loss: float


def beta_posterior(proportion: Proportion, prior: Beta = UNIFORM) -> Beta:
    """Beta(a + successes, b + failures), conjugate to the binomial: each unit converts at most once."""
    return Beta(
        successes=prior.successes + proportion.successes,
        failures=prior.failures + proportion.n - proportion.successes,
    )


def normal_posterior(arm: ArmValue | Undefined, prior: Normal | None = None) -> Normal | Undefined:
    """Posterior of a value known to a standard error; without a prior (a flat one) the estimate itself.

    Parameters
    ----------
    arm
        Near-normal, its variance taken as known: with fewer than some 30 units the true posterior (Student's t) has
        longer tails.
    prior
        Precision-weighted with the estimate: (m/s² + value/variance) / (1/s² + 1/variance).

    Returns
    -------
    Normal
        `Undefined("zero_variance")` for an estimate without spread, which no prior could move.
    """
    if isinstance(arm, Undefined):
        return arm
    if arm.variance <= 0:
        return Undefined(reason="zero_variance", message="All values are equal: their spread is not known yet.")
    if prior is None:
        return Normal(mean=arm.value, std_dev=sqrt(arm.variance))
    share = arm.variance / (arm.variance + prior.std_dev**2)
    return Normal(mean=arm.value + share * (prior.mean - arm.value), std_dev=sqrt(share) * prior.std_dev)


def learn_prior(effects: Sequence[EffectEstimate], method: TauMethod = "maximum_likelihood") -> Normal | Undefined:
    """Normal prior of an effect, from the effects of comparable past experiments (empirical Bayes).

    Parameters
    ----------
    effects
        All of them, the failures included: a prior from published winners is too wide and too high.
    method
        Of the spread between true effects: marginal maximum likelihood, or a method of moments (`tau_squared`).

    Returns
    -------
    Normal
        N(μ̂, τ̂²), without the error of either: some twenty experiments make that harmless. `Undefined("no_spread")` when
        the past effects vary no more than their errors (no prior: all would be pulled onto one value),
        `Undefined("too_few_segments")` with fewer than two.

    Notes
    -----
    Efron & Morris, "Data analysis using Stein's estimator and its generalizations", JASA 70 (1975), pp. 311-319; for
    experiments: Deng, "Objective Bayesian two sample hypothesis testing for online controlled experiments", WWW 2015.
    """
    spread = tau_squared(effects, method)
    if isinstance(spread, Undefined):
        return spread
    if spread == 0:
        return Undefined(reason="no_spread", message="The past effects differ no more than by chance.")
    mean = pooled_effect(effects, spread)
    return mean if isinstance(mean, Undefined) else Normal(mean=mean.value, std_dev=sqrt(spread))


def compare_rates(arms: Sequence[Beta], direction: Direction = "increase") -> list[Chance]:
    """Chance to be best and expected loss of each of any number of independent rates.

    Parameters
    ----------
    arms
        Posteriors, control included, from the same prior unless there is a reason.
    direction
        Whether more or less is better.

    Returns
    -------
    list[Chance]
        P(θᵢ > max of the others) = ∫ fᵢ·Πⱼ≠ᵢ Fⱼ, and E[max θ - θᵢ] = ∫ Fᵢ·(1 - Πⱼ≠ᵢ Fⱼ) dθ: in points of the rate
        (.01 is one percentage point), integrands without cancellation, so that tiny losses keep their digits.

    Notes
    -----
    Integrated over the logit, where a Beta density is smooth and decays exponentially for any parameters. For two arms
    equal to the closed forms of Miller ("Formulas for Bayesian A/B testing", 2015) and Stucchio ("Bayesian A/B testing
    at VWO", 2015, eq. for the expected loss). Choosing when the loss falls below a threshold bounds the expected loss
    under the prior, not the false-positive rate.
    """
    if direction == "decrease":
        arms = [Beta(successes=arm.failures, failures=arm.successes) for arm in arms]
    a, b = (np.array([[getattr(arm, name)] for arm in arms]) for name in ("successes", "failures"))
    centres, spreads = psi(a) - psi(b), np.sqrt(polygamma(1, a) + polygamma(1, b))
    if not arms:
        return []
    logit, weight = _grid(centres[:, 0], spreads[:, 0])
    rate, rest = expit(logit), expit(-logit)
    below: Floats = np.asarray(betainc(a, b, rate), dtype=np.float64)
    above: Floats = np.where(rate > 0.5, betainc(b, a, rest), betaincc(a, b, rate)).astype(np.float64)
    density = np.exp(a * log_expit(logit) + b * log_expit(-logit) - betaln(a, b))
    return _chances(density, below, _log_cdf(below, above), weight, weight * rate * rest)


def compare_means(arms: Sequence[Normal], direction: Direction = "increase") -> list[Chance]:
    """The same for independent normal posteriors of means, ratios or effects; the loss is in their unit."""
    if not arms:
        return []
    sign = 1.0 if direction == "increase" else -1.0
    # In units of the widest posterior, from the first one's centre: no mean of 1e8 costs digits.
    unit = max(arm.std_dev for arm in arms)
    centres = np.array([sign * (arm.mean - arms[0].mean) / unit for arm in arms])
    spreads = np.array([arm.std_dev / unit for arm in arms])
    x, weight = _grid(centres, spreads)
    z = (x - centres[:, None]) / spreads[:, None]
    density = np.exp(-0.5 * z * z) / (spreads[:, None] * sqrt(2 * np.pi))
    return _chances(density, ndtr(z), log_ndtr(z), weight, weight * unit)


def _grid(centres: Floats, spreads: Floats) -> tuple[Floats, Floats]:
    """Nodes and weights of panels that are fine about every centre, whatever the others' scale."""
    offsets = np.concatenate([-_ENDS, _ENDS])
    ends = np.unique((centres[:, None] + spreads[:, None] * offsets).ravel())
    low, high = ends[:-1], ends[1:]
    wide = float(np.max(spreads))
    parts = np.minimum(np.ceil((high - low) / wide), 64).astype(int)
    starts = np.concatenate([np.linspace(a, b, k, endpoint=False) for a, b, k in zip(low, high, parts, strict=True)])
    half = np.repeat((high - low) / parts, parts) / 2
    nodes = (starts + half)[:, None] + half[:, None] * _NODES
    return nodes.ravel(), (half[:, None] * _WEIGHTS).ravel()


def _log_cdf(below: Floats, above: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        result: Floats = np.where(above < 0.5, np.log1p(-np.minimum(above, 0.5)), np.log(below))
    return result


def _chances(density: Floats, below: Floats, log_cdf: Floats, weight: Floats, length: Floats) -> list[Chance]:
    """One row per arm; `weight` integrates over the grid's scale, `length` over the metric's."""
    # Left of everything all logarithms are -∞; a floor keeps them subtractable without moving any probability.
    log_cdf = np.maximum(log_cdf, -1e4)
    others = np.sum(log_cdf, axis=0) - log_cdf
    best = (density * np.exp(others)) @ weight / (density @ weight)
    loss = (below * -np.expm1(others)) @ length
    return [
        Chance(chance_to_be_best=float(chance), expected_loss=float(cost))
        for chance, cost in zip(best / best.sum(), loss, strict=True)
    ]
