"""Maximum-likelihood rates of two proportions that differ by a given amount; arrays of any one shape throughout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

# Newton's method doubles the digits at each step; where it has to halve intervals, 200 of them reach the smallest float
# that a count can bring about.
_MOST_STEPS = 200
# A step of Newton's that is this small leaves an error of its square.
_CLOSE = 1e-8
_NIL = 2.0**-50


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoCounts:
    """Successes among n, 0 ≤ successes ≤ n, n ≥ 1: of the arm whose rate is lower by the gap, and of the other one."""

    low: Floats
    low_n: Floats
    high: Floats
    high_n: Floats


def restricted_low_rate(counts: TwoCounts, gap: Floats) -> Floats:
    """The rate r of the low arm that makes the counts likeliest when the rate of the high one is r + gap.

    Parameters
    ----------
    counts
        Independent binomial counts.
    gap
        In [0, 1].

    Returns
    -------
    array
        In [0, 1 - gap]: the root of the score, which falls in r, or the end of the range where it has none.

    Notes
    -----
    Miettinen & Nurminen (1985) give the root of a cubic in trigonometric form. Where the arms are of very different
    size it cancels to noise (9 of 5,025,049 against 0 of 4,053: no digit is left), so it is only the start of Newton's
    method on the score itself, kept inside of a bracket. Written in the lower of the two rates, no term cancels near 0.
    """
    room = 1.0 - gap
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (counts.low + counts.high) / (counts.low_n + counts.high_n)
        at_bottom = (room <= 0) | ((counts.low == 0) & (_score_at_bottom(counts, gap) <= 0))
        at_top = ~at_bottom & (counts.high == counts.high_n) & (_score_at_top(counts, gap) >= 0)
        rate = np.where(at_bottom, 0.0, np.where(at_top, room, pooled))
        inside = ~(at_bottom | at_top | (gap == 0))
        return np.where(inside, _root(counts, gap, ~inside), rate) if inside.any() else rate


def _root(counts: TwoCounts, gap: Floats, is_known: NDArray[np.bool_]) -> Floats:
    start, room = _cubic_root(counts, gap), 1.0 - gap
    left, right = np.zeros_like(start), room
    rate = np.where((left < start) & (start < right), start, right / 2)
    low_failures, high_failures = counts.low_n - counts.low, counts.high_n - counts.high
    for _ in range(_MOST_STEPS):
        # Derivative of the log-likelihood in the lower rate, and its own derivative.
        other, rest, other_rest = rate + gap, 1 - rate, room - rate
        a, b, c, d = counts.low / rate, counts.high / other, low_failures / rest, high_failures / other_rest
        score = a + b - c - d
        slope = -(a / rate + b / other + c / rest + d / other_rest)
        left, right = np.where(score > 0, rate, left), np.where(score > 0, right, rate)
        moved = rate - score / slope
        inside = (left < moved) & (moved < right)
        is_done = np.where(inside, np.abs(moved - rate) <= _CLOSE * rate, (score == 0) | (right - left <= _NIL * rate))
        moved = np.where(inside, moved, np.where(score == 0, rate, (left + right) / 2))
        rate = np.where(is_known, rate, moved)
        is_known = is_known | is_done
        if is_known.all():
            return rate
    return rate


def _score_at_bottom(counts: TwoCounts, gap: Floats) -> Floats:
    """At rate 0, where the low arm has no success; terms without counts are none."""
    failures = counts.high_n - counts.high
    lost = np.where(failures > 0, failures / (1 - gap), 0.0)
    return np.where(counts.high > 0, counts.high / gap, 0.0) - counts.low_n - lost


def _score_at_top(counts: TwoCounts, gap: Floats) -> Floats:
    """At rate 1 - gap, where the high arm has no failure."""
    failures = counts.low_n - counts.low
    won = np.where(counts.low > 0, counts.low / (1 - gap), 0.0)
    return won + counts.high - np.where(failures > 0, failures / gap, 0.0)


def _cubic_root(counts: TwoCounts, gap: Floats) -> Floats:
    n, x = counts.low_n + counts.high_n, counts.low + counts.high
    l2 = (counts.high_n + 2 * counts.low_n) * gap - n - x
    l1 = (counts.low_n * gap - n - 2 * counts.low) * gap + x
    l0 = counts.low * gap * (1 - gap)
    shift = l2 / (3 * n)
    q = shift**3 - l1 * l2 / (6 * n * n) + l0 / (2 * n)
    p = np.copysign(np.sqrt(np.maximum(shift * shift - l1 / (3 * n), 0.0)), q)
    cosine = np.where(p == 0, 0.0, np.clip(q / np.where(p == 0, 1.0, p**3), -1.0, 1.0))
    return 2 * p * np.cos((np.pi + np.arccos(cosine)) / 3) - shift
