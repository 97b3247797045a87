"""Looking a few times: group-sequential boundaries and alpha spending.

The other legal rule besides confidence sequences: narrower at each look, but only these looks, and their timing must
not depend on the results. Jennison & Turnbull, "Group Sequential Methods with Applications to Clinical Trials" (2000).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import e, inf, isfinite, log1p, sqrt
from typing import Literal

from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from analysis.estimate import Undefined
from analysis.inference.crossing import Continuing, Region, chance_above, crossing_chances, first_look, next_look

Sides = Literal[1, 2]
Family = Literal["obrien_fleming", "pocock", "power"]

NOTHING_TO_SPEND = Undefined(
    reason="nothing_to_spend", message="No error rate is left for this look: it cannot decide anything."
)
_LOWEST = -10.0
_CLOSE = 1e-11


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """How much of `alpha` may be used up by the time a fraction of the planned information is in.

    Notes
    -----
    With a = alpha/sides for each side, Φ̄ the normal survival function and z its inverse: "obrien_fleming"
    2·Φ̄(z(a/2)/√t), next to nothing early; "pocock" a·log(1 + (e - 1)t), nearly even; "power" a·t^exponent (Kim & DeMets
    1987: exponent 1 lies near Pocock, 3 near O'Brien–Fleming). Lan & DeMets, "Discrete sequential boundaries for
    clinical trials", Biometrika 70 (1983), pp. 659-663.

    Raises
    ------
    ValueError
        alpha not in (0, 1), or an exponent that is not positive.
    """

    family: Family = "obrien_fleming"
    alpha: float = 0.05
    sides: Sides = 2
    exponent: float = 1.0

    def __post_init__(self) -> None:
        _check_alpha(self.alpha)
        if not 0 < self.exponent < inf:
            raise ValueError(f"an exponent must be positive: {self.exponent}")

    def spent(self, fraction: float) -> float:
        """Of all sides together, at `fraction` ≥ 0 of the planned information; all of alpha from 1 on."""
        if fraction <= 0:
            return 0.0
        if fraction >= 1:
            return self.alpha
        each = self.alpha / self.sides
        if self.family == "obrien_fleming":
            each = 2 * float(ndtr(float(ndtri(each / 2)) / sqrt(fraction)))
        elif self.family == "pocock":
            each *= log1p((e - 1) * fraction)
        else:
            each *= fraction**self.exponent
        return self.sides * each

    def at(self, alpha: float) -> Spending:
        return Spending(family=self.family, alpha=alpha, sides=self.sides, exponent=self.exponent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """Of one look: stop when |z| (one-sided: z) > `critical`; `spent` is the error rate used up to here."""

    fraction: float
    critical: float | Undefined
    spent: float


def obrien_fleming(looks: int, *, alpha: float = 0.05, sides: Sides = 2) -> tuple[float, ...]:
    """Critical values c·√(K/k) at K looks after equal portions of information.

    O'Brien & Fleming, "A multiple testing procedure for clinical trials", Biometrics 35 (1979), pp. 549-556.

    Raises
    ------
    ValueError
        looks < 1, or alpha not in (0, 1); one-sided it must be below .5.
    """
    return _shaped([sqrt(looks / k) for k in range(1, looks + 1)], alpha, sides)


def pocock(looks: int, *, alpha: float = 0.05, sides: Sides = 2) -> tuple[float, ...]:
    """One critical value for all K looks after equal portions of information.

    Pocock, "Group sequential methods in the design and analysis of clinical trials", Biometrika 64 (1977), pp. 191-199.
    Raises as `obrien_fleming` does.
    """
    return _shaped([1.0] * looks, alpha, sides)


def any_look_chance(
    critical: Sequence[float], *, fractions: Sequence[float] | None = None, drift: float = 0.0, sides: Sides = 2
) -> float:
    """Chance that |z| (one-sided: z) exceeds its critical value at any look.

    Parameters
    ----------
    critical
        One per look; `inf` where a look may not decide.
    fractions
        Of the planned information, positive and increasing; None: equal portions.
    drift
        Mean of z at fraction 1. 0: the any-look error. Otherwise the power, e.g. of difference / standard error.

    Raises
    ------
    ValueError
        No looks, or fractions that do not increase from above 0.
    """
    reached = _equal_portions(len(critical)) if fractions is None else tuple(fractions)
    check_fractions(reached)
    regions = [region(c, sides) for c in critical]
    return sum(below + above for below, above in crossing_chances(regions, reached, drift))


def spending_boundaries(spending: Spending, fractions: Sequence[float]) -> tuple[Boundary, ...]:
    """Boundaries at looks that need not have been planned: each uses up what the function has released since the last.

    Parameters
    ----------
    spending
        Chosen before the data.
    fractions
        Information of every look so far over the planned information (units over planned units, the variance being
        the same throughout); positive, increasing, may end beyond 1. When one looks must not depend on what one saw.

    Returns
    -------
    tuple of Boundary
        Such that P(first crossing at look k) = spent(t_k) - spent(t_{k-1}), half on each side when two-sided.
        `Undefined("nothing_to_spend")` for a look after all was spent, or so early that next to nothing is released.

    Raises
    ------
    ValueError
        No looks, or fractions that do not increase from above 0: looking twice at the same data is one look.
    """
    check_fractions(fractions)
    boundaries: list[Boundary] = []
    state: Continuing | None = None
    before = 0.0
    for fraction in fractions:
        spent = spending.spent(fraction)
        critical = _critical(state, fraction, (spent - before) / spending.sides, spending.sides)
        inside = region(critical, spending.sides)
        state = first_look(fraction, inside) if state is None else next_look(state, fraction, inside)
        shown = critical if isfinite(critical) else NOTHING_TO_SPEND
        boundaries.append(Boundary(fraction=fraction, critical=shown, spent=spent))
        before = spent
    return tuple(boundaries)


def region(critical: float | Undefined, sides: Sides) -> Region:
    """Where one goes on; everywhere if there is no critical value."""
    high = inf if isinstance(critical, Undefined) else critical
    return Region(-high if sides == 2 else -inf, high)


def _critical(state: Continuing | None, fraction: float, target: float, sides: Sides) -> float:
    """c with P(not stopped before, Z > c) = target on one side; infinite if the target is nothing."""
    highest = -float(ndtri(target)) if target > 0 else inf
    if state is None or highest == inf:
        return highest
    lowest = 0.0 if sides == 2 else _LOWEST

    def excess(bound: float) -> float:
        return chance_above(state, fraction, bound) - target

    # At either end only rounding can have the wrong sign: everybody stops, or nobody was ever near.
    if excess(lowest) <= 0:
        return lowest
    return float(brentq(excess, lowest, highest, xtol=_CLOSE)) if excess(highest) < 0 else highest


def _shaped(shape: Sequence[float], alpha: float, sides: Sides) -> tuple[float, ...]:
    """c·shape with the c that makes the any-look error alpha."""
    _check_alpha(alpha)
    if not shape:
        raise ValueError("a design needs at least one look")
    if sides == 1 and alpha >= 0.5:
        raise ValueError(f"a one-sided alpha must be below .5: {alpha}")

    def excess(factor: float) -> float:
        return any_look_chance([factor * value for value in shape], sides=sides) - alpha

    bonferroni = -float(ndtri(alpha / (sides * len(shape))))
    factor = float(brentq(excess, 0.0, bonferroni + _CLOSE, xtol=_CLOSE)) if len(shape) > 1 else bonferroni
    return tuple(factor * value for value in shape)


def _equal_portions(looks: int) -> tuple[float, ...]:
    return tuple(k / looks for k in range(1, looks + 1))


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"an error rate must be between 0 and 1: {alpha}")


def check_fractions(fractions: Sequence[float]) -> None:
    steps = pairwise([0.0, *fractions])
    if not fractions or not all(isfinite(after) and after > before for before, after in steps):
        raise ValueError(f"fractions of information must increase from above 0: {tuple(fractions)}")
