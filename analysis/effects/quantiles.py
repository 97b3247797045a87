"""Medians and other quantiles: order statistics, from how often each value occurred."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from math import ceil, floor, inf, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, bdtrc, bdtrik

from analysis.effects.arms import ArmValue
from analysis.effects.means import critical_value, too_few_units
from analysis.effects.ratios import ratio_value
from analysis.estimate import Interval, Undefined
from analysis.moments import Distribution, Moments

TIED = Undefined(reason="zero_variance", message="One value, or a few, hold the whole interval: no spread shows.")
TOO_FEW = Undefined(reason="too_few_units", message="Too few values to bound this quantile on both sides.")


# Between the ends of the interval there are so many steps from one value to the next, or there is no standard error:
# with fewer the estimate jumps by about as much as the interval is wide. Rounded to a multiple of h, medians and upper
# deciles of A/A tests of 1,000 units an arm err in .04 to .07 of those with three steps or more, and in up to .22 of
# those with one.
FEWEST_STEPS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueCounts:
    """Distinct values, ascending, and how often each occurred (≥ 1); merges with `+`. Else `ValueError`."""

    values: tuple[float, ...]
    counts: tuple[int, ...]
    _up_to: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ascending = all(a < b for a, b in pairwise(self.values))
        if not ascending or len(self.values) != len(self.counts) or any(count < 1 for count in self.counts):
            raise ValueError("values do not ascend, or a count is not positive")
        object.__setattr__(self, "_up_to", tuple(accumulate(self.counts)))

    def __add__(self, other: ValueCounts) -> ValueCounts:
        merged = dict(zip(self.values, self.counts, strict=True))
        for value, count in zip(other.values, other.counts, strict=True):
            merged[value] = merged.get(value, 0) + count
        values = tuple(sorted(merged))
        return ValueCounts(values=values, counts=tuple(merged[value] for value in values))

    @property
    def n(self) -> int:
        return self._up_to[-1] if self._up_to else 0

    def ranked(self, rank: int) -> float:
        """The rank-th smallest, 1 ≤ rank ≤ n."""
        return self.values[self.place(rank)]

    def place(self, rank: int) -> int:
        """Among the distinct values, from 0, of the rank-th smallest."""
        return bisect_left(self._up_to, rank)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """Order statistics that enclose a quantile, counted from 1, and the exact probability that they do."""

    low: int
    high: int
    coverage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileEstimate:
    """A quantile with its interval, and as an arm value (near normal) for differences and lifts."""

    value: float
    interval: Interval | Undefined
    arm: ArmValue | Undefined


def count_values(values: ArrayLike) -> ValueCounts:
    """Of any array of finite numbers."""
    found, counts = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
    return ValueCounts(values=tuple(found.tolist()), counts=tuple(counts.tolist()))


def ranks(n: int, quantile: float, alpha: float = 0.05) -> Ranks | Undefined:
    """The narrowest equal-tailed order statistics around a quantile.

    Parameters
    ----------
    n : int
        Independent values, one per unit.
    quantile, alpha
        In (0, 1), else `ValueError`.

    Returns
    -------
    Ranks
        The largest low with P(B < low) ≤ alpha/2 and the smallest high with P(B ≥ high) ≤ alpha/2, B ~ Binomial(n,
        quantile); coverage P(low ≤ B < high) ≥ 1 - alpha for any continuous distribution, more where values are tied.
        `Undefined("too_few_units")` when n values cannot reach that.

    Notes
    -----
    David & Nagaraja, Order Statistics, 3rd ed. (2003), section 7.1. Median of 100: ranks 40 and 61, coverage .964800.
    """
    _check(quantile, alpha)
    guess = max(floor(float(bdtrik(alpha / 2, n, quantile))) - 1, 0) if n else 0
    low = guess
    while low < n and bdtr(low, n, quantile) <= alpha / 2:
        low += 1
    high = n - (max(floor(float(bdtrik(alpha / 2, n, 1 - quantile))) - 1, 0) if n else 0)
    while high > 0 and bdtrc(high - 2, n, quantile) <= alpha / 2 and high > 1:
        high -= 1
    if low < 1 or high > n or bdtrc(high - 1, n, quantile) > alpha / 2:
        return TOO_FEW
    return Ranks(low=low, high=high, coverage=float(bdtr(high - 1, n, quantile) - bdtr(low - 1, n, quantile)))


def _check(quantile: float, alpha: float) -> None:
    if not (0 < quantile < 1 and 0 < alpha < 1):
        raise ValueError("a quantile, and alpha, lie in (0, 1)")


def quantile_value(counts: ValueCounts, quantile: float, alpha: float = 0.05) -> QuantileEstimate | Undefined:
    """The ⌈n·quantile⌉-th smallest value per unit, its exact interval, and its standard error.

    Returns
    -------
    QuantileEstimate
        `interval` between the order statistics of `ranks`: no assumption but independence. `arm` for comparing two arms
        (Welch, Fieller): standard error (high - low)/(2·z), z for the coverage reached.

    Notes
    -----
    By Bahadur's representation the quantile is a mean of indicators, of variance q(1 - q)/(n·f²); the width of the
    interval estimates 1/f, so that no density has to be smoothed: Deng, Knoblich & Lu (KDD 2018), section 4. It fails
    where the density is near zero, or where few values hold the mass about the quantile (a median of mostly zeros, an
    upper decile of small whole numbers): then the standard error is `Undefined("zero_variance")`. More units make such
    intervals narrower, and the steps no smaller.
    """
    _check(quantile, alpha)
    if not counts.n:
        return too_few_units(0)
    found = ranks(counts.n, quantile, alpha)
    value = counts.ranked(_rank(counts.n * quantile, counts.n))
    if isinstance(found, Undefined):
        return QuantileEstimate(value=value, interval=found, arm=found)
    return _estimate(value, counts, (found.low, found.high), 1 - found.coverage, "order statistics")


def rows_up_to(values: Sequence[float], unit_ids: Sequence[object], threshold: float) -> Moments:
    """Per unit: rows with a value ≤ threshold (numerator) and all rows (denominator). For `clustered_quantile`."""
    _, unit = np.unique(np.asarray(unit_ids), return_inverse=True)
    rows = np.bincount(unit).astype(np.float64)
    below = np.bincount(unit, weights=np.asarray(values, dtype=np.float64) <= threshold)
    x, y = below - below.mean(), rows - rows.mean()
    return Moments(
        n=len(rows),
        mean=float(below.mean()),
        m2=float(x @ x),
        denominator_mean=float(rows.mean()),
        denominator_m2=float(y @ y),
        co_m2=float(x @ y),
    )


def clustered_quantile(
    rows: ValueCounts, up_to: Moments, quantile: float, alpha: float = 0.05
) -> QuantileEstimate | Undefined:
    """Quantile over rows (page loads, orders), several of them from one randomised unit.

    Parameters
    ----------
    rows
        Values of all rows.
    up_to : Moments
        Of `rows_up_to` at the sample quantile, which is `rows.ranked(⌈rows·quantile⌉)`.

    Returns
    -------
    QuantileEstimate
        Order statistics at rows·(quantile ± z·σ), σ² the delta-method variance of the share of rows at or below the
        quantile. With one row per unit the normal approximation to `quantile_value`. Needs some 100 units.

    Notes
    -----
    Deng, Knoblich & Lu, "Applying the Delta Method in Metric Analytics", KDD 2018, section 4.2: rows of one unit are
    alike, and intervals that take them as independent are too narrow by any factor.
    """
    _check(quantile, alpha)
    share = ratio_value(up_to)
    if isinstance(share, Undefined):
        return share
    value = counts_at(rows, quantile)
    half_width = critical_value(alpha) * sqrt(share.variance)
    low, high = floor(rows.n * (quantile - half_width)), ceil(rows.n * (quantile + half_width)) + 1
    if low < 1 or high > rows.n:
        return QuantileEstimate(value=value, interval=TOO_FEW, arm=TOO_FEW)
    return _estimate(value, rows, (low, high), alpha, "delta method")


def counts_at(counts: ValueCounts, quantile: float) -> float:
    """The sample quantile of at least one value: the ⌈n·quantile⌉-th smallest."""
    return counts.ranked(_rank(counts.n * quantile, counts.n))


def _rank(position: float, n: int) -> int:
    # .1 of 30 is 3.0000000000000004 in floats, and yet the third.
    return min(max(ceil(position * (1 - 1e-12)), 1), n)


def _estimate(value: float, counts: ValueCounts, ends: tuple[int, int], tail: float, method: str) -> QuantileEstimate:
    """`ends`: ranks of the interval's."""
    low, high = map(counts.ranked, ends)
    error = (high - low) / (2 * critical_value(tail))
    dense = counts.place(ends[1]) - counts.place(ends[0]) >= FEWEST_STEPS
    arm = ArmValue(value=value, variance=error * error, degrees_of_freedom=inf) if dense else TIED
    return QuantileEstimate(value=value, interval=Interval(low=low, high=high, level=1 - tail, method=method), arm=arm)


