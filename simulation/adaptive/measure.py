"""What is measured of simulated experiments: regret, coverage, gain and certainty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from analysis.comparison import EffectColumns, Evidence, compare_all
from analysis.effects.adaptive import stabilised
from analysis.effects.gain import Shown, gained, variance_if_fixed, variance_of_difference
from analysis.groups import Groups
from analysis.inference.sequential import mixture_scale, multiplier
from simulation.adaptive.sampling import Batches, run
from simulation.adaptive.worlds import DAYS, Kind, World

Floats: TypeAlias = NDArray[np.float64]
# One entry per experiment.
Found: TypeAlias = Mapping[str, NDArray[Any]]

ALPHA = 0.05
MIN_UNITS = 20
RHO = mixture_scale(ALPHA, 5_000)
_RULE = Evidence(alpha=ALPHA, rho=RHO, min_units=MIN_UNITS)


def measure(world: World, kind: Kind, rng: Generator, runs: int) -> Found:
    """Simulate so many experiments, and look at each after every day."""
    batches = run(world, kind, rng, runs)
    means = world.means(kind)
    ever_out, gain_ever_out = np.zeros(runs, dtype=bool), np.zeros(runs, dtype=bool)
    found: dict[str, NDArray[Any]] = {}
    for day in range(1, DAYS + 1):
        seen = batches.until(day)
        effect, truth = _effect(world, kind, seen), _truth(world, seen, means[:day])
        ever_out |= _outside(truth, effect.always_valid_low, effect.always_valid_high)
        value, reach, gain = _gain(seen, means[:day])
        gain_ever_out |= np.abs(value - gain) > reach
        if day == DAYS:
            found = {
                "covered": ~_outside(truth, effect.fixed_low, effect.fixed_high),
                "error": effect.difference - truth,
                "std_error": effect.std_error,
                "gain": gain,
                "gain_error": value - gain,
            }
    final = _truth(world, batches, means)
    return found | {
        "covered_any_look": ~ever_out,
        "gain_covered_any_look": ~gain_ever_out,
        "by_units": ~_outside_fixed(_by_units(world, kind, batches), _by_units_truth(batches, means, world)),
        "pooled": ~_outside_fixed(_pooled(world, kind, batches), final),
        **regrets(batches, means),
        "missing": _missing(world, batches),
    }


def regrets(batches: Batches, means: Floats) -> dict[str, Floats]:
    """Expected outcomes short of the best variant of each day, per 1,000 units; adaptive, and split evenly."""
    best = means.max(axis=1, keepdims=True)
    sizes = batches.sizes
    total = sizes.sum(axis=1) / 1_000
    adaptive = (sizes * (batches.share * (best - means)).sum(axis=2)).sum(axis=1) / total
    fixed = (sizes * (best - means).mean(axis=1)).sum(axis=1) / total
    return {"regret": adaptive, "regret_fixed": fixed}


def _arms(world: World, batches: Batches) -> tuple[Groups, Groups]:
    return _groups(batches, world.shown), _groups(batches, 0)


def _groups(batches: Batches, arm: int) -> Groups:
    n, mean, m2 = (column[:, :, arm] for column in (batches.n, batches.mean, batches.m2))
    nil = np.zeros_like(mean)
    return Groups(
        n=n, mean=mean, m2=m2, denominator_mean=nil + 1, denominator_m2=nil, co_m2=nil, absolute_mean=np.abs(mean)
    )


def _effect(world: World, kind: Kind, batches: Batches) -> EffectColumns:
    """As reported: strata weigh as the split wants it."""
    return compare_all(kind, *_arms(world, batches), batches.sizes, _RULE, adaptive=True)


def _truth(world: World, batches: Batches, means: Floats) -> Floats:
    """The effect, or where it changes its average with the weights of the estimate."""
    one, other = batches.n[:, :, world.shown], batches.n[:, :, 0]
    inside = np.minimum(one, other) >= MIN_UNITS
    weights = stabilised(batches.sizes, one, other, inside)
    return _averaged(weights, means[:, world.shown] - means[:, 0])


def _averaged(weights: Floats, effects: Floats) -> Floats:
    averaged: Floats = (weights * effects).sum(axis=1) / weights.sum(axis=1)
    return averaged


def _by_units(world: World, kind: Kind, batches: Batches) -> EffectColumns:
    return compare_all(kind, *_arms(world, batches), batches.sizes, _RULE)


def _by_units_truth(batches: Batches, means: Floats, world: World) -> Floats:
    inside = np.minimum(batches.n[:, :, world.shown], batches.n[:, :, 0]) >= MIN_UNITS
    return _averaged(np.where(inside, batches.sizes, 0.0), means[:, world.shown] - means[:, 0])


def _pooled(world: World, kind: Kind, batches: Batches) -> EffectColumns:
    """As if all days had been one."""
    n = batches.n.sum(axis=1, keepdims=True)
    mean = (batches.n * batches.mean).sum(axis=1, keepdims=True) / n
    between = (batches.n * (batches.mean - mean) ** 2).sum(axis=1, keepdims=True)
    together = Batches(n=n, mean=mean, m2=batches.m2.sum(axis=1, keepdims=True) + between, share=batches.share[:, :1])
    return compare_all(kind, *_arms(world, together), together.sizes, _RULE)


def _outside_fixed(effect: EffectColumns, truth: Floats) -> NDArray[np.bool_]:
    return _outside(truth, effect.fixed_low, effect.fixed_high)


def _outside(truth: Floats, low: Floats, high: Floats) -> NDArray[np.bool_]:
    """Where there is no interval, nothing is said: so nothing wrong."""
    outside: NDArray[np.bool_] = (low > truth) | (high < truth)
    return outside


def _shown(batches: Batches) -> Shown:
    even = np.full(batches.n.shape, 1 / batches.n.shape[2])
    own = np.where(batches.n > 1, batches.m2 / np.maximum(batches.n - 1, 1), np.nan)
    return Shown(n=batches.n, mean=batches.mean, declared=even, unit_variance=own)


def _gain(batches: Batches, means: Floats) -> tuple[Floats, Floats, Floats]:
    """The gain that is reported, the reach of its interval, and the true one of the same units."""
    found = gained(_shown(batches))
    moved = batches.n - batches.sizes[:, :, None] / batches.n.shape[2]
    reach = np.sqrt(found.variance) * multiplier(np.maximum(found.clock, 1.0), ALPHA, RHO)
    return found.value, reach, (moved * means).sum(axis=(1, 2))


def _missing(world: World, batches: Batches) -> Floats:
    shown, pair = _shown(batches), (world.shown, 0)
    one, other = batches.n[:, :, world.shown], batches.n[:, :, 0]
    inside = np.minimum(one, other) >= MIN_UNITS
    weights = stabilised(batches.sizes, one, other, inside)
    return 1 - variance_if_fixed(shown, pair) / variance_of_difference(shown, pair, weights)
