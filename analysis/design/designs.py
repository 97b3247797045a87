"""A design: a metric, the rule for deciding about it, and the arms; with it the variances that a test will meet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from scipy.optimize import brentq

from analysis.design.metrics import Conversion, Metric
from analysis.design.rules import Arms, Rule
from analysis.estimate import Undefined

_EDGE = 1e-12

NO_SCALE = Undefined(reason="zero_variance", message="Nobody differs from anybody: there is nothing to plan with.")
OUT_OF_RANGE = Undefined(reason="out_of_range", message="The metric cannot have that value.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A metric, the rule for deciding about it, and the arms.

    `null_variance` matters for conversions only. "score": at the likeliest rates that differ by the margin, pooled if
    it is 0, as in the report's test and R's `power.prop.test`. "baseline": at the control's rate in both arms, as in
    Evan Miller's calculator.
    """

    metric: Metric
    rule: Rule = field(default_factory=Rule)
    arms: Arms = field(default_factory=Arms)
    null_variance: Literal["score", "baseline"] = "score"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Variances of one unit of either arm: as they are, and under the hypothesis."""

    treatment: float
    control: float
    null_treatment: float
    null_control: float


def spread_of(design: Design, difference: float) -> Spread | Undefined:
    """At a true difference. `Undefined("out_of_range")` if there is no such rate, ("zero_variance") if all are 0."""
    metric = design.metric
    value = _within(metric, metric.value + difference)
    if value is None:
        return OUT_OF_RANGE
    treatment, control = metric.variance_at(value), metric.variance_at(metric.value)
    null_treatment, null_control = treatment, control
    if isinstance(metric, Conversion):
        rates = _null_rates(design, value)
        if rates is None:
            return OUT_OF_RANGE
        null_treatment, null_control = metric.variance_at(rates[0]), metric.variance_at(rates[1])
    if treatment == control == null_treatment == null_control == 0:
        return NO_SCALE
    return Spread(treatment=treatment, control=control, null_treatment=null_treatment, null_control=null_control)


def _within(metric: Metric, value: float) -> float | None:
    """The value if the metric can have it; a rounding error beyond the end is the end."""
    low, high = metric.span
    inside = min(max(value, low), high)
    return inside if abs(inside - value) <= _EDGE else None


def _null_rates(design: Design, treatment: float) -> tuple[float, float] | None:
    """The rates in treatment and control whose variances the test takes under the hypothesis."""
    control, margin = design.metric.value, design.rule.margin
    if abs(margin) >= 1:
        return None
    if design.null_variance == "baseline":
        shifted = _within(design.metric, control + margin)
        return None if shifted is None else (shifted, control)
    weight = design.arms.treatment_per_control / design.arms.pair_per_control
    if margin == 0:
        pooled = weight * treatment + (1 - weight) * control
        return pooled, pooled
    restricted = _restricted_control(treatment, control, weight, margin)
    return restricted + margin, restricted


def _restricted_control(treatment: float, control: float, weight: float, margin: float) -> float:
    """The control rate to which the likeliest pair of rates tends that differ by the margin.

    Where the expected log likelihood, concave in the rate x, is greatest: weight·l(treatment, x + margin) +
    (1 - weight)·l(control, x) with l(p, q) = p·log q + (1 - p)·log(1 - q). Farrington & Manning (1990).
    """
    low, high = max(0.0, -margin), min(1.0, 1.0 - margin)

    def slope(rate: float) -> float:
        shifted = rate + margin
        towards_treatment = treatment / shifted - (1 - treatment) / (1 - shifted)
        return weight * towards_treatment + (1 - weight) * (control / rate - (1 - control) / (1 - rate))

    first, last = low + _EDGE * (high - low), high - _EDGE * (high - low)
    if slope(first) <= 0:
        return low
    return float(brentq(slope, first, last, xtol=1e-15)) if slope(last) < 0 else high
