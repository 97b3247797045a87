"""From tests to p-values and intervals, many rows at once, for one look and for every look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.effects import values
from analysis.groups import put
from analysis.inference import sequential
from analysis.reasons import Reasons, Why, or_else
from analysis.tested import Rows, Tested

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PValues:
    """By row, NaN where there is none; `why_always`: of the always-valid one."""

    once: Floats
    always: Floats
    why_always: Reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Intervals by row, of the difference and of the lift; NaN where there is none."""

    low: Floats
    high: Floats
    lift_low: Floats
    lift_high: Floats

    def take(self, rows: Rows | slice) -> Ends:
        return Ends(
            low=self.low[rows], high=self.high[rows], lift_low=self.lift_low[rows], lift_high=self.lift_high[rows]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """For one look, and for all looks together."""

    once: Ends
    always: Ends


def p_values(found: Tested, rho: float | Floats) -> PValues:
    """Without the always-valid one where arms rest on too few events."""
    why = or_else(found.why_p, ~found.is_supported, Why.TOO_FEW_EVENTS)
    once = put(values.two_sided_p(found.z, found.freedom), found.why_p != 0, np.nan)
    always = put(sequential.always_valid_p(found.z, found.clock, rho), why != 0, np.nan)
    return PValues(once=once, always=always, why_always=why)


def multipliers(clock: Floats, alpha: float | Floats, rho: float | Floats) -> Floats:
    """Critical values that hold at every look."""
    return sequential.multiplier(np.maximum(clock, 1.0), alpha, rho)


def invert(found: Tested, rows: Rows, critical: Floats) -> Ends:
    """Intervals of any rows at any critical values; NaN where these are."""
    ends = np.full((4, len(rows)), np.nan)
    usable = np.isfinite(critical).nonzero()[0]
    if len(usable):
        ends[:, usable] = found.inverse(rows[usable], critical[usable])
    return Ends(low=ends[0], high=ends[1], lift_low=ends[2], lift_high=ends[3])


def intervals(found: Tested, alpha: float, rho: float | Floats, rows: Rows, critical: Floats) -> tuple[Intervals, Ends]:
    """Both kinds of all rows, and some rows at other critical values, in one go: inversions are cheaper together."""
    size = len(found.z)
    everyone = np.arange(size)
    once = values.critical_values(alpha, found.freedom)
    always = put(multipliers(found.clock, alpha, rho), ~found.is_supported, np.nan)
    every = invert(found, np.concatenate([everyone, everyone, rows]), np.concatenate([once, always, critical]))
    both = Intervals(once=every.take(slice(0, size)), always=every.take(slice(size, 2 * size)))
    return both, every.take(slice(2 * size, None))
