"""Power, sample size and minimum detectable effect: three views of one equation, for the tests that the report runs.

Conversions: score tests (Miettinen–Nurminen, Farrington–Manning), normal. Means, counts, ratios: Welch's t, noncentral.
Power here is the chance to decide *towards* the difference; deciding against it is the type S error, see `errors`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, inf, isfinite, sqrt
from typing import Literal

from scipy.optimize import brentq
from scipy.special import nctdtr, ndtr

from analysis.design.designs import Design, Spread, spread_of
from analysis.design.metrics import Conversion
from analysis.effects.lift import NOT_POSITIVE
from analysis.effects.means import satterthwaite, too_few_units
from analysis.estimate import Undefined

_LEAST_UNITS = 2.0
_MOST_UNITS = 1e15
_FARTHEST = 1e300
_CLOSE = 1e-12

NO_EFFECT = Undefined(reason="no_effect", message="The difference is the hypothetical one: no sample tells them apart.")
TOO_MANY_UNITS = Undefined(
    reason="too_many_units", message="The difference is too small for any sample there could be."
)
UNREACHABLE = Undefined(reason="unreachable", message="No value the metric can have is far enough away.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSize:
    """`control` and `treatment` (each) as the equation gives them; `total` whole units in all arms."""

    control: float
    treatment: float
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectableEffect:
    """`lift` is a fraction of the control's value, undefined unless that is positive."""

    difference: float
    lift: float | Undefined


def power(design: Design, *, control_units: float, difference: float) -> float | Undefined:
    """Chance that one treatment is told from the control, towards the difference.

    Parameters
    ----------
    design
        Metric, rule, arms.
    control_units
        ≥ 0 in the control; each treatment has `treatment_per_control` times as many.
    difference
        True treatment minus control, in the metric's unit.

    Returns
    -------
    float
        P(T > c·s₀/s₁): T noncentral t with mean (difference - margin)/s₁, s₁ the standard error at these values, s₀
        the one under the hypothesis, c the rule's critical value; T normal for conversions and confidence sequences. A
        two-sided test of no difference at all decides towards it with probability alpha/2.
        `Undefined`: "no_units", "one_unit" in an arm, "out_of_range" (no such rate), "zero_variance".

    Raises
    ------
    ValueError
        Negative units, or a difference that is no number.

    Notes
    -----
    Assumes independent units, means near normal (see `means.mean_value`) and, for means and ratios, the same variance
    in both arms. Conversions need some ten units an arm that convert and ten that do not. A lift of a zero-inflated
    mean raises its variance too: then the power is a little smaller.

    Farrington & Manning, Statistics in Medicine 9 (1990), pp. 1447-1454; Fleiss, Levin & Paik, "Statistical Methods for
    Rates and Proportions" (2003), chapter 4.
    """
    if not isfinite(difference):
        raise ValueError(f"no difference: {difference}")
    if too_few := _too_few(design, control_units):
        return too_few
    spread = spread_of(design, difference)
    if isinstance(spread, Undefined):
        return spread
    return _power(design, spread, control_units, difference)


def sample_size(design: Design, *, difference: float, target_power: float = 0.8) -> SampleSize | Undefined:
    """The fewest units with which the difference is found with the target power.

    Parameters
    ----------
    difference
        True treatment minus control; its side of the margin is the one that is tested.
    target_power
        In [½, 1): below a coin toss there is nothing to plan.

    Returns
    -------
    SampleSize
        At least two units an arm. `Undefined`: "no_effect" (the difference is the margin), "too_many_units" (above
        10¹⁵), "out_of_range", "zero_variance".

    Raises
    ------
    ValueError
        Outside these.
    """
    _check_target(target_power)
    if difference == design.rule.margin:
        return NO_EFFECT
    fewest = _LEAST_UNITS / min(1.0, design.arms.treatment_per_control)
    spread = spread_of(design, difference)
    if isinstance(spread, Undefined):
        return spread

    def excess(control_units: float) -> float:
        return _power(design, spread, control_units, difference) - target_power

    control = _first_crossing(excess, fewest, _MOST_UNITS, fewest)
    if control is None:
        return TOO_MANY_UNITS
    treatment = control * design.arms.treatment_per_control
    total = ceil(control - _CLOSE * control) + design.arms.treatments * ceil(treatment - _CLOSE * treatment)
    return SampleSize(control=control, treatment=treatment, total=total)


