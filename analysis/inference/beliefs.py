"""Chances and expected losses of all scopes at once: the posteriors of `bayes`, in closed form or on small grids.

A posterior needs a prior, and an answer from it is no error rate: see `bayes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, pi, sqrt
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaln, expit, log_expit, ndtr

from analysis.estimate import ArmBelief, Belief, Report, Undefined
from analysis.groups import all_of
from analysis.in_rows import rows
from analysis.inference.bayes import Normal, compare_means, learn_prior
from analysis.inference.heterogeneity import EffectEstimate
from analysis.plan import Direction, EffectPrior
from analysis.serialise import to_dict

Floats: TypeAlias = NDArray[np.float64]

NO_SCALE = Undefined(reason="zero_variance", message="All values are equal: their spread is not known yet.")

# Equally spaced nodes of the trapezoidal rule: few counts make posteriors with long tails.
_STEPS, _FINE_STEPS = np.linspace(0.0, 1.0, 20), np.linspace(0.0, 1.0, 72)
_FEW = 20
_MOST_NODES = 8192


def normal_beliefs(
    differences: ArrayLike,
    std_errors: ArrayLike,
    direction: Direction | Sequence[Direction] = "increase",
    *,
    prior: EffectPrior | None = None,
    baseline_values: ArrayLike | None = None,
) -> list[Belief | Undefined]:
    """Posteriors of differences that are near-normal: means, ratios, and everything that is stratified or adjusted.

    Parameters
    ----------
    differences, std_errors : array_like, one number a comparison
        Treatment less baseline.
    direction
        The better side, of all or of each.
    prior, baseline_values
        Of the lift, and the baselines' values that make it one of the difference: N(mean·value, (std_dev·value)²), the
        value taken as known. Only for baselines that are the control. Without a prior, or where the value is 0, flat.

    Returns
    -------
    list
        d ~ N(μ, σ²): chance Φ(μ/σ), losses σ·φ(μ/σ) ∓ |μ|·Φ(∓|μ|/σ). `Undefined("zero_variance")` where there is no
        difference with a positive standard error.
    """
    mean, error = (np.asarray(array, dtype=np.float64) for array in (differences, std_errors))
    usable = np.isfinite(mean) & np.isfinite(error) & (error > 0)
    mean, error = np.where(usable, mean, 0.0), np.where(usable, error, 1.0)
    if prior is not None and baseline_values is not None:
        mean, error = _with_prior(mean, error, prior, np.asarray(baseline_values, dtype=np.float64))
    mean = np.where(_falls(direction), 0.0 - mean, mean)
    z = mean / error
    small = error * np.maximum(np.exp(-0.5 * z * z) / sqrt(2 * pi) - np.abs(z) * ndtr(-np.abs(z)), 0.0)
    gain, loss = small + np.maximum(mean, 0.0), small + np.maximum(-mean, 0.0)
    return _beliefs(ndtr(z), loss, gain, usable)


def _falls(direction: Direction | Sequence[Direction]) -> NDArray[np.bool_]:
    return np.array([one == "decrease" for one in ((direction,) if isinstance(direction, str) else direction)])


def _with_prior(mean: Floats, error: Floats, prior: EffectPrior, values: Floats) -> tuple[Floats, Floats]:
    """Precision-weighted; flat where there is no value to take a fraction of."""
    there = np.isfinite(values) & (values != 0)
    known = np.where(there, values, 1.0)
    spread, centre = (prior.std_dev * known) ** 2, prior.mean * known
    share = np.where(there, spread / (spread + error * error), 1.0)
    return centre + share * (mean - centre), np.sqrt(share) * error


def _beliefs(chance: Floats, loss: Floats, gain: Floats, usable: Any) -> list[Belief | Undefined]:
    chance = np.minimum(np.maximum(chance, 0.0), 1.0)
    usable = usable & np.isfinite(chance + loss + gain)
    beliefs: list[Belief | Undefined] = [*rows(Belief, chance.tolist(), loss.tolist(), gain.tolist())]
    if all_of(usable):
        return beliefs
    return [belief if there else NO_SCALE for belief, there in zip(beliefs, usable.tolist(), strict=True)]


def rate_beliefs(
    successes: ArrayLike,
    units: ArrayLike,
    baseline_successes: ArrayLike,
    baseline_units: ArrayLike,
    *,
    direction: Direction | Sequence[Direction] = "increase",
) -> list[Belief | Undefined]:
    """Posteriors of two rates each, from a uniform prior, Beta(1, 1), on either.

    Parameters
    ----------
    successes, units, baseline_successes, baseline_units : array_like, one number a comparison
        Pooled over strata only where their split is the same.
    direction
        The better side, of all or of each.

    Returns
    -------
    list
        `Undefined("zero_variance")` only for counts that are none (NaN, negative).

    Notes
    -----
    P(θ > θ₀) = ∫ f·F₀ and E(θ - θ₀)⁺ = ∫ f·((θ - m₀)·F₀ + m₀·θ^a₀·(1 - θ)^b₀/(a₀·B(a₀, b₀))), m₀ = a₀/(a₀ + b₀), over
    the logit, f being the narrower of the two posteriors: the other's F is smooth where f is not 0. The trapezoidal
    rule on 32 nodes is then right to 1e-7, from no unit to 10⁹.
    """
    given = [successes, units, baseline_successes, baseline_units]
    s, n, s0, n0 = counts = np.array(given, dtype=np.float64).reshape(4, -1)
    usable = (s >= 0) & (s <= n) & (n < np.inf) & (s0 >= 0) & (s0 <= n0) & (n0 < np.inf)
    if not all_of(usable):
        s, n, s0, n0 = np.where(usable, counts, 0.0)
    parameters = np.array((s, n - s, s0, n0 - s0)) + 1
    variances = _log_variance(parameters)
    own, other = variances[0] + variances[1], variances[2] + variances[3]
    narrow = own <= other
    above, excess, shortfall = _compare(
        np.where(narrow, parameters, parameters[[2, 3, 0, 1]]), np.sqrt(np.minimum(own, other))
    )
    chance = np.where(narrow, above, 1 - above)
    gain, loss = np.where(narrow, (excess, shortfall), (shortfall, excess))
    if (falls := _falls(direction)).any():
        chance, gain, loss = np.where(falls, (1 - chance, loss, gain), (chance, gain, loss))
    return _beliefs(chance, loss, gain, usable)


def _log_variance(count: Floats) -> Floats:
    """ψ'(count), to a percent from 1 on: a logit's variance is that of both counts, a scale for the grid."""
    return (1 + (0.5 + 1 / (6 * count)) / count) / count


def _compare(parameters: Floats, spread: Floats) -> tuple[Floats, Floats, Floats]:
    """P(θ > θ₀), E(θ - θ₀)⁺, E(θ₀ - θ)⁺ for θ ~ Beta(a, b), of that spread on the logit, and θ₀ ~ Beta(a₀, b₀)."""
    a, b, a0, b0 = parameters[..., None]
    # Tails are normal for large counts and exponential, as e^(a·x) and e^(-b·x), for small ones.
    middle, reach = np.log(a / b), 5.5 * spread[:, None]
    low, high = middle - reach - 12 / a, middle + reach + 12 / b
    logit = low + (high - low) * (_FINE_STEPS if parameters.min() < _FEW else _STEPS)
    odds = np.exp(logit)
    log_q, p = -np.log1p(odds), odds / (1 + odds)
    log_p = logit + log_q
    log_density = a * log_p + b * log_q
    weight = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    below = betainc(a0, b0, p)
    mean = a0 / (a0 + b0)
    edge = np.exp(a0 * log_p + b0 * log_q - betaln(a0, b0) - np.log(a0)) * mean
    above = (p - mean) * below
    excess = (weight * (above + edge)).sum(axis=1)
    shortfall = (weight * (above + edge + mean - p)).sum(axis=1)
    return (weight * below).sum(axis=1), np.maximum(excess, 0.0), np.maximum(shortfall, 0.0)


def arm_beliefs(
    variants: Sequence[str], values: ArrayLike, std_errors: ArrayLike, direction: Direction = "increase"
) -> tuple[ArmBelief, ...]:
    """Chance to be best and expected loss of the arms of one scope, flat priors, near-normal independent values.

    Parameters
    ----------
    variants
        Those that are still offered.
    values, std_errors : array_like, one number an arm
        Finite, errors > 0; otherwise there is no answer: ().

    Notes
    -----
    P(best) = ∫ fᵢ·Πⱼ≠ᵢ Fⱼ, loss ∫ Fᵢ·(1 - Πⱼ≠ᵢ Fⱼ), by the trapezoidal rule in steps of half the narrowest arm's
    error: right to 1e-7 unless that is some hundred times narrower than the others.
    """
    centre, error = np.asarray(values, dtype=np.float64), np.asarray(std_errors, dtype=np.float64)
    if not len(variants) or not (np.isfinite(centre).all() and np.isfinite(error).all() and (error > 0).all()):
        return ()
    if direction == "decrease":
        centre = 0.0 - centre
    centre = centre - centre[0]
    low, high = float((centre - 6.5 * error).min()), float((centre + 6.5 * error).max())
    if not (high - low) / (0.5 * float(error.min())) < _MOST_NODES:
        return _by_panels(variants, centre, error)
    nodes = int((high - low) / (0.5 * float(error.min()))) + 2
    x = np.linspace(low, high, nodes)
    z = (x - centre[:, None]) / error[:, None]
    below = ndtr(z)
    density = np.exp(-0.5 * z * z)
    return _arm_beliefs(variants, density, below, np.full(nodes, (high - low) / (nodes - 1)))


def _by_panels(variants: Sequence[str], centre: Floats, error: Floats) -> tuple[ArmBelief, ...]:
    """Errors of very different size: the slower rule, whose nodes follow every arm."""
    if not np.isfinite(centre).all() or error.min() == 0:
        return ()
    arms = [Normal(mean=mean, std_dev=spread) for mean, spread in zip(centre.tolist(), error.tolist(), strict=True)]
    return tuple(
        ArmBelief(variant=variant, chance_to_be_best=one.chance_to_be_best, expected_loss=one.expected_loss)
        for variant, one in zip(variants, compare_means(arms), strict=True)
        if isfinite(one.chance_to_be_best + one.expected_loss)
    )


def rate_arm_beliefs(
    variants: Sequence[str], successes: ArrayLike, units: ArrayLike, direction: Direction = "increase"
) -> tuple[ArmBelief, ...]:
    """The same for rates, each from a uniform prior: over the logit, right to 1e-7, or 1e-5 for arms from 10²:1 on."""
    s, n = np.asarray(successes, dtype=np.float64), np.asarray(units, dtype=np.float64)
    if not len(variants) or not (np.isfinite(s).all() and (s >= 0).all() and (s <= n).all()):
        return ()
    a, b = (s + 1, n - s + 1) if direction == "increase" else (n - s + 1, s + 1)
    spread = np.sqrt(_log_variance(a) + _log_variance(b))
    middle = np.log(a / b)
    low = float((middle - 5.5 * spread - 12 / a).min())
    high = float((middle + 5.5 * spread + 12 / b).max())
    nodes = min(int((high - low) / (0.5 * float(spread.min()))) + 2, _MOST_NODES)
    logit = np.linspace(low, high, nodes)
    log_p, log_q, p = log_expit(logit), log_expit(-logit), expit(logit)
    log_density = a[:, None] * log_p + b[:, None] * log_q
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    length: Floats = (high - low) / (nodes - 1) * p * expit(-logit)
    below = np.asarray(betainc(a[:, None], b[:, None], p), dtype=np.float64)
    return _arm_beliefs(variants, density, below, length)


def _arm_beliefs(variants: Sequence[str], density: Floats, below: Floats, length: Floats) -> tuple[ArmBelief, ...]:
    """Rows of arms, columns of nodes; densities up to a factor, `length` of a node in the metric's unit."""
    others = np.stack([np.delete(below, i, axis=0).prod(axis=0) for i in range(len(variants))])
    best = (density * others).sum(axis=1) / density.sum(axis=1)
    loss = (below * (1 - others)) @ length
    return tuple(
        ArmBelief(variant=variant, chance_to_be_best=chance, expected_loss=max(cost, 0.0))
        for variant, chance, cost in zip(variants, (best / best.sum()).tolist(), loss.tolist(), strict=True)
    )


