"""What a holdback will be able to show, before it has: planning numbers, never evidence."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

from experiments.domain.always_valid import standard_errors

POWER = 0.8


def detectable_lift(
    *, relative_spread: float, held_units: float, live_units: float, alpha: float, tuned_for_units: int
) -> float:
    """Return the smallest lift that so many units show with a chance of .8, looked at as often as one likes.

    `relative_spread` is a unit's standard deviation over the mean. With c standard errors for a confidence sequence:
    (c + z.8) standard errors of the difference, over the mean.
    """
    critical = standard_errors(held_units + live_units, alpha=alpha, tuned_for_units=tuned_for_units)
    error = relative_spread * sqrt(1 / held_units + 1 / live_units)
    return (critical + NormalDist().inv_cdf(POWER)) * error
