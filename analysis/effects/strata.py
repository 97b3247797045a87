"""One effect from several strata.

A stratum is a stretch of one epoch in which everybody was split the same way. Inside it groups may be pooled. Across
strata they may not: when the treatment's share grows while the base rate falls (or when a segment with another base
rate has another split), pooled arms differ although nobody's behaviour does (Simpson's paradox); a 10 → 50 % ramp over
a falling base rate gives a false-positive rate of .89. So arms are compared within a stratum, and the differences are
averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.effects.arms import ArmPair, ArmValue
from analysis.effects.values import Values


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumPair:
    """The two arms within one stratum; `weight` is any positive scale, the stratum's number of units here."""

    weight: float
    pair: ArmPair


def combine(strata: Sequence[StratumPair]) -> ArmPair:
    """Average of the strata, weighted by their units.

    Parameters
    ----------
    strata
        At least one.

    Returns
    -------
    ArmPair
        Per arm Σ(wₖ/W)·valueₖ with variance Σ(wₖ/W)²·varianceₖ and Satterthwaite's degrees of freedom. One stratum
        comes back as it is.

    Notes
    -----
    With weights n_k/N the estimate is the mean of one contribution per unit, as the confidence sequences need: the
    effect on the population that came, whichever way the split moved. Post-stratification as in Miratrix, Sekhon & Yu,
    "Adjusting treatment effect estimates by post-stratification in randomized experiments", JRSS B 75 (2013), pp.
    369-396.
    """
    total = sum(stratum.weight for stratum in strata)
    shares = [stratum.weight / total for stratum in strata]
    return ArmPair(
        treatment=_average(shares, [stratum.pair.treatment for stratum in strata]),
        baseline=_average(shares, [stratum.pair.baseline for stratum in strata]),
    )


def _average(shares: Sequence[float], arms: Sequence[ArmValue]) -> ArmValue:
    if len(arms) == 1:
        return arms[0]
    together = Values(
        value=np.array([arm.value for arm in arms]),
        variance=np.array([arm.variance for arm in arms]),
        freedom=np.array([arm.degrees_of_freedom for arm in arms]),
    ).averaged(np.array(shares))
    return ArmValue(
        value=float(together.value), variance=float(together.variance), degrees_of_freedom=float(together.freedom)
    )
