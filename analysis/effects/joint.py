"""Both ends of score intervals by one Newton's method for everything unknown: the effect and the restricted rates.

A score statistic at an effect takes the likeliest rates that differ by it, themselves the root of an equation. To solve
that anew at every step of a search costs twenty times as much as to let effect and rates converge together. What does
not converge (few counts, ends of the range) is left to the search.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.groups import all_of, in_all_strata, largest_over_strata, over_strata

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

_MOST_STEPS = 7
# The method doubles the digits at each step: after one this small, in standard errors, only rounding is left.
_CLOSE = 1e-7
# Nearer to 1 a rate's complement has too few digits.
_NEAREST = 1e-4


class Counts:
    """What both methods need of the counts, shape (2, 2, rows, strata): of both arms, for both ends of an interval.

    The treatment comes first, as in all arrays of arms here. Numpy takes three times as long for arrays that it has to
    stretch to one shape, and there are a hundred steps.
    """

    def __init__(self, successes: Floats, n: Floats, weights: Floats) -> None:
        """Shape (2, rows, strata); `weights` of the variances of their difference, by row and stratum."""
        self.n, self.successes = n, successes = _at_both_ends(n), _at_both_ends(successes)
        self.failures, self.weights = n - successes, _at_both_ends(np.array((weights, weights))) / n
        self.both, self.converted = n[0] + n[1], successes[0] + successes[1]


def _at_both_ends(arms: Floats) -> Floats:
    return arms[:, None].repeat(2, axis=1)


def _twice(numbers: Floats) -> Floats:
    return np.array((numbers, numbers))


def joint_ends(counts: Counts, observed: Floats, target: Floats, guess: Floats, error: Floats) -> tuple[Floats, Flags]:
    """The differences δ at which (observed - δ)/√Σ w·(p̃₁q̃₁/n₁ + p̃₀q̃₀/n₀) meets its target, and which are found.

    Parameters
    ----------
    counts
        In the rows to be solved.
    observed, error
        One number a row; the error is a standard error of `observed`, more or less.
    target, guess
        Shape (2, rows): of both ends.

    Notes
    -----
    Where it converges to rates inside of (0, 1) they are the likeliest ones: the likelihood is concave.
    """
    delta, close, observed = guess, _twice(_CLOSE * error), _twice(observed)
    weights = counts.weights
    base = counts.converted / counts.both - guess[..., None] * (counts.n[0] / counts.both)
    rates = np.empty_like(counts.n)
    for _ in range(_MOST_STEPS):
        rates[0], rates[1] = base + delta[..., None], base
        rest = 1 - rates
        won, lost = counts.successes / rates, counts.failures / rest
        # The score in the baseline's rate, its derivatives in the difference and in that rate.
        score, bends = won - lost, won / rates + lost / rest
        by_own, by_base = bends[0], bends[0] + bends[1]
        step_of_base, follows = (score[0] + score[1]) / by_base, by_own / by_base
        squared, slopes = weights * (rates * rest), weights * (rest - rates)
        spread, together = np.sqrt(over_strata(squared[0] + squared[1])), slopes[0] + slopes[1]
        # Of the squared spread: by the rates' own step, and by the difference with the rates that follow it.
        drift = over_strata(together * step_of_base)
        bend = over_strata(slopes[0] - together * follows)
        half = target / (2 * spread)
        step = (observed - delta - target * spread - half * drift) / (1 + half * bend)
        delta = delta + step
        base = base + step_of_base - follows * step[..., None]
        found = np.maximum(np.abs(step), largest_over_strata(np.abs(step_of_base))) <= close
        if all_of(found):
            break
    other = base + delta[..., None]
    is_inside = (np.minimum(base, other) > 0) & (np.maximum(base, other) < 1 - _NEAREST)
    return delta, found & in_all_strata(is_inside)


def joint_log_ratios(
    counts: Counts, rates: tuple[Floats, Floats], target: Floats, guess: Floats, error: Floats
) -> tuple[Floats, Flags]:
    """The same for log ratios: u = log R at which (r₁ - R·r₀)/√Σ w·(p̃₁q̃₁/n₁ + R²·p̃₀q̃₀/n₀) meets its target.

    Parameters
    ----------
    rates
        r₁ and r₀, both above 0, row by row.

    Notes
    -----
    With p̃₁ = R·p̃₀ the baseline's likeliest rate is the smaller root of N·R·p² - (R·(n₁ + x₀) + x₁ + n₀)·p + x₁ + x₀.
    """
    log_ratio, close = guess, _twice(_CLOSE * error)
    treatment, baseline = _twice(rates[0]), _twice(rates[1])
    both, converted, (own_weights, base_weights) = counts.both, counts.converted, counts.weights
    twice_both = 2 * both
    factor, constant = counts.n[0] + counts.successes[1], counts.successes[0] + counts.n[1]
    ratio = np.exp(log_ratio)[..., None]
    linear = ratio * factor + constant
    base = 2 * converted / (linear + np.sqrt(np.maximum(linear * linear - 4 * both * ratio * converted, 0.0)))
    for _ in range(_MOST_STEPS):
        rate = ratio * base
        # The quadratic, its derivatives in the log ratio and in the baseline's rate.
        linear = ratio * factor + constant
        by_ratio, by_base = rate * (both * base - factor), twice_both * rate - linear
        step_of_base, follows = ((linear - both * rate) * base - converted) / by_base, -by_ratio / by_base
        # Of the squared spread, the same two.
        own, other = own_weights * (1 - 2 * rate), base_weights * ratio
        spread = np.sqrt(over_strata(own_weights * rate * (1 - rate) + other * rate * (1 - base)))
        spread_by_base = ratio * (own + other * (1 - 2 * base))
        spread_by_ratio = own * rate + 2 * other * rate * (1 - base)
        drift = over_strata(spread_by_base * step_of_base)
        bend = over_strata(spread_by_ratio + spread_by_base * follows)
        half, scaled = target / (2 * spread), ratio[..., 0] * baseline
        step = (treatment - scaled - target * spread - half * drift) / (scaled + half * bend)
        log_ratio = log_ratio + step
        base = base + step_of_base + follows * step[..., None]
        ratio = np.exp(log_ratio)[..., None]
        found = np.abs(step) <= close
        if all_of(found):
            break
    rate = ratio * base
    is_inside = (np.minimum(base, rate) > 0) & (np.maximum(base, rate) < 1 - _NEAREST) & (by_base < 0)
    return log_ratio, found & in_all_strata(is_inside)
