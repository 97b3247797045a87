"""More than mean and variance: how skewed the values of units are, and how the values of rows are distributed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from operator import add

from analysis.moments.one import Moments, pooled_mean, require_finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Centred sums up to the third power, and the extremes, of one number per unit.

    Parameters
    ----------
    n : int
        Units, those without any event included. 0: all else is 0.
    mean, m2, m3 : float
        Mean x̄, Σ(x - x̄)², Σ(x - x̄)³. The skewness is √n·m3/m2^1.5.
    smallest, largest : float
        Of the values.

    Notes
    -----
    `a + b` are the moments of both groups, `a + b == b + a` to the last bit: Pébay, "Formulas for robust, one-pass
    parallel computation of covariances and arbitrary-order statistical moments", Sandia report SAND2008-6212 (2008),
    eqs. 2.1 and 2.2.
    """

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0
    m3: float = 0.0
    smallest: float = 0.0
    largest: float = 0.0

    def __post_init__(self) -> None:
        if self.n < 0 or self.m2 < 0 or self.smallest > self.largest:
            raise ValueError("a negative count or sum of squares, or extremes the wrong way round")
        require_finite((self.mean, self.m2, self.m3, self.smallest, self.largest))

    def __add__(self, other: Shape) -> Shape:
        if not self.n or not other.n:
            return self if self.n else other
        n = self.n + other.n
        delta = other.mean - self.mean
        share = self.n * other.n / n
        cubes = delta * delta * delta * share * ((self.n - other.n) / n)
        return Shape(
            n=n,
            mean=pooled_mean(self.n, self.mean, other.n, other.mean),
            m2=self.m2 + other.m2 + delta * delta * share,
            m3=self.m3 + other.m3 + cubes + 3 * delta * (self.n * other.m2 - other.n * self.m2) / n,
            smallest=min(self.smallest, other.smallest),
            largest=max(self.largest, other.largest),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """How the values of rows (orders, page loads) are distributed, several rows from one unit.

    Parameters
    ----------
    thresholds : tuple
        Ascending. Common to all arms that are to be compared or merged.
    up_to : tuple of Moments
        At each threshold t the moments of a ratio over units: a unit's rows with a value ≤ t over all its rows. So
        `mean / denominator_mean` is the share of rows up to t, and its standard error follows by the delta method.

    Raises
    ------
    ValueError
        Thresholds that do not ascend or are not finite, or do not fit `up_to`; `+` of different thresholds.
    """

    thresholds: tuple[float, ...]
    up_to: tuple[Moments, ...]

    def __post_init__(self) -> None:
        if len(self.thresholds) != len(self.up_to) or any(a >= b for a, b in pairwise(self.thresholds)):
            raise ValueError("thresholds do not ascend, or there is not one group of moments for each")
        require_finite(self.thresholds)

    def __add__(self, other: Distribution) -> Distribution:
        if self.thresholds != other.thresholds:
            raise ValueError("distributions at different thresholds do not add")
        return Distribution(thresholds=self.thresholds, up_to=tuple(map(add, self.up_to, other.up_to)))
