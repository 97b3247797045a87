"""Sums by arm over groups of units, and what an honest tree thinks of a leaf that has them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from segmentation.discovery.experiment import Experiment
from segmentation.rules.columns import Floats

Sums: TypeAlias = Floats
"""Shape (..., 6): units, sum and sum of squares of the treated, then of the control."""

Codes: TypeAlias = NDArray[np.intp]


def sums_by(experiment: Experiment, codes: Codes, groups: int) -> Sums:
    """Shape (groups, 6). Outcomes are taken as they come: centre them first."""
    found = np.empty((groups, 6))
    for start, arm in ((0, experiment.treated), (3, ~experiment.treated)):
        chosen, values = codes[arm], experiment.outcome[arm]
        found[:, start] = np.bincount(chosen, minlength=groups)
        found[:, start + 1] = np.bincount(chosen, weights=values, minlength=groups)
        found[:, start + 2] = np.bincount(chosen, weights=values * values, minlength=groups)
    return found


def effect(sums: Sums) -> Floats:
    """Difference of means, shape (...); 0 where an arm is empty."""
    treated = np.divide(sums[..., 1], sums[..., 0], out=np.zeros(sums.shape[:-1]), where=sums[..., 0] > 0)
    control = np.divide(sums[..., 4], sums[..., 3], out=np.zeros(sums.shape[:-1]), where=sums[..., 3] > 0)
    difference: Floats = np.where((sums[..., 0] > 0) & (sums[..., 3] > 0), treated - control, 0.0)
    return difference


def noise(sums: Sums) -> Floats:
    """n·(s₁²/n₁ + s₀²/n₀), shape (...): what a unit adds to the effect's variance; infinite below two units an arm."""
    total = np.zeros(sums.shape[:-1])
    for start in (0, 3):
        n, one, two = (sums[..., start + i] for i in range(3))
        enough = n >= 2
        squares = np.maximum(two - np.divide(one * one, n, out=np.zeros_like(n), where=enough), 0.0)
        total = total + np.divide(squares, n * (n - 1), out=np.full(n.shape, np.inf), where=enough)
    variance: Floats = total * (sums[..., 0] + sums[..., 3])
    return variance


def worth(sums: Sums, ratio: float) -> Floats:
    """n·τ̂² - (1 + ratio)·noise: a leaf's part of the honest criterion, `ratio` = proposing per estimating unit."""
    units = sums[..., 0] + sums[..., 3]
    value: Floats = units * effect(sums) ** 2 - (1 + ratio) * noise(sums)
    return value
