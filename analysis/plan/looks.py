"""How the data are looked at, and what is believed before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

from analysis.estimate import Interval
from analysis.plan.words import LEAST_TUNED_FOR_UNITS, PlanError, SpendingShape


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a look that decided found of a treatment and its baseline, on the primary metric and in its family.

    `difference` and `lift` are None where there was no interval.
    """

    treatment: str
    baseline: str
    p_value: float
    difference: Interval | None = None
    lift: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """A group-sequential design: how the error rate is spent as units come in (Lan & DeMets).

    Parameters
    ----------
    planned_units
        Units of all segments together at the last look. Later looks find nothing left to spend, and decide nothing.
    planned_by_segment
        The same of single segments; those that are not named expect as many as any other.
    earlier_units
        Units with an outcome on the primary metric at the looks before this one, in the order of time: by segment, and
        under None for all together. Looks need not have been planned; what matters is that none is left out.
    standing
        By segment, and under None for all together: what the last of those looks that could decide has found. It stands
        where this look has nothing to spend.
    shape
        `obrien_fleming` spends late (hard to stop early), `pocock` evenly.

    Raises
    ------
    PlanError
        `looks`.
    """

    planned_units: int
    planned_by_segment: Mapping[str, int] = field(default_factory=dict)
    earlier_units: Mapping[str | None, tuple[int, ...]] = field(default_factory=dict)
    standing: Mapping[str | None, tuple[Standing, ...]] = field(default_factory=dict)
    shape: SpendingShape = "obrien_fleming"

    def __post_init__(self) -> None:
        if self.planned_units < LEAST_TUNED_FOR_UNITS:
            raise PlanError("looks", f"the planned number of units is at least {LEAST_TUNED_FOR_UNITS}")
        if any(units < 1 for units in self.planned_by_segment.values()):
            raise PlanError("looks", "a segment is planned to have units")
        for units in self.earlier_units.values():
            if any(n < 1 for n in units) or list(units) != sorted(set(units)):
                raise PlanError("looks", "the units at the earlier looks ascend")


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectPrior:
    """What is believed of a lift before the data: near-normal with this mean and standard deviation (fractions)."""

    mean: float
    std_dev: float

    def __post_init__(self) -> None:
        if not (isfinite(self.mean) and isfinite(self.std_dev) and self.std_dev > 0):
            raise PlanError("prior", "a prior has a finite mean and a positive standard deviation")
