"""Thresholds that a person would have chosen."""

from __future__ import annotations

from math import floor, log10

import numpy as np

from segmentation.rules.columns import Floats

_MOST_DIGITS = 6


def readable(threshold: float, values: Floats, tolerance: float = 0.005) -> float:
    """The threshold with the fewest digits that moves hardly anybody to the other side.

    Parameters
    ----------
    threshold
        x ≤ threshold is one side.
    values : ndarray, shape (n,)
        Of the units at hand, without missing ones.
    tolerance
        Share of the units that may change sides, in [0, 1).

    Returns
    -------
    float
        At most six significant digits, or the threshold as it is where even those move too many; of whole numbers a
        whole number.
    """
    if np.all(values == np.floor(values)):
        threshold = float(floor(threshold))
    at_most = np.count_nonzero(values <= threshold)
    for digits in range(1, _MOST_DIGITS + 1):
        candidate = _rounded(threshold, digits)
        if abs(np.count_nonzero(values <= candidate) - at_most) <= tolerance * len(values):
            return candidate
    return threshold


def _rounded(value: float, digits: int) -> float:
    if value == 0:
        return 0.0
    return round(value, digits - 1 - floor(log10(abs(value))))
