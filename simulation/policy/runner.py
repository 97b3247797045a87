"""Runs worlds in processes; every experiment has its own seed, so it does not matter how they are shared out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from time import perf_counter

from simulation.policy.play import Played, log_failures_only, play
from simulation.policy.scenarios import WORLDS
from simulation.policy.world import World

SEED = 2026
CHUNK = 10

Results = dict[str, list[Played]]


def play_chunk(key: str, seed: int, start: int, end: int) -> tuple[list[Played], float]:
    """Some experiments of one world, and the seconds they took."""
    started = perf_counter()
    world = next(world for world in WORLDS if world.key == key)
    log_failures_only()
    return [play(world, seed, index) for index in range(start, end)], perf_counter() - started


def play_all(
    worlds: Sequence[World], runs: int, *, seed: int, workers: int, advance: Callable[[World, int], None]
) -> Iterator[tuple[World, list[Played], float]]:
    """Every world with its experiments in order and its seconds of computing; `advance` is called after every chunk."""
    with ProcessPoolExecutor(max_workers=workers) as pool:
        planned = {
            world.key: [
                (min(CHUNK, runs - start), pool.submit(play_chunk, world.key, seed, start, min(start + CHUNK, runs)))
                for start in range(0, runs, CHUNK)
            ]
            for world in worlds
        }
        for world in worlds:
            played, seconds = [], 0.0
            for size, future in planned[world.key]:
                part, took = future.result()
                played += part
                seconds += took
                advance(world, size)
            yield world, played, seconds
