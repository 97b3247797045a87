"""Runs scenarios: seeded chunk by chunk, so that the numbers do not depend on how many processes there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from zlib import crc32

import numpy as np

from calibration.scenario import Bound, Samples, Scenario
from calibration.scenarios import SCENARIOS

SEED = 2026


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """So many experiments of one scenario, by its key: scenarios themselves do not travel between processes."""

    key: str
    safeguard: bool
    index: int
    runs: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One scenario with the safeguard on or off; `seconds` of computing, over all processes."""

    scenario: Scenario
    safeguard: bool
    runs: int
    samples: Samples
    bounds: tuple[Bound, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        return all(bound.ok for bound in self.bounds)


def scenario(key: str) -> Scenario:
    return next(one for one in SCENARIOS if one.key == key)


def chunks(one: Scenario, runs: int, seed: int, *, safeguard: bool) -> list[Chunk]:
    total = max(1, round(runs * one.share))
    sizes = [min(one.chunk, total - start) for start in range(0, total, one.chunk)]
    return [
        Chunk(key=one.key, safeguard=safeguard, index=index, runs=size, seed=seed) for index, size in enumerate(sizes)
    ]


def simulate(chunk: Chunk) -> tuple[Samples, float]:
    """With the same seed the safeguard on and off see the same data."""
    started = perf_counter()
    seeds = np.random.SeedSequence(chunk.seed, spawn_key=(crc32(chunk.key.encode()), chunk.index))
    found = scenario(chunk.key).simulate(np.random.default_rng(seeds), chunk.runs, chunk.safeguard)
    return found, perf_counter() - started


def measure(one: Scenario, runs: int, *, safeguard: bool = True, seed: int = SEED) -> Measured:
    """One scenario in this process."""
    parts = [simulate(chunk) for chunk in chunks(one, runs, seed, safeguard=safeguard)]
    return _measured(one, parts, safeguard=safeguard)


def measure_all(
    scenarios: Sequence[Scenario], runs: int, *, seed: int, workers: int, advance: Callable[[Scenario], None]
) -> Iterator[tuple[Measured, Measured]]:
    """Every scenario with the safeguard on and off; `advance` is called after every chunk."""
    with ProcessPoolExecutor(max_workers=workers) as pool:
        planned = {
            (one.key, safeguard): [
                pool.submit(simulate, chunk) for chunk in chunks(one, runs, seed, safeguard=safeguard)
            ]
            for one in scenarios
            for safeguard in (True, False)
        }
        for one in scenarios:
            sides = []
            for safeguard in (True, False):
                parts = []
                for future in planned[one.key, safeguard]:
                    parts.append(future.result())
                    advance(one)
                sides.append(_measured(one, parts, safeguard=safeguard))
            yield sides[0], sides[1]


def _measured(one: Scenario, parts: Sequence[tuple[Samples, float]], *, safeguard: bool) -> Measured:
    found = [samples for samples, _ in parts]
    together = {name: np.concatenate([samples[name] for samples in found]) for name in found[0]}
    return Measured(
        scenario=one,
        safeguard=safeguard,
        runs=len(next(iter(together.values()))),
        samples=together,
        bounds=one.judge(together),
        seconds=sum(seconds for _, seconds in parts),
    )
