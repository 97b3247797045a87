"""Arms by themselves: what each one did, before any comparison."""

from __future__ import annotations

from math import inf, sqrt

from analysis.comparison import arm_value
from analysis.effects.means import critical_value, too_few_units
from analysis.effects.proportions import Proportion, wilson
from analysis.effects.ratios import ratio_of_sums
from analysis.estimate import ArmSummary, Interval, Undefined
from analysis.moments import Moments
from analysis.plan import MetricPlan


def arm_summary(metric: MetricPlan, variant: str, moments: Moments, alpha: float) -> ArmSummary:
    """One arm's plain pooled numbers.

    `total` is the sum over units (of the numerators, for a ratio), `value` the mean, rate or ratio, `std_dev` that of
    one unit (for a ratio: of its linear part, √n times the standard error). `interval`: Wilson for conversions, t for
    the others, for one look. Pooled over epochs these are descriptions: arms are compared within strata.
    """
    total = moments.total
    if metric.kind == "conversion" or (metric.kind == "count" and metric.cap is None):
        total = float(round(total))
    value = _value(metric, moments)
    return ArmSummary(
        variant=variant,
        units=moments.n,
        total=total,
        value=value,
        std_dev=_std_dev(metric, moments),
        interval=_interval(metric, moments, alpha),
    )


def _value(metric: MetricPlan, moments: Moments) -> float | Undefined:
    if not moments.n:
        return too_few_units(0)
    if metric.kind != "ratio":
        return moments.mean
    return ratio_of_sums(moments)


def _std_dev(metric: MetricPlan, moments: Moments) -> float | Undefined:
    arm = arm_value(metric.kind, moments)
    if isinstance(arm, Undefined):
        return arm
    return sqrt(moments.variance) if metric.kind != "ratio" else sqrt(arm.variance * moments.n)


def _interval(metric: MetricPlan, moments: Moments, alpha: float) -> Interval | Undefined:
    if metric.kind == "conversion" and moments.n:
        proportion = Proportion(successes=round(moments.total), n=moments.n)
        low, high = wilson(proportion, critical_value(alpha, inf))
        return Interval(low=low, high=high, level=1 - alpha, method="wilson")
    arm = arm_value(metric.kind, moments)
    if isinstance(arm, Undefined):
        return arm
    if arm.variance == 0:
        return Undefined(reason="zero_variance", message="Nobody in this arm differs from anybody: no scale.")
    half_width = critical_value(alpha, arm.degrees_of_freedom) * sqrt(arm.variance)
    method = "delta_t" if metric.kind == "ratio" else "t"
    return Interval(low=arm.value - half_width, high=arm.value + half_width, level=1 - alpha, method=method)