def distribution_value(distribution: Distribution | None, quantile: float) -> ArmValue | Undefined:
    """A quantile over rows from shares of rows up to common thresholds: mergeable, clustered by unit.

    Parameters
    ----------
    distribution
        Of one arm; None: nobody.
    quantile
        In (0, 1).

    Returns
    -------
    ArmValue
        Where the share of rows reaches `quantile`, between two thresholds on the straight line from one to the other.
        Standard error (high - low)/(2z) with low and high the same at quantile ∓ z·σ, z = 1.96 and σ the delta-method
        standard error of the share (Woodruff), that of the next threshold brought to the quantile by √(q(1 - q)).
        `Undefined("too_few_units")` where these ends are outside of the values, and those of `ratio_value`.

    Notes
    -----
    As `clustered_quantile`, but at thresholds instead of order statistics, so that arms of several segments merge.
    Woodruff, "Confidence intervals for medians and other position measures", JASA 47 (1952), pp. 635-646.

    On the straight line the quantile moves in proportion to the shares, also where the distance of two thresholds is
    large against the interval: of values in steps (items, prices) and of arms whose quantile lies far from that of all.
    Read off the thresholds themselves, with one step between them, upper deciles of Poisson(20) err in .2 of A/A tests;
    on the line in .03 to .07. At a value that holds the rows just below the quantile, and few units, they err more: the
    median of a geometric law (.51 up to 2) in .12 of tests of 500 units an arm, .05 of 5,000.
    """
    if distribution is None:
        return too_few_units(0)
    shares = [ratio_value(moments) for moments in distribution.up_to]
    if isinstance(reason := shares[-1], Undefined):
        return reason
    values = np.array([1.0 if isinstance(share, Undefined) else share.value for share in shares])
    found = shares[min(_first_reaching(values, quantile), len(shares) - 1)]
    reach = 0.0 if isinstance(found, Undefined) else critical_value(0.05) * _error_at(quantile, found)
    if quantile - reach <= 0 or values[-1] < quantile + reach or values[0] > quantile - reach:
        return TOO_FEW
    low, value, high = (_on_the_line(distribution.thresholds, values, quantile + way * reach) for way in (-1, 0, 1))
    error = (high - low) / (2 * critical_value(0.05))
    if not error > 0:
        return TIED
    return ArmValue(value=value, variance=error * error, degrees_of_freedom=inf)


def _error_at(quantile: float, share: ArmValue) -> float:
    """The standard error of a share, brought to the quantile beside it; its clusters are the same."""
    own = share.value * (1 - share.value)
    return sqrt(share.variance * (quantile * (1 - quantile) / own if own > 0 else 1.0))


def _on_the_line(thresholds: Sequence[float], shares: NDArray[np.float64], quantile: float) -> float:
    """Where the shares, joined by straight lines, reach the quantile."""
    after = min(_first_reaching(shares, quantile), len(shares) - 1)
    if after == 0:
        return thresholds[0]
    below, above = thresholds[after - 1], thresholds[after]
    part = (quantile - shares[after - 1]) / (shares[after] - shares[after - 1])
    return below + min(float(part), 1.0) * (above - below)


def _first_reaching(shares: NDArray[np.float64], quantile: float) -> int:
    # .1 of 30 is 3.0000000000000004 in floats, and yet the third.
    return int(np.searchsorted(shares, quantile * (1 - 1e-12)))
