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
    Values of both signs (a margin with losses) count by their size, not by their sum. Two arms are unequal when their
    effective numbers of units, the same of x = 1, are further apart than 3:1.
    """
    sizes = 1 / _sum(share * share / np.maximum(arms.n, 1.0))
    unequal = np.maximum(sizes[0], sizes[1]) > UNEQUAL * np.minimum(sizes[0], sizes[1])
    events = _events(kind, share, arms)
    return Supports(
        treatment=events[0],
        baseline=events[1],
        needed=np.where(unequal, float(EVENTS_NEEDED_WHEN_UNEQUAL), float(EVENTS_NEEDED)),
    )


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
    nothing = largest == 0
    unit = np.where(nothing, 1.0, largest)
    n = np.maximum(n, 1.0)
    # In units of the largest mean, for the squares of what may be 1e50.
    total = over_strata(share * (size / unit))
    squares = over_strata(share * share / n * (m2 / n / unit / unit + (mean / unit) ** 2))
    # Ten events are ten, whatever the last bit says.
    found = np.where(nothing[..., 0], 0.0, total * total / np.where(squares > 0, squares, 1.0))
    return np.asarray(found.round(6), dtype=np.float64)
