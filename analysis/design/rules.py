"""How an experiment will decide: error rate, sides, arms, margin, and whether it is looked at once or all the time."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, sqrt
from typing import Literal

from scipy.special import ndtr, stdtrit

from analysis.inference import sequential
from analysis.inference.msprt import one_sided_multiplier, one_sided_scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When a comparison with the control counts as decided.

    Parameters
    ----------
    alpha
        Error rate of the whole family, in (0, 1); one-sided below ½.
    sides
        2, or 1 towards the difference in question.
    comparisons
        Bonferroni: every comparison at alpha / comparisons. Treatments × segments, if each may win.
    critical
        In place of it, the critical value of z for a family (Dunnett's: 2.21213 for two treatments, two-sided 5 %).
        Means are then tested at the quantile of t with the same tail, near Dunnett's for t from some 30 units an arm.
    margin
        The hypothetical difference that must be excluded: 0 to show that there is one, -m for non-inferiority with a
        tolerated loss m (one-sided), m for superiority by more than m.
    tuned_for_units
        None: one look, at the end. A number: looked at any time, by a confidence sequence narrowest after so many units
        of the two arms together, and the power is that of the look at the horizon. The chance to have decided at
        some look until then is a little larger.

    Raises
    ------
    ValueError
        Outside these; `critical` together with `comparisons` or `tuned_for_units`.
    """

    alpha: float = 0.05
    sides: Literal[1, 2] = 2
    comparisons: int = 1
    critical: float | None = None
    margin: float = 0.0
    tuned_for_units: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.alpha < self.sides / 2 or self.sides not in (1, 2):
            raise ValueError(f"no error rate for {self.sides} sides: {self.alpha}")
        if self.comparisons < 1 or not isfinite(self.margin):
            raise ValueError(f"no number of comparisons, or no margin: {self.comparisons}, {self.margin}")
        if self.tuned_for_units is not None and self.tuned_for_units < 1:
            raise ValueError(f"a sequence is tuned for at least one unit: {self.tuned_for_units}")
        if self.critical is not None and not self._may_be_given(self.critical):
            raise ValueError("a critical value must be positive, and stands for comparisons at one look")

    def _may_be_given(self, critical: float) -> bool:
        return 0 < critical < inf and self.comparisons == 1 and self.tuned_for_units is None

    @property
    def tail(self) -> float:
        """Chance of one comparison, on one side, to be beyond the critical value by accident."""
        if self.critical is not None:
            return float(ndtr(-self.critical))
        return self.alpha / (self.sides * self.comparisons)

    def critical_at(self, units: float, degrees_of_freedom: float = inf) -> float:
        """In standard errors, at `units` ≥ 1 units of both arms together; a sequence has no use for the freedom."""
        if self.tuned_for_units is None:
            return -float(stdtrit(degrees_of_freedom, self.tail))
        alpha = self.alpha / self.comparisons
        if self.sides == 1:
            return one_sided_multiplier(units, alpha, one_sided_scale(alpha, self.tuned_for_units))
        # At the level of one comparison, as the report does: there its sequences are to be narrow.
        rho = sequential.mixture_scale(alpha, self.tuned_for_units)
        # v is all that the multiplier depends on, and units need not be whole while a root is searched.
        return sequential.multiplier(1, alpha, rho * sqrt(units))


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """One control and `treatments` ≥ 1 arms, each with `treatment_per_control` > 0 units for one in the control.

    With k treatments all are compared best with √k times as many units in the control: 1/√k. ValueError outside these.
    """

    treatments: int = 1
    treatment_per_control: float = 1.0

    def __post_init__(self) -> None:
        if self.treatments < 1 or not 0 < self.treatment_per_control < inf:
            raise ValueError(f"no arms: {self.treatments}, {self.treatment_per_control}")

    @property
    def total_per_control(self) -> float:
        return 1 + self.treatments * self.treatment_per_control

    @property
    def pair_per_control(self) -> float:
        return 1 + self.treatment_per_control