def minimum_detectable_effect(
    design: Design, *, control_units: float, target_power: float = 0.8, direction: Literal[1, -1] = 1
) -> DetectableEffect | Undefined:
    """The smallest difference, on one side of the margin, that is found with the target power: the inverse of `power`.

    Parameters
    ----------
    control_units
        ≥ 0 in the control.
    target_power
        In [½, 1); from there on power only rises with the distance from the margin, so there is one answer.
    direction
        1 above the margin, -1 below.

    Returns
    -------
    DetectableEffect
        `Undefined`: "unreachable" when even the farthest rate (0, 1) is not found, "no_units", "one_unit",
        "zero_variance", "out_of_range" (a margin that no rate has).

    Raises
    ------
    ValueError
        Outside these.
    """
    _check_target(target_power)
    metric, margin = design.metric, design.rule.margin
    low, high = metric.span
    room = (high if direction == 1 else low) - metric.value - margin
    reach = room * direction
    if too_few := _too_few(design, control_units):
        return too_few
    if reach <= 0:
        return UNREACHABLE

    def excess(distance: float) -> float:
        found = power(design, control_units=control_units, difference=margin + direction * distance)
        return -target_power if isinstance(found, Undefined) else found - target_power

    distance = _first_crossing(excess, 0.0, min(reach, _FARTHEST), 1 / control_units)
    if distance is None:
        return spread if isinstance(spread := spread_of(design, margin), Undefined) else UNREACHABLE
    difference = margin + direction * distance
    lift = difference / metric.value if metric.value > 0 else NOT_POSITIVE
    return DetectableEffect(difference=difference, lift=lift)


def _too_few(design: Design, control_units: float) -> Undefined | None:
    if not 0 <= control_units < inf:
        raise ValueError(f"no number of units: {control_units}")
    fewest = min(control_units, control_units * design.arms.treatment_per_control)
    return too_few_units(int(fewest)) if fewest < _LEAST_UNITS else None


def _power(design: Design, spread: Spread, control_units: float, difference: float) -> float:
    treatment_units = control_units * design.arms.treatment_per_control
    variances = (spread.treatment / treatment_units, spread.control / control_units)
    null_error = sqrt(spread.null_treatment / treatment_units + spread.null_control / control_units)
    freedom = inf
    if not isinstance(design.metric, Conversion):
        freedom = satterthwaite(variances, (treatment_units - 1, control_units - 1))
    needed = design.rule.critical_at(treatment_units + control_units, freedom) * null_error
    distance, std_error = abs(difference - design.rule.margin), sqrt(sum(variances))
    if std_error == 0:
        return 1.0 if distance > needed else 0.0
    if freedom == inf or design.rule.tuned_for_units is not None:
        return float(ndtr((distance - needed) / std_error))
    return float(nctdtr(freedom, -distance / std_error, -needed / std_error))


def _first_crossing(excess: Callable[[float], float], low: float, high: float, step: float) -> float | None:
    """Where a rising function meets 0 between low and high, looking ever farther; None if it does not."""
    if excess(low) >= 0:
        return low
    upper = min(low + step, high)
    while excess(upper) < 0:
        if upper >= high:
            return None
        low, step = upper, 2 * step
        upper = min(low + step, high)
    return float(brentq(excess, low, upper, xtol=_CLOSE * upper, rtol=_CLOSE))


def _check_target(target_power: float) -> None:
    if not 0.5 <= target_power < 1:
        raise ValueError(f"a target power must be in [.5, 1): {target_power}")
