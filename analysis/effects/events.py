"""How many events an arm's value rests on: whether its standard error can be believed yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.groups import Groups, largest_over_strata, over_strata
from analysis.moments import Moments
from analysis.plan import MetricKind

# Any-look error of A/A tests with 100 looks at alpha .05 (1,000 or 2,000 runs, a standard error of .005 to .007),
# for counts (Poisson .01, .05), revenue (20 % payers, lognormal σ 1; 5 %, σ 2) and orders per visit (3 %), the worst
# of them. No floor: .027 at 1:1, .068 at 3:1, .29 at 9:1, .39 at 19:1. Ten: .027 at 1:1 to 2:1, .037 at 3:1, but .13 at
# 9:1 and .23 at 19:1. Fifty: .054 at 9:1 and .048 at 19:1 (thirty: .077 and .098). A skewed mean has an error that is
# itself skewed, and only arms of about equal size cancel each other's.
EVENTS_NEEDED = 10
EVENTS_NEEDED_WHEN_UNEQUAL = 50
UNEQUAL = 3.0

# The axis of arms, from the end: arms, rows, strata.
_ARMS = -3

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Supports:
    """The effective events of two compared arms, row by row, and how many each of them needs."""

    treatment: Floats
    baseline: Floats
    needed: Floats

    @property
    def is_enough(self) -> NDArray[np.bool_]:
        enough: NDArray[np.bool_] = np.minimum(self.treatment, self.baseline) >= self.needed
        return enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """The same of one comparison."""

    treatment: float
    baseline: float
    needed: int

    @property
    def is_enough(self) -> bool:
        return min(self.treatment, self.baseline) >= self.needed


def supports(kind: MetricKind, share: Floats, arms: Groups) -> Supports:
    """What comparisons of counts, means or ratios rest on.

    Parameters
    ----------
    kind
        For a ratio numerators and denominators are looked at, and the scarcer of them counts.
    share
        Of the strata (last axis) in the effect; they add up to 1, and are 0 for strata that are not in it.
    arms
        Treatments, then baselines: shape (2, rows, strata).

    Notes
    -----
    An arm's value is a weighted sum of its units' values x, with weight a = share/n in each stratum. Its effective
    number of events is Kish's, of sizes: (Σ a·|x|)² / Σ a²·x²; in one stratum of values of one sign (n·mean)² / (m2 +
    n·mean²), which is the number of converted customers for a conversion, and less the more a few customers weigh.
    Values of both signs (a margin with losses) count by their size, not by their sum. An arm in which a stratum has
    nothing has there what both arms together have: its s² of 0 is no knowledge, and would hide a stratum of few units
    and much weight. (A start with 1 % of 12,000, then 50 %; counts or a ratio, 1.5 % with an event: .16 of A/A tests
    erred at one of three looks, whatever alpha was, and .007 with the true variance.) Two arms are unequal when their
    effective numbers of units, the same of x = 1, are further apart than 3:1.
    """
    unequal = _unequal(share, arms.n)
    events = _events(kind, share, arms)
    return Supports(
        treatment=events[0],
        baseline=events[1],
        needed=np.where(unequal, float(EVENTS_NEEDED_WHEN_UNEQUAL), float(EVENTS_NEEDED)),
    )


def rate_supports(share: Floats, n: Floats, successes: Floats) -> Supports:
    """The same of conversions: effective numbers of successes, or of failures where these are scarcer.

    Parameters
    ----------
    share, n, successes
        As of `supports`; n and successes of treatments, then of baselines, shape (2, rows, strata).

    Notes
    -----
    What an arm may expect if nothing differs counts, or what it has where that is more, in strata with at least
    `EVENTS_NEEDED`: the score test's variance is that of both arms together, a treatment may do away with an event, and
    by chance a few units have some. Nothing is needed where arms are about equal. Where they are not, the smaller one's
    first event comes too soon (.0005 in 2 %, looked at 16 times: .08 of tests err without a floor).
    """
    both, n = np.array((successes, n - successes)), np.maximum(n, 1.0)
    expected = both.sum(axis=_ARMS, keepdims=True) / n.sum(axis=_ARMS, keepdims=True)
    rates = np.array((np.broadcast_to(expected, both.shape), np.where(both >= EVENTS_NEEDED, both / n, expected)))
    total, squares = over_strata(share * rates), over_strata(share * share / n * rates)
    events = _over(total * total, squares).max(axis=0).min(axis=0)
    needed = np.where(_unequal(share, n), float(EVENTS_NEEDED), 0.0)
    return Supports(treatment=events[0], baseline=events[1], needed=needed)


def _over(total: Floats, squares: Floats) -> Floats:
    """Ten events are ten, whatever the last bit says; of nothing there are none."""
    found = np.where(squares > 0, total / np.where(squares > 0, squares, 1.0), 0.0)
    return np.asarray(found.round(6), dtype=np.float64)


def _unequal(share: Floats, n: Floats) -> NDArray[np.bool_]:
    sizes = 1 / _sum(share * share / np.maximum(n, 1.0))
    unequal: NDArray[np.bool_] = np.maximum(sizes[0], sizes[1]) > UNEQUAL * np.minimum(sizes[0], sizes[1])
    return unequal


def support(
    kind: MetricKind, shares: Sequence[float], treatment: Sequence[Moments], baseline: Sequence[Moments]
) -> Support:
    """The same of one comparison, by stratum; n ≥ 1 in all."""
    found = supports(kind, np.array([shares]), Groups.of([treatment, baseline]).take(np.s_[:, None]))
    return Support(treatment=float(found.treatment[0]), baseline=float(found.baseline[0]), needed=int(found.needed[0]))


def _sum(terms: Floats) -> Floats:
    total = over_strata(terms)
    return np.where(total > 0, total, np.nan)


def _events(kind: MetricKind, share: Floats, arm: Groups) -> Floats:
    if kind != "ratio":
        return _effective(share, arm.n, arm.absolute_mean, arm.mean, arm.m2)
    other = arm.denominator_mean
    means, sizes = np.array((arm.mean, other)), np.array((arm.absolute_mean, np.abs(other)))
    both = _effective(share, arm.n, sizes, means, np.array((arm.m2, arm.denominator_m2)))
    scarcer: Floats = np.minimum(both[0], both[1])
    return scarcer


def _effective(share: Floats, n: Floats, size: Floats, mean: Floats, m2: Floats) -> Floats:
    largest = largest_over_strata(np.where(share > 0, size, 0.0))[..., None]
    # In units of the largest mean of both arms, for the squares of what may be 1e50.
    unit = largest.max(axis=_ARMS, keepdims=True)
    unit = np.where(unit > 0, unit, 1.0)
    n = np.maximum(n, 1.0)
    total = over_strata(share * (size / unit))
    square = m2 / n / unit / unit + (mean / unit) ** 2
    of_both = (square * n).sum(axis=_ARMS, keepdims=True) / n.sum(axis=_ARMS, keepdims=True)
    squares = over_strata(share * share / n * np.where(square > 0, square, of_both))
    return _over(total * total, squares)
