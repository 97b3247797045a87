"""What a holdback will be able to show, before it has: planning numbers, never evidence."""

from __future__ import annotations

from math import log, log1p, sqrt
from statistics import NormalDist

POWER = 0.8


def detectable_lift(
    *, relative_spread: float, held_units: float, live_units: float, alpha: float, tuned_for_units: int
) -> float:
    """Return the smallest lift that so many units show with a chance of .8, looked at as often as one likes.

    `relative_spread` is a unit's standard deviation over the mean. The confidence sequence is that of the engine
    (arXiv 2103.06476, eq. 9), here in the standard library: (c + z.8) standard errors of the difference, over the mean.
    """
    evidence = -2 * log(alpha)
    clock = (held_units + live_units) * (evidence + log1p(evidence)) / tuned_for_units
    critical = sqrt((clock + 1) / clock * (log1p(clock) + evidence))
    error = relative_spread * sqrt(1 / held_units + 1 / live_units)
    return (critical + NormalDist().inv_cdf(POWER)) * error
