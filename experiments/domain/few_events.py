"""Bounds for arms in which hardly anything happens: too few events for an interval still say a lot by being few."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt

from experiments.domain.always_valid import standard_errors

_POINTS = 40
_HALVINGS = 60


def highest_ratio_of_rates(few: float, others: float, *, share: float, alpha: float) -> float | None:
    """Return the upper bound of an arm's rate over that of another one, at every look; None where nothing bounds it.

    Parameters
    ----------
    few, others
        How many of the arm, and of the other one, have converted.
    share
        The arm's share of the units of both; the least it had, if it had several.
    alpha
        The chance that the bound is ever wrong.

    Notes
    -----
    Where the arm's rate is at least θ times the other's, each next one to convert is of the arm with a chance of at
    least p = θ·share / (θ·share + 1 - share), whatever was before. For any q < p the product of q/p for each of the arm
    and (1 - q)/(1 - p) for each other one is then a supermartingale, and so is the mean over several q. By Ville's
    inequality it ever reaches 1/alpha with a chance of at most alpha. The bound is the least θ at which it has. No
    normal approximation is made, so it holds from the first one that converts.
    """
    if others <= 0 or not 0 < share < 1:
        return None
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if _evidence(few, others, middle) >= -log(alpha) else (middle, high)
    return None if high >= 1 else high / (1 - high) * (1 - share) / share


def _evidence(few: float, others: float, chance: float) -> float:
    """The logarithm of the mean over evenly spread q below that chance."""
    parts = [(point + 0.5) / _POINTS for point in range(_POINTS)]
    logs = [few * log(part) + others * (log(1 - part * chance) - log(1 - chance)) for part in parts]
    most = max(logs)
    return most + log(sum(exp(one - most) for one in logs) / _POINTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Units of one arm, and the mean of a metric over them."""

    units: float
    mean: float


def highest_ratio_of_means(
    few: Counted, others: Counted, *, spread: float, alpha: float, tuned_for_units: int, minimum_events: float
) -> float | None:
    """Return the upper bound of an arm's mean over that of another one, at every look; None where nothing bounds it.

    Parameters
    ----------
    few, others
        The arm in which hardly anything happens, and the one it is compared with. Means are not negative.
    spread
        A unit's standard deviation with the others, over their mean.
    alpha
        The chance that the bound is ever wrong.
    tuned_for_units
        How many units the confidence sequence is narrowest at.
    minimum_events
        How many events have to stand behind the others' mean, and would behind the arm's: (mean over standard error)²,
        as the engine counts them.

    Notes
    -----
    The arm's own standard deviation is no use where nearly every unit has nothing: it is as small as the mean. So θ is
    asked whether it could be the ratio: then the arm's units would be the others' times θ, with the same relative
    spread s. It could not where θ·m - m' > c·θ·m·s·√(1/n + 1/n'), with the always-valid c. The bound is the least θ of
    which that is true. It assumes the same relative spread if nothing has changed for the worse, and one split all
    along. Where the arm is as good as the others, both have enough events for a normal approximation, by
    `minimum_events`.
    """
    units = min(few.units, others.units)
    if others.mean <= 0 or few.mean < 0 or units <= 0 or units < minimum_events * spread**2:
        return None
    critical = standard_errors(few.units + others.units, alpha=alpha, tuned_for_units=tuned_for_units)
    left = 1 - critical * spread * sqrt(1 / few.units + 1 / others.units)
    return few.mean / (others.mean * left) if left > 0 else None
