"""Means of one number per unit: Welch's t, from moments."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt

import numpy as np

from analysis.effects import values
from analysis.effects.arms import ArmPair, ArmValue
from analysis.estimate import Undefined
from analysis.moments import Moments


def mean_value(moments: Moments) -> ArmValue | Undefined:
    """Mean per unit and its squared standard error s²/n.

    Assumes independent units and enough of them for the mean to be near normal: with a heavy tail (revenue with 5 %
    payers, lognormal σ = 2) hundreds of payers, not of units.
    """
    if moments.n < 2:
        return too_few_units(moments.n)
    return ArmValue(value=moments.mean, variance=moments.variance / moments.n, degrees_of_freedom=float(moments.n - 1))


def too_few_units(n: int) -> Undefined:
    if not n:
        return Undefined(reason="no_units", message="Nobody has been in this arm yet.")
    return Undefined(reason="one_unit", message="One customer alone shows no spread.")


def welch_degrees_of_freedom(pair: ArmPair) -> float:
    """Welch–Satterthwaite: (v₁ + v₀)² / (v₁²/f₁ + v₀²/f₀); infinite for known variances.

    Welch, "The generalization of 'Student's' problem when several different population variances are involved",
    Biometrika 34 (1947), pp. 28-35.
    """
    return satterthwaite(
        (pair.treatment.variance, pair.baseline.variance),
        (pair.treatment.degrees_of_freedom, pair.baseline.degrees_of_freedom),
    )


def satterthwaite(variances: Sequence[float], freedoms: Sequence[float]) -> float:
    """Degrees of freedom of a sum of independent variances; see `analysis.effects.values`."""
    return float(values.satterthwaite(np.asarray(variances, dtype=float), np.asarray(freedoms, dtype=float)))


def two_sided_p(t: float, degrees_of_freedom: float) -> float:
    """P(|T| ≥ |t|) for Student's T, from the survival side: exact far below 1e-16."""
    return float(values.two_sided_p(t, degrees_of_freedom))


def critical_value(alpha: float, degrees_of_freedom: float = inf) -> float:
    """c with P(|T| ≥ c) = alpha."""
    return float(values.critical_values(alpha, degrees_of_freedom))


def wald_interval(pair: ArmPair, critical: float) -> tuple[float, float]:
    """difference ± critical · standard error."""
    half_width = critical * sqrt(pair.variance)
    return pair.difference - half_width, pair.difference + half_width
