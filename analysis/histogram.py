"""How often each value occurred, to moments: exact counts in, correctly rounded sums out."""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from analysis.moments import Moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def moments_by_arm(rows: pa.Table, units: Mapping[int, int]) -> dict[int, Moments]:
    """Moments of every arm that holds units.

    Parameters
    ----------
    rows : pyarrow.Table
        `arm`, `x`, `y`, `size`: so many units of the arm (a number ≥ 0) have the values x and y. Any order.
    units
        All units of each arm. Those missing from the histogram had no event: x = y = 0.

    Returns
    -------
    dict
        One entry per key of `units`.
    """
    arm, x, y, size = (rows[name].to_numpy() for name in ("arm", "x", "y", "size"))
    order = np.argsort(arm, kind="stable")
    x, y, size = (column[order].astype(np.float64) for column in (x, y, size))
    found = {}
    for number, n in units.items():
        start, stop = np.searchsorted(arm[order], [number, number + 1])
        found[number] = _moments(x[start:stop], y[start:stop], size[start:stop], n)
    return found


def _moments(x: Floats, y: Floats, size: Floats, n: int) -> Moments:
    without_event = n - fsum(size)
    if without_event:
        x, y, size = (np.append(column, value) for column, value in ((x, 0.0), (y, 0.0), (size, without_event)))
    mean, denominator_mean = _mean(x, size, n), _mean(y, size, n)
    dx, dy = x - mean, y - denominator_mean
    return Moments(
        n=n,
        mean=mean,
        m2=_centred(dx, dx, size, n),
        denominator_mean=denominator_mean,
        denominator_m2=_centred(dy, dy, size, n),
        co_m2=_centred(dx, dy, size, n),
    )


def _mean(x: Floats, size: Floats, n: int) -> float:
    # From the smallest value, so that equal values have exactly that mean.
    shift = float(x.min())
    return shift + fsum((x - shift) * size) / n


def _centred(dx: Floats, dy: Floats, size: Floats, n: int) -> float:
    """Sum of dx·dy, less what the rounding of the two means left in it (the corrected two-pass algorithm)."""
    total = fsum(dx * dy * size) - fsum(dx * size) * fsum(dy * size) / n
    return max(total, 0.0) if dx is dy else total
