"""Chances that a score which is looked at several times crosses a boundary: recursive numerical integration.

Armitage, McPherson & Rowe, "Repeated significance tests on accumulating data", JRSS A 132 (1969), pp. 235-244; the grid
is that of Jennison & Turnbull, "Group Sequential Methods with Applications to Clinical Trials" (2000), chapter 19.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]

# Knots to 1.5 standard deviations in the middle, fewer outside: five looks are right to eight digits, a hundred to six.
_FINENESS = 40


class Region(NamedTuple):
    """Where one goes on: low ≤ Z ≤ high; either may be infinite."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuing:
    """The distribution of Z at a look, among those that have not stopped at it or before.

    `mass` are the density at the points `z` times Simpson's weights: sums over it are integrals. `information` is on
    the scale of the fractions, `drift` the mean of Z at information 1.
    """

    information: float
    drift: float
    z: Floats
    mass: Floats


def first_look(information: float, region: Region, drift: float = 0.0) -> Continuing:
    """Z ~ N(drift·√information, 1), cut to the region."""
    centre = drift * sqrt(information)
    z, weights = _grid(region, centre)
    return Continuing(information=information, drift=drift, z=z, mass=weights * _density(z - centre))


def next_look(before: Continuing, information: float, region: Region) -> Continuing:
    """One look on: the increment Z√I - Z'√I' is independent of the past, N(drift·(I - I'), I - I')."""
    z, weights = _grid(region, before.drift * sqrt(information))
    step = sqrt(information - before.information)
    ahead = z[:, None] * sqrt(information) - _expected(before, information)[None, :]
    density = _density(ahead / step) @ before.mass
    mass = weights * density * sqrt(information) / step
    return Continuing(information=information, drift=before.drift, z=z, mass=mass)


def chance_above(before: Continuing, information: float, bound: float) -> float:
    """P(not stopped before, and Z > bound at the next look)."""
    step = sqrt(information - before.information)
    return float(ndtr((_expected(before, information) - bound * sqrt(information)) / step) @ before.mass)


def chance_below(before: Continuing, information: float, bound: float) -> float:
    """P(not stopped before, and Z < bound at the next look)."""
    step = sqrt(information - before.information)
    return float(ndtr((bound * sqrt(information) - _expected(before, information)) / step) @ before.mass)


def crossing_chances(
    regions: Sequence[Region], information: Sequence[float], drift: float = 0.0
) -> tuple[tuple[float, float], ...]:
    """For each look, the chances to stop there below and above.

    Parameters
    ----------
    regions
        One per look.
    information
        Positive, increasing; 1 is where Z has mean `drift`.
    """
    centre = drift * sqrt(information[0])
    chances = [(float(ndtr(regions[0].low - centre)), float(ndtr(centre - regions[0].high)))]
    state = first_look(information[0], regions[0], drift)
    for reached, region in zip(information[1:], regions[1:], strict=True):
        chances.append((chance_below(state, reached, region.low), chance_above(state, reached, region.high)))
        state = next_look(state, reached, region)
    return tuple(chances)


def _expected(before: Continuing, information: float) -> Floats:
    """The mean of Z√I at the next look, for each z at this one."""
    return before.z * sqrt(before.information) + before.drift * (information - before.information)


def _density(x: Floats) -> Floats:
    return np.exp(-0.5 * x * x) / sqrt(2 * pi)


def _grid(region: Region, centre: float) -> tuple[Floats, Floats]:
    """Points and Simpson weights, dense about `centre`, cut to the region; none if the region is empty."""
    r = _FINENESS
    outer = 3 + 4 * np.log(r / np.arange(1.0, r))
    inner = np.linspace(-3.0, 3.0, 4 * r + 1)
    all_points = centre + np.concatenate([-outer, inner, outer[::-1]])
    low, high = max(region.low, float(all_points[0])), min(region.high, float(all_points[-1]))
    if not low < high:
        return np.empty(0), np.empty(0)
    within = all_points[(all_points > low) & (all_points < high)]
    knots = np.concatenate([[low], within, [high]])
    points = np.empty(2 * len(knots) - 1)
    points[::2], points[1::2] = knots, (knots[1:] + knots[:-1]) / 2
    widths = np.diff(knots)
    weights = np.zeros(len(points))
    weights[:-2:2] += widths / 6
    weights[2::2] += widths / 6
    weights[1::2] = widths * 4 / 6
    return points, weights
