"""What is done without a policy: one test at the end, or a look every day at a p-value made for one look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from simulation.policy.draws import Counts, Draws
from simulation.policy.world import CONTROL, LOOK_DAYS, Floats, World

ALPHA = 0.05
Flags: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A variant that was called the winner of a segment, on that day."""

    segment: str
    variant: str
    day: int


def z_scores(units: Counts, conversions: Counts) -> Floats:
    """Of every treatment against the control, pooled two-proportion z; the control is first along the last axis.

    z = (pB - pA) / √(p(1 - p)(1/nA + 1/nB)); 0 where nothing can be said.
    """
    n, x = units.astype(float), conversions.astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (x[..., 1:] + x[..., :1]) / (n[..., 1:] + n[..., :1])
        error = np.sqrt(pooled * (1 - pooled) * (1 / n[..., 1:] + 1 / n[..., :1]))
        z: Floats = (x[..., 1:] / n[..., 1:] - x[..., :1] / n[..., :1]) / error
    return np.where(np.isfinite(z), z, 0.0)


def two_sided_p(z: Floats) -> Floats:
    found: Floats = 2 * ndtr(-np.abs(z))
    return found


def holm(p: Floats, alpha: float = ALPHA) -> Flags:
    """Which of these p-values are rejected by Holm's step-down, all of them one family."""
    order = np.argsort(p, axis=None, kind="stable")
    passed = np.logical_and.accumulate(p.ravel()[order] <= alpha / (p.size - np.arange(p.size)))
    rejected = np.empty(p.size, dtype=bool)
    rejected[order] = passed
    return rejected.reshape(p.shape)


def fixed_horizon(world: World, launch: Draws) -> tuple[Call, ...]:
    """One test at day 28 of all treatments in all segments, Holm over all of them; all days in one pot."""
    units, conversions = (part[:LOOK_DAYS].sum(axis=0) for part in (launch.units, launch.conversions))
    z = z_scores(units, conversions)
    wins = holm(two_sided_p(z)) & (z > 0)
    return _calls(world, np.where(wins, z, 0.0), LOOK_DAYS)


def naive_peeking(world: World, launch: Draws) -> tuple[Call, ...]:
    """Every day, every segment: the first p below .05 with a positive lift promotes; no correction at all."""
    units, conversions = (np.cumsum(part[:LOOK_DAYS], axis=0) for part in (launch.units, launch.conversions))
    z = z_scores(units, conversions)
    wins = np.where((two_sided_p(z) < ALPHA) & (z > 0), z, 0.0)
    found = []
    for place, segment in enumerate(world.segments):
        days = np.flatnonzero(wins[:, place].any(axis=-1))
        if days.size:
            best = int(wins[days[0], place].argmax())
            found.append(Call(segment=segment, variant=_treatments(world)[best], day=int(days[0]) + 1))
    return tuple(found)


def _calls(world: World, wins: Floats, day: int) -> tuple[Call, ...]:
    return tuple(
        Call(segment=segment, variant=_treatments(world)[int(wins[place].argmax())], day=day)
        for place, segment in enumerate(world.segments)
        if wins[place].any()
    )


def _treatments(world: World) -> tuple[str, ...]:
    if world.variants[0] != CONTROL:
        raise ValueError("the control stands first")
    return world.variants[1:]
