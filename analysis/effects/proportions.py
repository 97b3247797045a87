"""Proportions, and intervals built from Wilson's; for tests of two of them see `analysis.effects.scores`."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.effects.arms import ArmValue

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportion:
    """`successes` among `n` units, 0 ≤ successes ≤ n, n ≥ 1."""

    successes: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.n or self.n < 1:
            raise ValueError(f"not a proportion: {self.successes} of {self.n}")

    @property
    def rate(self) -> float:
        return self.successes / self.n


def wald_value(proportion: Proportion) -> ArmValue:
    """The rate with the squared Wald standard error p(1 - p)/n."""
    rate = proportion.rate
    return ArmValue(value=rate, variance=rate * (1 - rate) / proportion.n, degrees_of_freedom=inf)


def wilson(proportion: Proportion, critical: float) -> tuple[float, float]:
    """Wilson's score interval of one proportion, never outside [0, 1], never empty.

    Solves |p̂ - p| ≤ c·√(p(1 - p)/n). Wilson, JASA 22 (1927), pp. 209-212. Newcombe, "Two-sided confidence intervals
    for the single proportion", Statistics in Medicine 17 (1998), method 3: the tests' reference numbers are from there.
    """
    low, high = wilson_intervals(np.array([float(proportion.successes)]), np.array([float(proportion.n)]), critical)
    return float(low[0]), float(high[0])


def wilson_intervals(successes: Floats, n: Floats, critical: float | Floats) -> tuple[Floats, Floats]:
    """The same of many, n ≥ 1."""
    rate, squared = successes / n, critical * critical
    centre = successes + squared / 2
    spread = critical * np.sqrt(n * rate * (1 - rate) + squared / 4)
    low = np.where(successes == 0, 0.0, (centre - spread) / (n + squared))
    return low, np.where(successes == n, 1.0, (centre + spread) / (n + squared))


def newcombe(treatment: Proportion, baseline: Proportion, critical: float) -> tuple[float, float]:
    """Newcombe's hybrid score interval of a difference: simple, but it inverts no test.

    Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17
    (1998), pp. 873-890, method 10.
    """
    p1, p0 = treatment.rate, baseline.rate
    (low1, high1), (low0, high0) = wilson(treatment, critical), wilson(baseline, critical)
    below = sqrt((p1 - low1) ** 2 + (high0 - p0) ** 2)
    above = sqrt((high1 - p1) ** 2 + (p0 - low0) ** 2)
    return p1 - p0 - below, p1 - p0 + above
