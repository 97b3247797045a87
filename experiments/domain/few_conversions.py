"""A bound for arms that hardly convert: too few events for standard errors still say a lot by their number."""

from __future__ import annotations

from math import exp, log

_POINTS = 40
_HALVINGS = 60


def highest_ratio(few: float, others: float, *, share: float, alpha: float) -> float | None:
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
