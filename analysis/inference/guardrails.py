"""Guardrails: is the harm, if any, within what is tolerated?"""

from __future__ import annotations

from typing import Literal

from analysis.estimate import Estimate, Undefined
from analysis.plan import MetricPlan

GuardrailState = Literal["safe", "harmed", "unknown"]


def guardrail_state(metric: MetricPlan, lift: Estimate) -> GuardrailState:
    """Where the always-valid interval of the lift lies against the margin.

    Parameters
    ----------
    metric
        `direction` says which way harm lies, `margin_lift` (a fraction, None: 0) how much of it is tolerated.
    lift
        Of a treatment over the control.

    Returns
    -------
    str
        For `increase`: "safe" if the whole interval is above -margin, "harmed" if it is wholly below, otherwise
        "unknown" (also where the lift has no interval). For `decrease` mirrored. Both are two-sided statements at the
        plan's alpha that hold at every look together.
    """
    interval = lift.always_valid
    if isinstance(interval, Undefined):
        return "unknown"
    margin = metric.margin_lift or 0.0
    low, high = (interval.low, interval.high) if metric.direction == "increase" else (-interval.high, -interval.low)
    if low > -margin:
        return "safe"
    return "harmed" if high < -margin else "unknown"
