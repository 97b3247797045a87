"""Guardrails: is the harm, if any, within what is tolerated?"""

from __future__ import annotations

from analysis.estimate import Estimate, GuardrailState, Undefined
from analysis.plan import MetricPlan


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
        For `increase`: "safe" if the whole interval is above -margin, "harmed" if it is wholly below, "worse" if it is
        wholly below 0 but not wholly on one side of -margin (there is harm, perhaps a tolerable one), otherwise
        "unknown" (also where the lift has no interval). For `decrease` mirrored. All are two-sided statements at the
        plan's alpha that hold at every look together, for each guardrail and variant on its own: the more of them a
        plan has, the likelier one of them is wrong. A family is not needed here: promotion under `proven_safe` errs
        only if *all* guardrails are wrongly safe (an intersection-union test), and a false "harmed" only delays.
    """
    interval = lift.always_valid
    if isinstance(interval, Undefined):
        return "unknown"
    margin = metric.margin_lift or 0.0
    low, high = (interval.low, interval.high) if metric.direction == "increase" else (-interval.high, -interval.low)
    if low > -margin:
        return "safe"
    if high < -margin:
        return "harmed"
    return "worse" if high < 0 else "unknown"
