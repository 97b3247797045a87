"""How many events an arm's value rests on: whether its standard error can be believed yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """The effective events of two compared arms, and how many each of them needs."""

    treatment: float
    baseline: float
    needed: int

    @property
    def is_enough(self) -> bool:
        return min(self.treatment, self.baseline) >= self.needed


def support(
    kind: MetricKind, shares: Sequence[float], treatment: Sequence[Moments], baseline: Sequence[Moments]
) -> Support:
    """What a comparison of counts, means or ratios rests on.

    Parameters
    ----------
    kind
        For a ratio numerators and denominators are looked at, and the scarcer of them counts.
    shares
        Of the strata in the effect; they add up to 1.
    treatment, baseline
        Moments by stratum, n ≥ 1 in all.

    Notes
    -----
    An arm's value is a weighted sum of its units' values x, with weight a = share/n in each stratum. Its effective
    number of events is Kish's (Σ a·x)² / Σ a²·x²: in one stratum (n·mean)² / (m2 + n·mean²), which is the number of
    converted customers for a conversion, and less the more a few customers weigh. Two arms are unequal when their
    effective numbers of units, the same of x = 1, are further apart than 3:1.

    Made for values of one sign. Those around zero (a balance, a margin with losses) have few effective events however
    many units there are: the comparison then waits without need, it does not err.
    """
    sizes = [
        1 / sum(share * share / group.n for share, group in zip(shares, arm, strict=True))
        for arm in (treatment, baseline)
    ]
    return Support(
        treatment=_events(kind, shares, treatment),
        baseline=_events(kind, shares, baseline),
        needed=EVENTS_NEEDED_WHEN_UNEQUAL if max(sizes) > UNEQUAL * min(sizes) else EVENTS_NEEDED,
    )


def _events(kind: MetricKind, shares: Sequence[float], arm: Sequence[Moments]) -> float:
    of_values = _effective(shares, [(group.n, group.mean, group.m2) for group in arm])
    if kind != "ratio":
        return of_values
    return min(
        of_values, _effective(shares, [(group.n, group.denominator_mean, group.denominator_m2) for group in arm])
    )


def _effective(shares: Sequence[float], groups: Sequence[tuple[int, float, float]]) -> float:
    largest = max(abs(mean) for _, mean, _ in groups)
    if largest == 0:
        return 0.0
    # In units of the largest mean, for the squares of what may be 1e50.
    total = sum(share * (mean / largest) for share, (_, mean, _) in zip(shares, groups, strict=True))
    squares = sum(
        share * share / n * (m2 / n / largest / largest + (mean / largest) ** 2)
        for share, (n, mean, m2) in zip(shares, groups, strict=True)
    )
    # Ten events are ten, whatever the last bit says.
    return round(total * total / squares, 6)
