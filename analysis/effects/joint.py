"""Both ends of score intervals by one Newton's method for everything unknown: the effect and the restricted rates.

A score statistic at an effect takes the likeliest rates that differ by it, themselves the root of an equation. To solve
that anew at every step of a search costs twenty times as much as to let effect and rates converge together. What does
not converge (few counts, ends of the range) is left to the search.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

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


class Arm(NamedTuple):
    """Shape (rows, strata)."""

    successes: Floats
    n: Floats


class Counts:
    """What both methods need of the counts, shape (2, rows, strata): for both ends of an interval the same.

    Numpy takes three times as long for arrays that it has to stretch to one shape, and there are a hundred steps.
    """

    def __init__(self, treatment: Arm, baseline: Arm, weights: Floats) -> None:
        """`weights` of the variances of their difference, by row and stratum."""
        self.own_n, self.base_n = _at_both_ends(treatment.n), _at_both_ends(baseline.n)
        self.own_successes, self.base_successes = _at_both_ends(treatment.successes), _at_both_ends(baseline.successes)
        self.own_failures, self.base_failures = self.own_n - self.own_successes, self.base_n - self.base_successes
        weights = _at_both_ends(weights)
        self.own_weights, self.base_weights = weights / self.own_n, weights / self.base_n
        self.both, self.converted = self.own_n + self.base_n, self.own_successes + self.base_successes


def _at_both_ends(numbers: Floats) -> Floats:
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
    delta, close, observed = guess, _at_both_ends(_CLOSE * error), _at_both_ends(observed)
    own_weights, base_weights = counts.own_weights, counts.base_weights
    base = counts.converted / counts.both - guess[..., None] * (counts.own_n / counts.both)
    for _ in range(_MOST_STEPS):
        own = base + delta[..., None]
        own_rest, base_rest = 1 - own, 1 - base
        own_won, own_lost = counts.own_successes / own, counts.own_failures / own_rest
        base_won, base_lost = counts.base_successes / base, counts.base_failures / base_rest
        # The score in the baseline's rate, its derivatives in the difference and in that rate.
        by_own = own_won / own + own_lost / own_rest
        by_base = by_own + (base_won / base + base_lost / base_rest)
        step_of_base, follows = ((own_won - own_lost) + (base_won - base_lost)) / by_base, by_own / by_base
        spread = np.sqrt(over_strata(own_weights * (own * own_rest) + base_weights * (base * base_rest)))
        slope = own_weights * (own_rest - own)
        together = slope + base_weights * (base_rest - base)
        # Of the squared spread: by the rates' own step, and by the difference with the rates that follow it.
        drift = over_strata(together * step_of_base)
        bend = over_strata(slope - together * follows)
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
    log_ratio, close = guess, _at_both_ends(_CLOSE * error)
    treatment, baseline = _at_both_ends(rates[0]), _at_both_ends(rates[1])
    both, converted, own_weights, base_weights = counts.both, counts.converted, counts.own_weights, counts.base_weights
    twice_both = 2 * both
    factor, constant = counts.own_n + counts.base_successes, counts.own_successes + counts.base_n
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
