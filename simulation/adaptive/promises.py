"""What must be true of the simulated experiments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

import numpy as np

from calibration.scenario import Bound, at_most, near
from simulation.adaptive.measure import ALPHA, Found
from simulation.adaptive.worlds import Kind, World

# Two-sided 95 %, four standard errors are the tolerance of a promise.
_Z = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One world with one kind of metric."""

    world: World
    kind: Kind
    found: Found

    @property
    def runs(self) -> int:
        return len(self.found["covered"])

    @property
    def name(self) -> str:
        return f"adaptive.{self.world.key}.{self.kind}"

    def rate(self, name: str) -> float:
        return float(np.mean(self.found[name]))

    def mean(self, name: str) -> tuple[float, float]:
        """Mean and standard error over the experiments."""
        values = self.found[name]
        return float(np.mean(values)), float(np.std(values, ddof=1) / sqrt(len(values)))

    def interval(self, name: str) -> tuple[float, float, float]:
        """Mean with both ends of its interval."""
        mean, error = self.mean(name)
        return mean, mean - _Z * error, mean + _Z * error

    @property
    def bias(self) -> float:
        """Of the estimate, in its usual standard errors."""
        return self.rate("error") / self.rate("std_error")

    @property
    def regret_kept(self) -> tuple[float, float, float]:
        """Regret as a share of the fixed split's, which is the same in every experiment; with its interval."""
        fixed = float(np.mean(self.found["regret_fixed"]))
        mean, low, high = self.interval("regret")
        return (mean / fixed, low / fixed, high / fixed) if fixed else (0.0, 0.0, 0.0)


# Of the estimate, in standard errors: it is divided by weights that depend on the outcomes.
_BIAS = 0.2
# Largest regret, as a share of the fixed split's: the upper end of its interval is held to it.
_REGRET = {"null": 0.0, "winner": 0.35, "small": 0.85, "five": 0.7, "drift": 0.5, "rise": 0.5, "change": 1.0}


def bounds(row: Row) -> Iterator[Bound]:
    yield from near(f"{row.name}.coverage", row.found["covered"], 1 - ALPHA)
    yield _misses(row, "any_look", "covered_any_look")
    yield _misses(row, "gain_any_look", "gain_covered_any_look")
    yield Bound(
        name=f"{row.name}.regret_over_fixed", measured=row.regret_kept[2], relation="<=", bound=_REGRET[row.world.key]
    )
    error, spread = row.mean("gain_error")
    yield Bound(name=f"{row.name}.gain_bias_in_errors", measured=abs(error) / spread, relation="<=", bound=4)
    yield Bound(name=f"{row.name}.bias", measured=abs(row.bias), relation="<=", bound=_BIAS)


def _misses(row: Row, what: str, name: str) -> Bound:
    return at_most(f"{row.name}.{what}_error", 1 - row.found[name], ALPHA)
