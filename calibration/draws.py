"""Groups of simulated units, as moments: one row per experiment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from calibration.scenario import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Count, mean and centred sums of one arm in many experiments; arrays of one length. `a + b` merges.

    `denominator_mean`, `denominator_m2` and `co_m2` are 0 but for ratios.
    """

    n: Floats
    mean: Floats
    m2: Floats
    denominator_mean: Floats
    denominator_m2: Floats
    co_m2: Floats

    def __add__(self, other: Sums) -> Sums:
        n = self.n + other.n
        share = self.n * other.n / n
        delta, denominator_delta = self.mean - other.mean, self.denominator_mean - other.denominator_mean
        return Sums(
            n=n,
            mean=(self.n * self.mean + other.n * other.mean) / n,
            m2=self.m2 + other.m2 + delta * delta * share,
            denominator_mean=(self.n * self.denominator_mean + other.n * other.denominator_mean) / n,
            denominator_m2=self.denominator_m2 + other.denominator_m2 + denominator_delta**2 * share,
            co_m2=self.co_m2 + other.co_m2 + delta * denominator_delta * share,
        )


def sums(n: int | Floats, mean: Floats, m2: Floats) -> Sums:
    nothing = np.zeros_like(mean)
    return Sums(
        n=np.broadcast_to(np.asarray(n, dtype=float), mean.shape),
        mean=mean,
        m2=np.maximum(m2, 0.0),
        denominator_mean=nothing,
        denominator_m2=nothing,
        co_m2=nothing,
    )


def normal(rng: Generator, rows: int, n: int, mean: float | Floats = 3.0, std_dev: float = 1.0) -> Sums:
    """Straight from the laws of mean and variance, which are independent: no unit has to be drawn."""
    means = mean + std_dev / np.sqrt(n) * rng.standard_normal(rows)
    squares = rng.chisquare(n - 1, rows) if n > 1 else np.zeros(rows)
    return sums(n, means, std_dev**2 * squares)


def conversions(rng: Generator, rows: int, n: int, rate: float | Floats) -> Sums:
    return of_counts(rng.binomial(n, rate, rows).astype(float), n)


def of_counts(successes: Floats, n: int | Floats) -> Sums:
    return sums(n, successes / n, successes * (1 - successes / n))


def revenue(rng: Generator, rows: int, n: int, payers: float, sigma: float) -> Sums:
    return revenue_and_cubes(rng, rows, n, payers, sigma)[0]


def revenue_and_cubes(rng: Generator, rows: int, n: int, payers: float, sigma: float) -> tuple[Sums, Floats]:
    """Most units pay nothing, the others a lognormal amount with median 1; and the centred sums of third powers."""
    paying = rng.binomial(n, payers, rows)
    amounts = np.exp(sigma * rng.standard_normal(int(paying.sum())))
    owner = np.repeat(np.arange(rows), paying)
    total, squares, cubes = (np.bincount(owner, amounts**power, rows) for power in (1, 2, 3))
    mean = total / n
    return sums(n, mean, squares - n * mean * mean), cubes - 3 * mean * squares + 2 * n * mean**3


def of_values(values: Floats, denominators: Floats | None = None) -> Sums:
    """Units along the second axis."""
    n = values.shape[1]
    mean = values.mean(axis=1)
    away = values - mean[:, None]
    found = sums(n, mean, (away * away).sum(axis=1))
    if denominators is None:
        return found
    beside = denominators.mean(axis=1)
    off = denominators - beside[:, None]
    return Sums(
        n=found.n,
        mean=mean,
        m2=found.m2,
        denominator_mean=beside,
        denominator_m2=(off * off).sum(axis=1),
        co_m2=(away * off).sum(axis=1),
    )
