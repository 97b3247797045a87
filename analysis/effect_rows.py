"""Rows of arrays as the words of a report."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, isnan
from typing import Any, TypeAlias

from analysis.estimate import Estimate, Interval, Undefined
from analysis.intervals import Ends, Intervals, PValues
from analysis.plan import MetricKind
from analysis.reasons import UNDEFINED, Why
from analysis.tested import Tested

Bounds: TypeAlias = tuple[list[float], list[float]]

ALWAYS_VALID = "asymptotic_confidence_sequence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one comparison says before it is seen in its family."""

    difference: Estimate
    lift: Estimate
    p_value: float | Undefined
    p_value_always_valid: float | Undefined


class EffectRows:
    """Effects by row, written only as they are asked for.

    Parameters
    ----------
    rows
        Which rows of the arrays; they are numbered from 0 here.
    """

    def __init__(
        self, kind: MetricKind, found: Tested, p: PValues, intervals: Intervals, *, alpha: float, rows: slice
    ) -> None:
        def listed(column: Any) -> list[Any]:
            return column[rows].tolist()  # type: ignore[no-any-return]

        self.kind, self.level = kind, 1 - alpha
        self.difference, self.std_error = listed(found.difference), listed(found.std_error)
        self.lift, self.lift_std_error = listed(found.lift), listed(found.lift_std_error)
        self.p, self.p_always = listed(p.once), listed(p.always)
        self.why, self.why_p, self.why_always = listed(found.why), listed(found.why_p), listed(p.why_always)
        self.why_error, self.why_interval = listed(found.why_error), listed(found.why_interval)
        self.why_lift, self.why_lift_interval = listed(found.why_lift), listed(found.why_lift_interval)
        self.supported, self.stratified = listed(found.is_supported), listed(found.stratified)
        self.normal = [value == float("inf") for value in listed(found.freedom)]
        self.once, self.lift_once = _bounds(intervals.once, rows)
        self.always, self.lift_always = _bounds(intervals.always, rows)

    def effect(self, row: int) -> Effect:
        names = _NAMES[self.kind == "conversion", self.stratified[row], self.normal[row]]
        why, why_lift = self.why_interval[row], self.why_lift_interval[row]
        early = 0 if self.supported[row] else Why.TOO_FEW_EVENTS
        why_p = self.why_p[row]
        return Effect(
            difference=Estimate(
                value=number_of(self.difference[row], self.why[row]),
                std_error=number_of(self.std_error[row], self.why_error[row]),
                fixed=self._interval(self.once, row, why, names.fixed),
                always_valid=self._interval(self.always, row, why or early, names.always_valid),
            ),
            lift=Estimate(
                value=number_of(self.lift[row], self.why_lift[row]),
                std_error=number_of(self.lift_std_error[row], self.why_lift[row] or self.why_error[row]),
                fixed=self._interval(self.lift_once, row, why_lift, names.lift_fixed),
                always_valid=self._interval(self.lift_always, row, why_lift or early, names.lift_always_valid),
            ),
            p_value=number_of(self.p[row], why_p),
            p_value_always_valid=number_of(self.p_always[row], self.why_always[row]),
        )

    def _interval(self, bounds: Bounds, row: int, why: int, method: str) -> Interval | Undefined:
        return interval_of(bounds[0][row], bounds[1][row], why, self.level, method)


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


def _bounds(ends: Ends, rows: slice) -> tuple[Bounds, Bounds]:
    low, high, lift_low, lift_high = (
        column[rows].tolist() for column in (ends.low, ends.high, ends.lift_low, ends.lift_high)
    )
    return (low, high), (lift_low, lift_high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
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
