"""Why a number does not exist, as codes that fit into arrays: 0 where it does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.effects.lift import NOT_POSITIVE as LIFT_NOT_POSITIVE
from analysis.effects.lift import UNBOUNDED as LIFT_UNBOUNDED
from analysis.estimate import Undefined

Reasons: TypeAlias = NDArray[np.int64]


class Why:
    """Plain integers: an `IntEnum`'s members cost numpy microseconds each."""

    EXISTS = 0
    NO_UNITS = 1
    ONE_UNIT = 2
    ZERO_DENOMINATOR = 3
    NO_COMMON_STRATUM = 4
    TOO_FEW_UNITS = 5
    TOO_FEW_EVENTS = 6
    ZERO_VARIANCE = 7
    SAME_RATE = 8
    NOT_POSITIVE = 9
    UNBOUNDED = 10
    NOBODY = 11
    TOO_FEW_VALUES = 12
    TIED_VALUES = 13
    TOO_EARLY = 14
    NOT_IN_FAMILY = 15
    NOTHING_TO_SPEND = 16
    FLAT_ARM = 17
    NOT_FINITE = 18
    DIRECTION_ALONE = 19


UNDEFINED: dict[int, Undefined] = {
    Why.NO_UNITS: Undefined(reason="no_units", message="Nobody has been in this arm yet."),
    Why.ONE_UNIT: Undefined(reason="one_unit", message="One customer alone shows no spread."),
    Why.ZERO_DENOMINATOR: Undefined(reason="zero_denominator", message="The denominators add up to zero."),
    Why.NO_COMMON_STRATUM: Undefined(reason="no_common_stratum", message="These two were never offered side by side."),
    Why.TOO_FEW_UNITS: Undefined(
        reason="too_few_units",
        message="There is no stretch of time yet in which both have enough units side by side.",
    ),
    Why.TOO_FEW_EVENTS: Undefined(
        reason="too_few_events", message="Too few events yet for an answer that holds whenever one looks."
    ),
    Why.ZERO_VARIANCE: Undefined(
        reason="zero_variance", message="Nobody differs from anybody within an arm: no scale to test on."
    ),
    Why.SAME_RATE: Undefined(
        reason="zero_variance", message="Both arms have the same rate, 0% or 100%: nothing to test."
    ),
    Why.NOT_POSITIVE: LIFT_NOT_POSITIVE,
    Why.UNBOUNDED: LIFT_UNBOUNDED,
    Why.NOBODY: Undefined(reason="unbounded", message="Nobody in the baseline converted: no percentage is too large."),
    Why.TOO_FEW_VALUES: Undefined(
        reason="too_few_units", message="Too few values to bound this quantile on both sides."
    ),
    Why.TIED_VALUES: Undefined(
        reason="zero_variance", message="One value, or a few, hold the whole interval: no spread shows."
    ),
    Why.TOO_EARLY: Undefined(reason="too_early", message="Below the minimum, nothing is concluded."),
    Why.NOT_IN_FAMILY: Undefined(
        reason="not_in_family", message="Not corrected: no winner is named on this comparison."
    ),
    Why.DIRECTION_ALONE: Undefined(
        reason="not_in_family",
        message="Treatments are compared for which is better: no interval of that holds together with the others.",
    ),
    Why.NOT_FINITE: Undefined(reason="not_finite", message="Too large or too small for a number."),
    Why.FLAT_ARM: Undefined(reason="zero_variance", message="Nobody in this arm differs from anybody: no scale."),
    Why.NOTHING_TO_SPEND: Undefined(
        reason="nothing_to_spend",
        message="No error rate is left for this look: the last one is over, or nobody new has come.",
    ),
}


# Reasons that more units of the same kind do not take away.
NO_UNITS_HELP = frozenset({"zero_variance", "zero_denominator", "not_finite"})


def hopeless(p_values: Iterable[float | Undefined]) -> Undefined | None:
    """Why none of these can be tested, however many units come; None where one can be, or may be later."""
    found = list(p_values)
    reasons = [one for one in found if isinstance(one, Undefined) and one.reason in NO_UNITS_HELP]
    return reasons[0] if reasons and len(reasons) == len(found) else None


def first_of(why: Reasons, other: Reasons) -> Reasons:
    """The first reason, or the other one where there is none."""
    return np.where(why, why, other)


def or_else(why: Reasons, fails: NDArray[np.bool_], reason: int) -> Reasons:
    """The first reason, or this one where there is none and something fails."""
    found = why.copy()
    found[fails & (why == 0)] = reason
    return found


def why_of(undefined: Undefined) -> int:
    """The code of a reason that comes from one arm alone."""
    return _CODES.get(undefined.reason, Why.TOO_FEW_UNITS)


_CODES = {
    "no_units": Why.NO_UNITS,
    "one_unit": Why.ONE_UNIT,
    "zero_denominator": Why.ZERO_DENOMINATOR,
    "zero_variance": Why.TIED_VALUES,
    "too_few_units": Why.TOO_FEW_UNITS,
}
