"""Looking at any time, in the standard library: the engine's confidence sequence for planning and for rough bounds."""

from __future__ import annotations

from math import log, log1p, sqrt


def standard_errors(units: float, *, alpha: float, tuned_for_units: int) -> float:
    """Return how many standard errors wide, to each side, the sequence is at `units` units of both arms together.

    That of the engine: `analysis.inference.sequential.multiplier` (arXiv 2103.06476, eq. 9).
    """
    evidence = -2 * log(alpha)
    clock = units * (evidence + log1p(evidence)) / tuned_for_units
    return sqrt((clock + 1) / clock * (log1p(clock) + evidence))
