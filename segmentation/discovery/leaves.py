"""What the other half says of each proposed leaf, and of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TypeAlias

import numpy as np

from analysis.effects.arms import ArmPair
from analysis.effects.means import (
    critical_value,
    mean_value,
    satterthwaite,
    two_sided_p,
    wald_interval,
    welch_degrees_of_freedom,
)
from analysis.estimate import Interval, Undefined
from analysis.inference.heterogeneity import EffectEstimate
from analysis.moments import Moments
from segmentation.discovery.experiment import Experiment
from segmentation.rules import Leaf, leaf_matches
from segmentation.rules.columns import Floats

METHOD = "welch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """Moments of a leaf's two arms, and its effect."""

    treatment: Moments
    control: Moments
    pair: ArmPair

    @property
    def units(self) -> int:
        return self.treatment.n + self.control.n

    @property
    def effect(self) -> EffectEstimate:
        return EffectEstimate(value=self.pair.difference, std_error=sqrt(self.pair.variance))

    def interval(self, alpha: float) -> Interval:
        low, high = wald_interval(self.pair, critical_value(alpha, welch_degrees_of_freedom(self.pair)))
        return Interval(low=low, high=high, level=1 - alpha, method=METHOD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A leaf's effect minus the effect outside it."""

    outside: float
    difference: float
    std_error: float
    degrees_of_freedom: float

    @property
    def p_value(self) -> float:
        return two_sided_p(self.difference / self.std_error, self.degrees_of_freedom)

    def interval(self, alpha: float) -> Interval:
        half_width = critical_value(alpha, self.degrees_of_freedom) * self.std_error
        return Interval(
            low=self.difference - half_width, high=self.difference + half_width, level=1 - alpha, method=METHOD
        )


Measured: TypeAlias = tuple[Arms, ...]


def measured(leaves: Sequence[Leaf], estimating: Experiment) -> Measured | Undefined:
    """Each leaf on the estimating half. `Undefined`: "one_unit", "no_units" in an arm, "zero_variance"."""
    found = []
    for leaf in leaves:
        inside = leaf_matches(leaf, estimating.columns)
        treatment = _moments(estimating.outcome[inside & estimating.treated])
        control = _moments(estimating.outcome[inside & ~estimating.treated])
        values = mean_value(treatment), mean_value(control)
        for value in values:
            if isinstance(value, Undefined):
                return value
        pair = ArmPair(treatment=values[0], baseline=values[1])  # type: ignore[arg-type]
        if pair.variance <= 0:
            return Undefined(reason="zero_variance", message="Nobody differs from anybody within a leaf: no scale.")
        found.append(Arms(treatment=treatment, control=control, pair=pair))
    return tuple(found)


def beside(arms: Measured, index: int) -> Beside:
    """One leaf against all others, weighted by their units: the effect on those outside, whatever each leaf's split.

    τ̂ᵢ - Σ wⱼτ̂ⱼ, wⱼ = nⱼ/Σn over j ≠ i; the variances add up, with Satterthwaite's degrees of freedom.
    """
    others = [one for place, one in enumerate(arms) if place != index]
    total = sum(one.units for one in others)
    weights = [(arms[index], 1.0), *((one, one.units / total) for one in others)]
    sides = [(side, weight) for one, weight in weights for side in (one.pair.treatment, one.pair.baseline)]
    variances = [side.variance * weight * weight for side, weight in sides]
    outside = sum(one.pair.difference * weight for one, weight in weights[1:])
    return Beside(
        outside=outside,
        difference=arms[index].pair.difference - outside,
        std_error=sqrt(sum(variances)),
        degrees_of_freedom=satterthwaite(variances, [side.degrees_of_freedom for side, _ in sides]),
    )


def _moments(values: Floats) -> Moments:
    if not len(values):
        return Moments(n=0, mean=0.0, m2=0.0)
    mean = float(values.mean())
    return Moments(n=len(values), mean=mean, m2=float(np.square(values - mean).sum()))
