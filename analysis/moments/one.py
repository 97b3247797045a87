"""Moments of one number per unit, or of a numerator and a denominator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

# Rounding noise of values that are all equal, in units of the last place of their size: below it, a spread is none.
NOISE = 16 * 2.0**-52


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Count, mean and centred sums of one number per unit, or of two for a ratio.

    Parameters
    ----------
    n : int
        Units, those without any event included.
    mean, m2 : float
        Mean of the unit values (for a ratio: of the numerators) and the sum of (x - mean)².
    denominator_mean, denominator_m2, co_m2 : float
        For ratios: the same of the denominators, and the sum of (x - mean)(y - denominator_mean). 0 otherwise.
    absolute_mean : float | None
        Mean of |x|, where values of both signs occur. None: they have one sign, and it is |mean|.

    Raises
    ------
    ValueError
        A negative count, sum of squares or mean of |x|; NaN; an infinity.

    Notes
    -----
    `a + b` are the moments of both groups together: Chan, Golub & LeVeque, "Updating formulae and a pairwise
    algorithm for computing sample variances", STAN-CS-79-773 (1979), in the form that is symmetric in its
    operands, so that `a + b == b + a` to the last bit; associative up to rounding.
    """

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0
    denominator_mean: float = 0.0
    denominator_m2: float = 0.0
    co_m2: float = 0.0
    absolute_mean: float | None = None

    def __post_init__(self) -> None:
        if self.n < 0 or self.m2 < 0 or self.denominator_m2 < 0 or (self.absolute_mean or 0) < 0:
            raise ValueError("a count, a sum of squares or a mean of absolute values is negative")
        require_finite(
            (self.mean, self.m2, self.denominator_mean, self.denominator_m2, self.co_m2, self.absolute_mean or 0.0)
        )

    def __add__(self, other: Moments) -> Moments:
        if not self.n:
            return other
        if not other.n:
            return self
        n = self.n + other.n
        share = self.n * other.n / n
        delta = self.mean - other.mean
        denominator_delta = self.denominator_mean - other.denominator_mean
        return Moments(
            n=n,
            mean=pooled_mean(self.n, self.mean, other.n, other.mean),
            m2=self.m2 + other.m2 + delta * delta * share,
            denominator_mean=pooled_mean(self.n, self.denominator_mean, other.n, other.denominator_mean),
            denominator_m2=self.denominator_m2 + other.denominator_m2 + denominator_delta * denominator_delta * share,
            co_m2=self.co_m2 + other.co_m2 + delta * denominator_delta * share,
            absolute_mean=_absolute_mean(self, other),
        )

    @property
    def total(self) -> float:
        """Sum of the unit values."""
        return self.n * self.mean

    @property
    def size(self) -> float:
        """Mean of |x|."""
        return abs(self.mean) if self.absolute_mean is None else self.absolute_mean

    @property
    def variance(self) -> float:
        """Unbiased variance of one unit's value, n ≥ 2; exactly 0.0 where the spread is only rounding noise."""
        return _variance(self.n, self.mean, self.m2)

    @property
    def residual_variance(self) -> float:
        """Unbiased variance of numerator - ratio x denominator, the linear part of a ratio (delta method)."""
        ratio = self.mean / self.denominator_mean
        scale = self.m2 + ratio * ratio * self.denominator_m2
        residual = scale - 2 * ratio * self.co_m2
        return residual / (self.n - 1) if residual > NOISE * scale else 0.0


def require_finite(numbers: Iterable[float]) -> None:
    if not all(map(isfinite, numbers)):
        raise ValueError("NaN or an infinity is no moment")


def pooled_mean(n: int, mean: float, other_n: int, other_mean: float) -> float:
    if mean == other_mean:
        return mean
    return (n * mean + other_n * other_mean) / (n + other_n)


def _absolute_mean(one: Moments, other: Moments) -> float | None:
    # Signs, not their product: that of two tiny means is 0.
    opposite = min(one.mean, other.mean) < 0 < max(one.mean, other.mean)
    if one.absolute_mean is None and other.absolute_mean is None and not opposite:
        return None
    return pooled_mean(one.n, one.size, other.n, other.size)


def _variance(n: int, mean: float, m2: float) -> float:
    noise = NOISE * mean
    return m2 / (n - 1) if m2 > n * noise * noise else 0.0
