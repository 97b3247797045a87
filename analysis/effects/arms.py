"""The value of one arm, and the values of two arms that are compared."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmValue:
    """An approximately normal estimate.

    Parameters
    ----------
    value : float
        The arm's mean, rate or ratio.
    variance : float
        Squared standard error of `value`, ≥ 0.
    degrees_of_freedom : float
        Of `variance`; infinite where it is a function of the value alone (a proportion).
    common_variance : float
        Squared standard error of what is added to all arms alike: it cancels in differences, and not in lifts.
    """

    value: float
    variance: float
    degrees_of_freedom: float
    common_variance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmPair:
    """Two independent estimates that are compared: a treatment and what it is compared to."""

    treatment: ArmValue
    baseline: ArmValue

    @property
    def difference(self) -> float:
        return self.treatment.value - self.baseline.value

    @property
    def variance(self) -> float:
        return self.treatment.variance + self.baseline.variance