def two_arm_beliefs(treatment: str, baseline: str, belief: Belief) -> tuple[ArmBelief, ArmBelief]:
    """Two arms are one comparison: baseline first."""
    return beliefs_of_two_arms([(treatment, baseline)], [belief])[0]


def beliefs_of_two_arms(
    pairs: Sequence[tuple[str, str]], beliefs: Sequence[Belief]
) -> list[tuple[ArmBelief, ArmBelief]]:
    """The same of several comparisons; `pairs`: (treatment, baseline) of each."""
    chances = [belief.chance_to_beat for belief in beliefs]
    others = [1 - chance for chance in chances]
    treatments, baselines = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return list(
        zip(
            rows(ArmBelief, baselines, others, [belief.loss_if_baseline for belief in beliefs]),
            rows(ArmBelief, treatments, chances, [belief.loss_if_treatment for belief in beliefs]),
            strict=True,
        )
    )


def learn_lift_prior(reports: Sequence[Report | Mapping[str, Any]]) -> EffectPrior | Undefined:
    """A prior of the lift, from the reports on past experiments (as built, or as stored).

    Parameters
    ----------
    reports
        The last one of each experiment, on comparable metrics, the failures included: a prior from published winners is
        too wide and too high. Those that cannot be trusted are left out here.

    Returns
    -------
    EffectPrior
        Of all treatments against their controls, overall, on the primary metrics: N(μ̂, τ̂²) by marginal maximum
        likelihood, see `bayes.learn_prior` (without the error of either: some twenty experiments make that harmless).
        `Undefined("too_few_segments")` of fewer than two lifts, ("no_spread") where they vary no more than by chance.

    Notes
    -----
    Lifts in the direction of the metric's value, not of what is wished for: do not mix metrics that should fall with
    metrics that should rise. Treatments that share a control are taken as independent.
    """
    past = [lift for report in reports for lift in _lifts(to_dict(report) if isinstance(report, Report) else report)]
    found = learn_prior(past)
    return EffectPrior(mean=found.mean, std_dev=found.std_dev) if isinstance(found, Normal) else found


def _lifts(report: Mapping[str, Any]) -> Iterator[EffectEstimate]:
    overall = report["overall"]
    if overall["verdict"]["outcome"] == "untrustworthy":
        return
    for metric in overall["metrics"]:
        for comparison in metric["comparisons"] if metric["role"] == "primary" else ():
            value, error = comparison["lift"]["value"], comparison["lift"]["std_error"]
            if comparison["baseline"] == report["control"] and _is_number(value) and _is_number(error) and error > 0:
                yield EffectEstimate(value=value, std_error=error)


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) and isfinite(value)
