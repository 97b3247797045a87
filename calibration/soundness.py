"""What every report must be, whatever went into it: finite numbers or named refusals, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from math import isfinite

from analysis.estimate import Comparison, Estimate, Interval, Report, Undefined

# Ends of intervals and values are computed apart; they may cross by rounding.
_ROUNDING = 1e-9


def unsound(report: Report) -> list[str]:
    """What is wrong with a report, with the place where; nothing is the right answer."""
    return list(_walk(report, "report"))


def _walk(value: object, place: str) -> Iterator[str]:
    if value is None or isinstance(value, (str, int)):
        return
    if isinstance(value, float):
        yield from _number(value, place)
    elif isinstance(value, Undefined):
        if not value.reason or not value.message:
            yield f"{place}: a refusal without a reason"
    elif isinstance(value, (tuple, list)):
        for index, item in enumerate(value):
            yield from _walk(item, f"{place}[{index}]")
    elif is_dataclass(value):
        if isinstance(value, Interval):
            yield from _ordered(value, place)
        if isinstance(value, Estimate):
            yield from _contained(value.value, (value.fixed, value.always_valid), place)
        if isinstance(value, Comparison):
            yield from _contained(value.difference.value, (value.difference_in_family,), place)
            yield from _contained(value.lift.value, (value.lift_in_family,), place)
        for field in fields(value):
            yield from _walk(getattr(value, field.name), f"{place}.{field.name}")


def _number(value: float, place: str) -> Iterator[str]:
    name = place.rsplit(".", 1)[-1]
    if not isfinite(value):
        yield f"{place}: {value}"
    elif name.startswith("p_value") or name.endswith("p_value"):
        if not 0 < value <= 1:
            yield f"{place}: a p-value of {value}"
    elif (name == "std_error" or name.startswith("chance")) and value < 0:
        yield f"{place}: {value} below 0"


def _ordered(interval: Interval, place: str) -> Iterator[str]:
    if not interval.low <= interval.high:
        yield f"{place}: from {interval.low} to {interval.high}"


def _contained(value: float | Undefined, intervals: tuple[Interval | Undefined, ...], place: str) -> Iterator[str]:
    for interval in intervals:
        if isinstance(value, Undefined) or isinstance(interval, Undefined):
            continue
        slack = _ROUNDING * max(abs(value), abs(interval.low), abs(interval.high))
        if not interval.low - slack <= value <= interval.high + slack:
            yield f"{place}: {value} is outside of {interval.low} to {interval.high}"
