"""Two proportions, in one stratum or several: Miettinen–Nurminen score tests and the intervals that invert them.

One comparison at a time; `analysis.effects.rates` has the formulae, for many at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.effects import rates
from analysis.effects.proportions import Proportion
from analysis.estimate import Undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoProportions:
    """Independent binomial counts of one stratum, and its share of the whole; the shares add up to 1."""

    share: float = 1.0
    treatment: Proportion
    baseline: Proportion


def score_z(strata: Sequence[TwoProportions], *, margin: float = 0.0, corrected: bool = True) -> float | Undefined:
    """Score statistic of "the rates differ by `margin` in every stratum".

    Parameters
    ----------
    strata
        At least one.
    margin
        Hypothetical p₁ - p₀, in (-1, 1). Non-inferiority with a tolerated loss m tests margin = -m.
    corrected
        True: Miettinen–Nurminen. False: Farrington–Manning (Mee); in one stratum with no margin that is the pooled
        z-test.

    Returns
    -------
    float
        As `analysis.effects.rates.difference_z`. `Undefined("zero_variance")` when in every stratum nobody or
        everybody converted and there is no margin: 0/0.
    """
    found = _rates(strata)
    if margin == 0 and found.is_degenerate[0]:
        return Undefined(reason="zero_variance", message="Both arms have the same rate, 0% or 100%: nothing to test.")
    return float(rates.difference_z(found, np.array([margin]), corrected=corrected)[0])


def score_interval(strata: Sequence[TwoProportions], critical: float, *, corrected: bool = True) -> tuple[float, float]:
    """Every difference that `score_z` does not reject: Miettinen–Nurminen, or Mee without the correction.

    Always exists, within [-1, 1], also for 0/n against 0/n. Leaves out 0 exactly when |score_z| > critical.
    """
    low, high = rates.difference_interval(_rates(strata), np.array([critical]), corrected=corrected)
    return float(low[0]), float(high[0])


def score_lift_interval(strata: Sequence[TwoProportions], critical: float) -> tuple[float, float] | Undefined:
    """Every lift that the Miettinen–Nurminen test of a *ratio* of rates, the same in every stratum, does not reject.

    Within [-1, ∞); `Undefined("unbounded")` when the baseline has no success.
    """
    low, high = rates.lift_interval(_rates(strata), np.array([critical]))
    if np.isnan(low[0]):
        return Undefined(reason="unbounded", message="Nobody in the baseline converted: no percentage is too large.")
    return float(low[0]), float(high[0])


def score_lift_z(strata: Sequence[TwoProportions], lift: float) -> float:
    """Miettinen–Nurminen's statistic of "the ratio of the rates is 1 + `lift` in every stratum", lift > -1."""
    return float(rates.lift_z(_rates(strata), np.array([1.0 + lift]))[0])


def _rates(strata: Sequence[TwoProportions]) -> rates.Rates:
    columns = np.array(
        [
            (one.share, one.treatment.successes, one.treatment.n, one.baseline.successes, one.baseline.n)
            for one in strata
        ]
    ).T
    share, treatment, treatment_n, baseline, baseline_n = (column[None, :] for column in columns)
    return rates.Rates(
        share=share, treatment=treatment, treatment_n=treatment_n, baseline=baseline, baseline_n=baseline_n
    )
