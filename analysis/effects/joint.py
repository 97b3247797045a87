"""Both ends of score intervals by one Newton's method for everything unknown: the effect and the restricted rates.

A score statistic at an effect takes the likeliest rates that differ by it, themselves the root of an equation. To solve
that anew at every step of a search costs twenty times as much as to let effect and rates converge together. What does
not converge (few counts, ends of the range) is left to the search.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

_MOST_STEPS = 7
# The method doubles the digits at each step: after one this small, in standard errors, only rounding is left.
_CLOSE = 1e-7
# Nearer to 1 a rate's complement has too few digits.
_NEAREST = 1e-4


class Counts:
    """Successes and failures of both arms, shape (rows, strata), and `weights` of the variances of their difference."""

    def __init__(
        self, treatment: Floats, treatment_n: Floats, baseline: Floats, baseline_n: Floats, weights: Floats
    ) -> None:
        self.successes, self.failures = treatment, treatment_n - treatment
        self.base_successes, self.base_failures = baseline, baseline_n - baseline
        self.share = treatment_n / (treatment_n + baseline_n)
        self.pooled = (treatment + baseline) / (treatment_n + baseline_n)
        self.weights, self.base_weights = weights / treatment_n, weights / baseline_n


def joint_ends(counts: Counts, observed: Floats, target: Floats, guess: Floats, error: Floats) -> tuple[Floats, Flags]:
    """The differences δ at which (observed - δ)/√Σ w·(p̃₁q̃₁/n₁ + p̃₀q̃₀/n₀) meets its target, and which are found.

    Parameters
    ----------
    counts
        In the rows to be solved.
    observed, target, guess, error
        One number a row; the error is a standard error of `observed`, more or less.

    Notes
    -----
    Where it converges to rates inside of (0, 1) they are the likeliest ones: the likelihood is concave.
    """
    delta = guess
    base = counts.pooled - guess[:, None] * counts.share
    found = np.zeros(len(delta), dtype=bool)
    for _ in range(_MOST_STEPS):
        rate = base + delta[:, None]
        rest, base_rest = 1 - rate, 1 - base
        won, lost = counts.successes / rate, counts.failures / rest
        base_won, base_lost = counts.base_successes / base, counts.base_failures / base_rest
        # The score in the baseline's rate, its derivatives in the difference and in that rate.
        score = won - lost + base_won - base_lost
        by_delta = won / rate + lost / rest
        by_base = by_delta + base_won / base + base_lost / base_rest
        step_of_base, follows = score / by_base, by_delta / by_base
        spread = np.sqrt((counts.weights * (rate * rest) + counts.base_weights * (base * base_rest)).sum(axis=1))
        slope, base_slope = counts.weights * (1 - 2 * rate), counts.base_weights * (1 - 2 * base)
        # Of the squared spread: by the rates' own step, and by the difference with the rates that follow it.
        drift = ((slope + base_slope) * step_of_base).sum(axis=1)
        bend = (slope - (slope + base_slope) * follows).sum(axis=1)
        half = target / (2 * spread)
        step = (observed - delta - target * spread - half * drift) / (1 + half * bend)
        delta = delta + step
        base = base + step_of_base - follows * step[:, None]
        found = np.maximum(np.abs(step), np.abs(step_of_base).max(axis=1)) <= _CLOSE * error
        if found.all():
            break
    least = np.minimum(np.minimum(base, base + delta[:, None]), 1 - _NEAREST - np.maximum(base, base + delta[:, None]))
    return delta, found & (least > 0).all(axis=1)


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
    log_ratio = guess
    treatment, baseline = rates
    n1, n0 = counts.successes + counts.failures, counts.base_successes + counts.base_failures
    both, factor, constant = n1 + n0, n1 + counts.base_successes, counts.successes + n0
    converted = counts.successes + counts.base_successes
    ratio = np.exp(log_ratio)[:, None]
    linear = ratio * factor + constant
    base = 2 * converted / (linear + np.sqrt(np.maximum(linear * linear - 4 * both * ratio * converted, 0.0)))
    found = np.zeros(len(guess), dtype=bool)
    for _ in range(_MOST_STEPS):
        rate = ratio * base
        # The quadratic, its derivatives in the log ratio and in the baseline's rate.
        linear = ratio * factor + constant
        by_ratio, by_base = rate * (both * base - factor), 2 * both * rate - linear
        step_of_base, follows = ((linear - both * rate) * base - converted) / by_base, -by_ratio / by_base
        # Of the squared spread, the same two.
        own, other = counts.weights * (1 - 2 * rate), counts.base_weights * ratio
        spread = np.sqrt((counts.weights * rate * (1 - rate) + other * rate * (1 - base)).sum(axis=1))
        spread_by_base = ratio * (own + other * (1 - 2 * base))
        spread_by_ratio = own * rate + 2 * other * rate * (1 - base)
        drift = (spread_by_base * step_of_base).sum(axis=1)
        bend = (spread_by_ratio + spread_by_base * follows).sum(axis=1)
        half, scaled = target / (2 * spread), ratio[:, 0] * baseline
        step = (treatment - scaled - target * spread - half * drift) / (scaled + half * bend)
        log_ratio = log_ratio + step
        base = base + step_of_base + follows * step[:, None]
        ratio = np.exp(log_ratio)[:, None]
        found = np.abs(step) <= _CLOSE * error
        if found.all():
            break
    rate = ratio * base
    is_inside = (np.minimum(base, rate) > 0) & (np.maximum(base, rate) < 1 - _NEAREST) & (by_base < 0)
    return log_ratio, found & is_inside.all(axis=1)
