"""Maximum-likelihood rates of two proportions that differ by a given amount."""

from __future__ import annotations

from math import acos, copysign, cos, pi, sqrt

from analysis.effects.proportions import Proportion

# Newton's method doubles the digits at each step; where it has to halve intervals, 200 of them reach the smallest float
# that a count can bring about.
_MOST_STEPS = 200
_CLOSE = 4 * 2.0**-52


def restricted_low_rate(low: Proportion, high: Proportion, gap: float) -> float:
    """The rate r of `low` that makes the counts likeliest when the rate of `high` is r + gap.

    Parameters
    ----------
    low, high
        Independent binomial counts.
    gap
        In [0, 1].

    Returns
    -------
    float
        In [0, 1 - gap]: the root of the score, which falls in r, or the end of the range where it has none.

    Notes
    -----
    Miettinen & Nurminen (1985) give the root of a cubic in trigonometric form. Where the arms are of very different
    size it cancels to noise (9 of 5,025,049 against 0 of 4,053: no digit is left), so it is only the start of Newton's
    method on the score itself, kept inside of a bracket. Written in the lower of the two rates, no term cancels near 0.
    """
    if gap == 0:
        return (low.successes + high.successes) / (low.n + high.n)
    room = 1.0 - gap
    if room <= 0 or (not low.successes and _score(low, high, gap, 0.0)[0] <= 0):
        return 0.0
    if high.successes == high.n and _score(low, high, gap, room)[0] >= 0:
        return room
    return _root(low, high, gap, min(max(_cubic_root(low, high, gap), 0.0), room))


def _root(low: Proportion, high: Proportion, gap: float, start: float) -> float:
    left, right = 0.0, 1.0 - gap
    rate = start if left < start < right else (left + right) / 2
    for _ in range(_MOST_STEPS):
        score, slope = _score(low, high, gap, rate)
        if score > 0:
            left = rate
        else:
            right = rate
        moved = rate - score / slope
        if not left < moved < right:
            moved = (left + right) / 2
        if abs(moved - rate) <= _CLOSE * rate:
            return moved
        rate = moved
    return rate


def _score(low: Proportion, high: Proportion, gap: float, rate: float) -> tuple[float, float]:
    """Derivative of the log-likelihood in the lower rate, and its own derivative; terms without counts are none."""
    score = slope = 0.0
    for successes, value in ((low.successes, rate), (high.successes, rate + gap)):
        if successes:
            score += successes / value
            slope -= successes / value / value
    for failures, value in ((low.n - low.successes, 1 - rate), (high.n - high.successes, 1 - gap - rate)):
        if failures:
            score -= failures / value
            slope -= failures / value / value
    return score, slope


def _cubic_root(low: Proportion, high: Proportion, gap: float) -> float:
    n, x = low.n + high.n, low.successes + high.successes
    l2 = (high.n + 2 * low.n) * gap - n - x
    l1 = (low.n * gap - n - 2 * low.successes) * gap + x
    l0 = low.successes * gap * (1 - gap)
    shift = l2 / (3 * n)
    q = shift**3 - l1 * l2 / (6 * n * n) + l0 / (2 * n)
    p = copysign(sqrt(max(shift * shift - l1 / (3 * n), 0.0)), q)
    cosine = 0.0 if p == 0 else min(max(q / p**3, -1.0), 1.0)
    return 2 * p * cos((pi + acos(cosine)) / 3) - shift
