"""The policy of `experiments.domain.adaptive` for many experiments at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from experiments.domain.adaptive import AdaptivePolicy, BatchArm, arm_states
from experiments.domain.bucketing import BUCKETS
from simulation.adaptive.worlds import UNITS_A_DAY, Kind, World

Floats: TypeAlias = NDArray[np.float64]

# Fewer than the service takes: their noise does not depend on the outcomes.
DRAWS = 400
POLICY = AdaptivePolicy(floor_bp=500)
_AUDITED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """Experiments by day by variant: units, means, centred sums of squares, and the intended shares."""

    n: Floats
    mean: Floats
    m2: Floats
    share: Floats

    @property
    def sizes(self) -> Floats:
        """Units of all variants, shape (experiments, days)."""
        sizes: Floats = self.n.sum(axis=2)
        return sizes

    def until(self, day: int) -> Batches:
        return Batches(n=self.n[:, :day], mean=self.mean[:, :day], m2=self.m2[:, :day], share=self.share[:, :day])

    @property
    def unit_variance(self) -> Floats:
        """Within batches, shape (experiments, variants)."""
        within: Floats = self.m2.sum(axis=1) / np.maximum(self.n - 1, 0).sum(axis=1)
        return within


def run(world: World, kind: Kind, rng: Generator, runs: int) -> Batches:
    """Thompson sampling by day; the first day is split evenly."""
    means = world.means(kind)
    shape = (runs, *means.shape)
    n, mean, m2, share = (np.zeros(shape) for _ in range(4))
    for day, expected in enumerate(means):
        so_far = Batches(n=n[:, :day], mean=mean[:, :day], m2=m2[:, :day], share=share[:, :day])
        share[:, day] = next_shares(so_far, kind, rng) if day else 1 / world.arms
        n[:, day] = rng.multinomial(rng.poisson(UNITS_A_DAY, runs), share[:, day])
        mean[:, day], m2[:, day] = _outcomes(kind, rng, n[:, day], expected)
    return Batches(n=n, mean=mean, m2=m2, share=share)


def _outcomes(kind: Kind, rng: Generator, n: Floats, expected: Floats) -> tuple[Floats, Floats]:
    units = np.maximum(n, 1)
    if kind == "conversion":
        successes = rng.binomial(n.astype(np.int64), np.broadcast_to(expected, n.shape))
        return successes / units, successes * (n - successes) / units
    return expected + rng.standard_normal(n.shape) / np.sqrt(units), rng.chisquare(np.maximum(n - 1, 1))


def next_shares(batches: Batches, kind: Kind, rng: Generator) -> Floats:
    """The floor for each, the rest by the chance to be the best; shape (experiments, variants)."""
    mean, effective, error = states(batches)
    _audit(batches, mean, effective, error)
    shape = (DRAWS, *mean.shape)
    if kind == "conversion":
        one = rng.standard_gamma(1 + mean * effective, shape)
        drawn = one / (one + rng.standard_gamma(1 + (1 - mean) * effective, shape))
    else:
        drawn = mean + error * rng.standard_normal(shape)
    best = drawn.argmax(axis=2)
    chances = (best[:, :, None] == np.arange(mean.shape[1])).mean(axis=0)
    floor = POLICY.floor_bp / BUCKETS
    shares: Floats = floor + (1 - floor * mean.shape[1]) * chances
    return shares


def states(batches: Batches) -> tuple[Floats, Floats, Floats]:
    """Mean, effective units and standard error of each variant, as `arm_states` has them."""
    sizes = batches.sizes
    share = (sizes / sizes.sum(axis=1, keepdims=True))[:, :, None]
    effective = 1 / (share * share / batches.n).sum(axis=1)
    return (share * batches.mean).sum(axis=1), effective, np.sqrt(batches.unit_variance / effective)


def _audit(batches: Batches, mean: Floats, effective: Floats, error: Floats) -> None:
    """The first experiments through the service's own functions: what is simulated is what runs."""
    names = [str(arm) for arm in range(mean.shape[1])]
    for row in range(min(_AUDITED, len(mean))):
        days = [
            [
                BatchArm(variant=name, units=int(n), mean=float(m), variance=float(s) / max(int(n) - 1, 1))
                for name, n, m, s in zip(names, *day, strict=True)
            ]
            for day in zip(batches.n[row], batches.mean[row], batches.m2[row], strict=True)
        ]
        found = [(state.mean, state.effective_units, state.std_error) for state in arm_states(days, names)]
        if not np.allclose(found, np.stack([mean[row], effective[row], error[row]], axis=1), rtol=1e-9):
            raise AssertionError(f"the simulation has left the service: {found}")
