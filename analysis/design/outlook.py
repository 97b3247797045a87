"""What an open comparison may still come to: power left, detectable lift, units and days until it decides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, inf, isfinite, log, log1p, sqrt

from scipy.special import ndtr

from analysis.effects.means import critical_value
from analysis.estimate import Outlook, Undefined
from analysis.inference.sequential import multiplier

TARGET_POWER_QUANTILE = 0.8416212335729143
# More than so many times the planned units (or those that are in, if more) is beyond all reason.
FARTHEST = 10.0

NOT_OPEN = Undefined(reason="no_estimate", message="Too little has been seen so far to tell what is chance.")
NO_VALUE = Undefined(reason="no_control_value", message="The control's value is 0: a lift over it means nothing.")
NO_MINIMUM = Undefined(reason="no_minimum_lift", message="The plan does not say which lift is worth acting on.")
HORIZON_REACHED = Undefined(reason="planned_units_reached", message="All units that were planned are in.")
NOT_WITHIN = Undefined(
    reason="no_effect_in_sight", message="As small as the effect is now, the planned units will not decide it."
)
OUT_OF_SIGHT = Undefined(reason="no_effect_in_sight", message="As small as the effect is now, it would take too long.")
NO_TRAFFIC = Undefined(
    reason="unknown_traffic", message="How many units come in a day is not known before a whole day of data is in."
)
NOBODY_CAME = Undefined(
    reason="unknown_traffic", message="On the last whole days no new units came: how many will come is not known."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciding:
    """How one comparison decides: `alpha` of this member of its family, `rho` of its sequence; None: one look."""

    alpha: float
    rho: float | None = None

    def critical(self, units: float) -> float:
        """In standard errors, at so many units of the two arms together."""
        if self.rho is None:
            return _normal(self.alpha)
        return float(multiplier(units, self.alpha, self.rho))


def outlook(
    difference: float | Undefined,
    std_error: float | Undefined,
    control_value: float | Undefined,
    *,
    units: int,
    units_in_scope: int,
    planned_units: int,
    deciding: Deciding,
    minimum_lift: float | None = None,
    increase: bool = True,
    units_per_day: float | None = None,
    ends: bool = False,
) -> Outlook:
    """Of one comparison that has not decided yet.

    Parameters
    ----------
    difference, std_error, control_value
        Now, in the metric's unit.
    units, units_in_scope
        So far: of the two arms, and of all arms together.
    planned_units
        Of all arms of the scope: the plan's `tuned_for_units`, or those at its last look.
    deciding
        Error rate alpha / family size, and the ρ of the family's sequences; None under a fixed horizon, which the end
        of a group-sequential design is near enough to.
    minimum_lift, increase
        Of the plan, > 0, and the direction that is wished for.
    units_per_day
        New units of the scope; None or 0: unknown.
    ends
        Whether the planned units are all that decide: what comes after them does not.

    Returns
    -------
    Outlook
        `power_left`: conditional power. Given what is in, the final estimate is N(w·d + (1 - w)·δ, (1 - w)·s²) with w
        the share of the planned units that are in, δ the minimum lift times the control's value, and s the standard
        error then, now times √w: the chance that it is beyond the critical value of the last look, towards δ. (That it
        decides at a look before and not at that one is not in it; little.) `Undefined("planned_units_reached")` for
        w ≥ 1. `detectable_lift`: (critical + z₀.₈)·s/|control value|, from scratch, whatever is in; once more units are
        in than were planned, at those, as `lift_found` at max(planned, in).
        `units_left`: where the interval's end meets 0 if the estimate stays; half of the time it takes longer.
        `Undefined("no_effect_in_sight")` for more than ten times the planned units, or, in a design that `ends`, for
        any that were not planned; `Undefined("planned_units_reached")` once those are in.

    Notes
    -----
    Takes the spread of the metric, the split and the traffic to stay as they are. Conditional power: Lachin, "A review
    of methods for futility stopping based on conditional power", Statistics in Medicine 24 (2005), pp. 2747-2764.
    """
    if isinstance(difference, Undefined) or isinstance(std_error, Undefined) or not 0 < std_error < inf or units < 1:
        return Outlook(power_left=NOT_OPEN, detectable_lift=NOT_OPEN, units_left=NOT_OPEN, days_left=NOT_OPEN)
    per_pair = units_in_scope / units
    planned = planned_units / per_pair
    at_end = std_error * sqrt(units / planned)
    critical = deciding.critical(planned)
    scale = None if isinstance(control_value, Undefined) or not control_value else abs(control_value)
    wanted = None if minimum_lift is None or scale is None else (minimum_lift if increase else -minimum_lift) * scale
    missing = NO_VALUE if scale is None else NO_MINIMUM
    left = _units_left(difference, std_error, units, deciding, FARTHEST * max(planned, units))
    in_scope = left if isinstance(left, Undefined) else ceil(left * per_pair - 1e-9)
    if ends and units >= planned:
        in_scope = HORIZON_REACHED
    elif ends and (isinstance(in_scope, Undefined) or in_scope > planned_units - units_in_scope):
        in_scope = NOT_WITHIN
    return Outlook(
        power_left=_power_left(difference, wanted, missing, at_end, critical, share=units / planned),
        detectable_lift=lift_found(
            std_error, control_value, units=units, at_units=max(planned, units), deciding=deciding
        ),
        units_left=in_scope,
        days_left=_days(in_scope, units_per_day),
    )


def lift_found(
    std_error: float, control_value: float | Undefined, *, units: int, at_units: float, deciding: Deciding
) -> float | Undefined:
    """The lift that a comparison finds with a power of .8 at so many units of its two arms.

    Parameters
    ----------
    std_error
        > 0, now, at `units` of the two arms.
    control_value
        Now; without one that is not 0, `Undefined("no_control_value")`.

    Notes
    -----
    (critical + z₀.₈)·s/|control value| with s the standard error at that size, as the spread and the split are now.
    """
    if isinstance(control_value, Undefined) or not control_value:
        return NO_VALUE
    there = std_error * sqrt(units / at_units)
    lift = (deciding.critical(at_units) + TARGET_POWER_QUANTILE) * there / abs(control_value)
    return lift if isfinite(lift) else NO_VALUE


def _power_left(
    difference: float, wanted: float | None, missing: Undefined, at_end: float, critical: float, *, share: float
) -> float | Undefined:
    if share >= 1:
        return HORIZON_REACHED
    if wanted is None:
        return missing
    expected = share * difference + (1 - share) * wanted
    towards = expected if wanted > 0 else -expected
    return float(ndtr((towards / at_end - critical) / sqrt(1 - share)))


def _units_left(
    difference: float, std_error: float, units: int, deciding: Deciding, farthest: float
) -> float | Undefined:
    """Of the two arms."""
    z = abs(difference) / std_error
    if z == 0 or deciding.critical(farthest) > z * sqrt(farthest / units):
        return OUT_OF_SIGHT
    if deciding.rho is None:
        needed = units * (deciding.critical(units) / z) ** 2
    else:
        needed = _crossing(z * z / (units * deciding.rho**2), -2 * log(deciding.alpha)) / deciding.rho**2
    return max(needed - units, 0.0)


def _crossing(slope: float, evidence: float) -> float:
    """The v at which (1 + 1/v)·(log(1 + v) + evidence) = slope·v: Newton's method on its logarithm, in log v."""
    v = max((evidence + log1p(evidence / slope)) / slope, 1e-3)
    for _ in range(50):
        spent = log1p(v) + evidence
        excess = log1p(1 / v) + log(spent) - log(slope * v)
        gradient = -1 / (1 + v) + v / ((1 + v) * spent) - 1
        step = excess / gradient
        v *= 2.718281828459045 ** -max(min(step, 2.0), -2.0)
        if abs(step) < 1e-10:
            break
    return v


def _days(units_left: int | Undefined, units_per_day: float | None) -> float | Undefined:
    if isinstance(units_left, Undefined):
        return units_left
    if not units_left:
        return 0.0
    if units_per_day == 0:
        return NOBODY_CAME
    if units_per_day is None or not (isfinite(units_per_day) and units_per_day > 0):
        return NO_TRAFFIC
    return units_left / units_per_day


@lru_cache(maxsize=256)
def _normal(alpha: float) -> float:
    return critical_value(alpha)
