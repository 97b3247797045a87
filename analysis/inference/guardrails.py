"""Guardrails: is the harm, if any, within what is tolerated?"""

from __future__ import annotations

from math import inf, isnan

from analysis.estimate import Estimate, GuardrailState, Interval
from analysis.plan import MetricPlan


def guardrail_state(metric: MetricPlan, difference: Estimate, lift: Estimate, beyond: float) -> GuardrailState:
    """Where the always-valid interval of the lift lies against the margin; without one, that of the difference.

    Parameters
    ----------
    metric
        `direction` says which way harm lies, `margin_lift` (a fraction, None: 0) how much of it is tolerated.
    difference, lift
        Of a treatment and the control.
    beyond
        Looked at where the lift has no interval: the always-valid test of "harm at the margin", its statistic over its
        critical value; > 1 where there is more of the metric than that, < -1 where there is less. NaN without one.

    Returns
    -------
    str
        For `increase`: "safe" if the whole interval is above -margin, "harmed" if it is wholly below, "worse" if it is
        wholly below 0 but not wholly on one side of -margin (there is harm, perhaps a tolerable one), otherwise
        "unknown" (also where the difference has no interval). For `decrease` mirrored. All are two-sided statements at
        the plan's alpha that hold at every look together, for each guardrail and variant on its own: the more of them a
        plan has, the likelier one of them is wrong. A family is not needed here: promotion under `proven_safe` errs
        only if *all* guardrails are wrongly safe (an intersection-union test), and a false "harmed" only delays.

    Notes
    -----
    A control that is 0 or less, or may be, bounds no percentage: but there is harm all the same. Then it is judged as
    the difference, and the margin is that part of the control's size (see `margin_in_question`). Where the lift has an
    interval, the two ways are one test: intervals are made by inverting it.
    """
    if isinstance(lift.always_valid, Interval):
        gain = _gain(metric, lift.always_valid.low, lift.always_valid.high)
        margin = metric.margin_lift or 0.0
        return _state(gain, (gain[0] + margin, gain[1] + margin))
    if not isinstance(difference.always_valid, Interval):
        return "unknown"
    gain = _gain(metric, difference.always_valid.low, difference.always_valid.high)
    if not metric.margin_lift:
        return _state(gain, gain)
    if isnan(beyond):
        return _state(gain, (gain[0], inf))
    at_margin, _ = _gain(metric, beyond, beyond)
    return _state(gain, (at_margin - 1.0, at_margin + 1.0))


def margin_in_question(metric: MetricPlan, control: float) -> float:
    """The lift at which harm is just tolerated; of a control below 0 as a part of its size, the other way round."""
    harm = -1.0 if metric.direction == "increase" else 1.0
    return harm * (metric.margin_lift or 0.0) * (-1.0 if control < 0 else 1.0)


def _state(gain: tuple[float, float], with_margin: tuple[float, float]) -> GuardrailState:
    """Of two intervals: of the gain, and of the gain and what is tolerated together, on any scale."""
    if with_margin[0] > 0:
        return "safe"
    if with_margin[1] < 0:
        return "harmed"
    return "worse" if gain[1] < 0 else "unknown"


def _gain(metric: MetricPlan, low: float, high: float) -> tuple[float, float]:
    return (low, high) if metric.direction == "increase" else (-high, -low)
