"""Numbers and intervals, and why some do not exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Doc = Mapping[str, Any]

NOT_COMPUTED: Doc = {"undefined": "not_computed", "message": "Not computed at the time of this snapshot."}


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A statistic; where `value` is None, `missing` says why in a sentence."""

    value: float | None
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    low: float
    high: float
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """An interval; where there is none, `missing` says why in a sentence."""

    interval: Interval | None
    missing: str = ""


def number_of(value: Any) -> Number:
    """Read a number, or the reason why there is none."""
    if isinstance(value, int | float):
        return Number(value=float(value))
    if isinstance(value, Mapping) and "undefined" in value:
        return Number(value=None, missing=value.get("message") or value["undefined"])
    return Number(value=None)


def interval_of(doc: Doc | None) -> Interval | None:
    """Read an interval with both of its ends."""
    if doc is None:
        return None
    low, high = number_of(doc.get("low")).value, number_of(doc.get("high")).value
    return None if low is None or high is None else Interval(low=low, high=high, level=doc["level"])


def bounds_of(doc: Doc | None) -> Bounds:
    """Read an interval, or the reason why there is none."""
    return Bounds(interval=interval_of(doc), missing=number_of(doc).missing)


def is_defined(doc: Any) -> bool:
    """Say whether an optional part is there, neither left out nor undefined."""
    return isinstance(doc, Mapping) and "undefined" not in doc
