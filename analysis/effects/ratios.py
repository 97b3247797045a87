"""Ratios of sums over units (clicks per visit, revenue per order): the delta method."""

from __future__ import annotations

from analysis.effects.arms import ArmValue
from analysis.effects.means import too_few_units
from analysis.estimate import Undefined
from analysis.moments import Moments

# Its square is still a float. A mean denominator below it is zero but for rounding.
SMALLEST_DENOMINATOR = 1e-50


def ratio_value(moments: Moments) -> ArmValue | Undefined:
    """Ratio of sums R = Σx / Σy and its squared standard error by linearisation.

    Parameters
    ----------
    moments : Moments
        Of x (numerators) and y (denominators), one pair per randomised unit.

    Returns
    -------
    ArmValue
        var(R) = s²(x - R·y) / (n·ȳ²). `Undefined("zero_denominator")` where the denominators sum to 0.

    Notes
    -----
    Units are independent, the events of one unit need not be: a z-test over events has a false-positive rate of
    .167 where this has .05. Fails when the mean denominator is within a few of its standard errors of 0.

    Deng, Knoblich & Lu, "Applying the Delta Method in Metric Analytics", KDD 2018, pp. 233-242. The standard error
    times √((n-1)/n) is the cluster-robust (CR0) one of the regression of the events on a constant, an identity that the
    tests hold against statsmodels.
    """
    if moments.n < 2:
        return too_few_units(moments.n)
    ratio = ratio_of_sums(moments)
    if isinstance(ratio, Undefined):
        return ratio
    return ArmValue(
        value=ratio,
        variance=moments.residual_variance / (moments.n * moments.denominator_mean * moments.denominator_mean),
        degrees_of_freedom=float(moments.n - 1),
    )


def ratio_of_sums(moments: Moments) -> float | Undefined:
    """Σx / Σy, for any number of units."""
    if abs(moments.denominator_mean) < SMALLEST_DENOMINATOR:
        return Undefined(reason="zero_denominator", message="The denominators add up to zero.")
    return moments.mean / moments.denominator_mean
