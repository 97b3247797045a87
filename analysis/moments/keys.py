"""What groups of units are known by."""

from __future__ import annotations

from typing import NamedTuple


class ArmKey(NamedTuple):
    """One variant, in one segment, during one epoch."""

    epoch: int
    segment: str
    variant: str


class MetricKey(NamedTuple):
    """One metric of one `ArmKey`."""

    epoch: int
    segment: str
    variant: str
    metric: str


class DayKey(NamedTuple):
    """One `ArmKey` on its units' `day`-th day since exposure; the first is 0."""

    epoch: int
    segment: str
    variant: str
    day: int


class ArrivalKey(NamedTuple):
    """One segment on one UTC date, written 2026-03-01."""

    segment: str
    date: str
