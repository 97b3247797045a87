"""Columns of arrays as the words of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from math import isfinite, isnan
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.estimate import Estimate, Interval, Undefined
from analysis.in_rows import rows
from analysis.intervals import Intervals, PValues
from analysis.plan import MetricKind
from analysis.reasons import UNDEFINED, Reasons, Why, first_of, or_else
from analysis.tested import Tested

Floats: TypeAlias = NDArray[np.float64]

ALWAYS_VALID = "asymptotic_confidence_sequence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one comparison says before it is seen in its family."""

    difference: Estimate
    lift: Estimate
    p_value: float | Undefined
    p_value_always_valid: float | Undefined


class EffectRows(NamedTuple):
    """The fields of `Effect`, a column for each."""

    difference: list[Estimate]
    lift: list[Estimate]
    p_value: list[float | Undefined]
    p_value_always_valid: list[float | Undefined]

    def take(self, own: slice) -> EffectRows:
        return EffectRows(self.difference[own], self.lift[own], self.p_value[own], self.p_value_always_valid[own])

    def one_by_one(self) -> list[Effect]:
        return rows(Effect, *self)


def effects(kind: MetricKind, found: Tested, p: PValues, intervals: Intervals, *, alpha: float) -> EffectRows:
    """All rows; a column of numbers at a time, for most have nothing undefined in them."""
    how = zip(repeat(kind == "conversion"), found.stratified.tolist(), (found.freedom == np.inf).tolist(), strict=False)
    fixed, lift_fixed, always_valid, lift_always_valid = zip(*[_NAMES[each] for each in how], strict=True)
    level, once, always = 1 - alpha, intervals.once, intervals.always
    early = ~found.is_supported
    why, why_lift = found.why_interval, found.why_lift_interval
    differences = rows(
        Estimate,
        numbers(found.difference, found.why),
        numbers(found.std_error, found.why_error),
        intervals_of(once.low, once.high, why, level, fixed),
        intervals_of(always.low, always.high, or_else(why, early, Why.TOO_FEW_EVENTS), level, always_valid),
    )
    lifts = rows(
        Estimate,
        numbers(found.lift, found.why_lift),
        numbers(found.lift_std_error, first_of(found.why_lift, found.why_error)),
        intervals_of(once.lift_low, once.lift_high, why_lift, level, lift_fixed),
        intervals_of(
            always.lift_low,
            always.lift_high,
            or_else(why_lift, early, Why.TOO_FEW_EVENTS),
            level,
            lift_always_valid,
        ),
    )
    return EffectRows(differences, lifts, numbers(p.once, found.why_p), numbers(p.always, p.why_always))


def numbers(values: Floats, why: Reasons) -> list[float | Undefined]:
    """A column of a report, `why` a number does not exist."""
    shown: list[float] = values.tolist()
    # A sum is finite only where all its terms are.
    if isfinite(sum(shown)) and not np.count_nonzero(why):
        return [*shown]
    return list(map(number_of, shown, why.tolist()))


def intervals_of(
    low: Floats, high: Floats, why: Reasons, level: float, methods: Sequence[str]
) -> list[Interval | Undefined]:
    ends: tuple[list[float], list[float]] = low.tolist(), high.tolist()
    if isfinite(sum(ends[1]) - sum(ends[0])) and not np.count_nonzero(why):
        return [*rows(Interval, *ends, repeat(level), methods)]
    return list(map(interval_of, *ends, why.tolist(), repeat(level), methods))


def interval_of(low: float, high: float, why: int, level: float, method: str) -> Interval | Undefined:
    if why or isnan(low):
        return UNDEFINED[why or Why.UNBOUNDED]
    if not isfinite(high - low):
        return UNDEFINED[Why.NOT_FINITE]
    return Interval(low=low, high=high, level=level, method=method)


def number_of(value: float, why: int) -> float | Undefined:
    if why or not isfinite(value):
        return UNDEFINED[why or Why.NOT_FINITE]
    return value


class Names(NamedTuple):
    """The field's names of a comparison's intervals."""

    fixed: str
    lift_fixed: str
    always_valid: str
    lift_always_valid: str


def _names(conversion: bool, stratified: bool, normal: bool) -> Names:
    if conversion:
        name = "stratified_miettinen_nurminen" if stratified else "miettinen_nurminen"
        score = f"{ALWAYS_VALID}_score"
        return Names(fixed=name, lift_fixed=f"{name}_ratio", always_valid=score, lift_always_valid=score)
    test = "z" if normal else "t" if stratified else "welch_t"
    return Names(
        fixed=f"stratified_{test}" if stratified else test,
        lift_fixed="fieller",
        always_valid=ALWAYS_VALID,
        lift_always_valid=f"{ALWAYS_VALID}_fieller",
    )


_NAMES = {
    (conversion, stratified, normal): _names(conversion, stratified, normal)
    for conversion in (False, True)
    for stratified in (False, True)
    for normal in (False, True)
}
