"""A day's outcomes as counts and moments, straight from their laws: no unit has to be drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from simulation.policy.world import Floats, World

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """By day, segment and variant: units, conversions, and mean and centred sum of squares of the guardrail."""

    units: Counts
    conversions: Counts
    guardrail_mean: Floats
    guardrail_m2: Floats


def draw(world: World, rng: Generator, shares: Floats, days: slice, segments: slice) -> Draws:
    """Draw these days of these segments under that split, an array of shape (days, segments, variants).

    Thinned Poisson numbers are independent, so every variant's arrivals are drawn on their own. Units that the bug of
    `World.lost` loses are taken from those without a conversion, as many as make it that share of all.
    """
    rates = world.rates[days, segments]
    arrived = rng.poisson(world.daily_units * shares)
    conversions = rng.binomial(arrived, rates)
    units = arrived
    if world.lost:
        chance = (1 - world.counted) / (1 - rates)
        units = arrived - rng.binomial(arrived - conversions, chance)
    mean, spread = world.guardrail_means, world.guardrail_spread
    some = np.maximum(units, 1)
    return Draws(
        units=units,
        conversions=conversions,
        guardrail_mean=mean + spread / np.sqrt(some) * rng.standard_normal(units.shape),
        guardrail_m2=np.where(units > 1, spread**2 * rng.chisquare(np.maximum(units - 1, 1)), 0.0),
    )


def draw_launch(world: World, rng: Generator) -> Draws:
    """All days under the author's own split."""
    return draw(world, rng, world.shares, slice(None), slice(None))
