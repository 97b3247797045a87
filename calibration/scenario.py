"""What a row of the calibration is: experiments to simulate, and what must be true of them together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
# Arrays of any kind, one entry per experiment.
Samples: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One promise: `measured` on the right side of `bound`; a NaN is on neither."""

    name: str
    measured: float
    relation: Literal["<=", ">="]
    bound: float

    @property
    def ok(self) -> bool:
        return self.measured <= self.bound if self.relation == "<=" else self.measured >= self.bound

    @property
    def line(self) -> str:
        state = "ok" if self.ok else "SHORT"
        return f"BOUND {self.name} {self.measured:.6g} {self.relation} {self.bound:.6g} {state}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A pitfall.

    Parameters
    ----------
    key, pitfall
        A name for the machine, and the row's title.
    safeguard, naive
        What the engine does about it, and what is done in its place where the safeguard is off.
    simulate
        (generator, experiments, safeguard) -> one array per quantity, experiments along the first axis. With the same
        generator both switches see the same data.
    judge
        All experiments together -> what was promised of them.
    share
        Experiments per run that is asked for: more where a rate is small, fewer where one experiment is a large one.
    chunk
        Experiments simulated at once: a question of memory, but part of the seed.
    """

    key: str
    pitfall: str
    safeguard: str
    naive: str
    simulate: Callable[[Generator, int, bool], Samples]
    judge: Callable[[Samples], tuple[Bound, ...]]
    share: float = 1.0
    chunk: int = 1_000


def tolerance(rate: float, runs: int) -> float:
    """Four standard errors of a rate that was measured in so many runs."""
    return 4 * sqrt(rate * (1 - rate) / runs)


def at_most(name: str, hits: NDArray[Any], nominal: float) -> Bound:
    """A rate that may be lower: rules for many looks."""
    bound = nominal + tolerance(nominal, len(hits))
    return Bound(name=name, measured=float(np.mean(hits)), relation="<=", bound=bound)


def near(name: str, hits: NDArray[Any], nominal: float) -> tuple[Bound, Bound]:
    """A rate that must be the nominal one, up to chance."""
    rate, reach = float(np.mean(hits)), tolerance(nominal, len(hits))
    return (
        Bound(name=name, measured=rate, relation="<=", bound=nominal + reach),
        Bound(name=name, measured=rate, relation=">=", bound=nominal - reach),
    )
