"""Geometry of the plot of an effect by day since exposure: from days and intervals to coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

from api.dashboard.forest import nice_ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One day: a difference with its interval."""

    day: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFrame:
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    most_days: int


WIDE = DayFrame(width=1000, height=230, left=90, right=985, top=14, bottom=190, most_days=15)
NARROW = DayFrame(width=340, height=230, left=74, right=330, top=14, bottom=190, most_days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A day on the plot; an interval that goes on beyond its edge is cut there."""

    x: float
    y: float
    top: float
    bottom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A horizontal line at a difference."""

    y: float
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPlot:
    frame: DayFrame
    levels: tuple[Level, ...]
    days: tuple[tuple[float, int], ...]
    points: tuple[Placed, ...]

    @property
    def path(self) -> str:
        """What joins the points."""
        return " ".join(f"{point.x},{point.y}" for point in self.points)


def day_plot(points: Sequence[Point], frame: DayFrame) -> DayPlot | None:
    """Lay the days out from left to right; None where there are fewer than two."""
    if len(points) < 2:
        return None
    reach = max(2 * max(abs(one.value) for one in points), 2.0 * median(max(-one.low, one.high) for one in points))
    low = min(0.0, max(min(one.low for one in points), -reach), *(one.value for one in points))
    high = max(0.0, min(max(one.high for one in points), reach), *(one.value for one in points))
    ticks = nice_ticks(low, high if high > low else low + 0.01, 5)
    first, last = points[0].day, points[-1].day

    def x(day: int) -> float:
        inset = 14
        return round(frame.left + inset + (day - first) / (last - first) * (frame.right - frame.left - 2 * inset), 1)

    def y(value: float) -> float:
        inside = min(max(value, ticks[0]), ticks[-1])
        return round(frame.bottom - (inside - ticks[0]) / (ticks[-1] - ticks[0]) * (frame.bottom - frame.top), 1)

    every = ceil((last - first + 1) / frame.most_days)
    return DayPlot(
        frame=frame,
        levels=tuple(Level(y=y(tick), value=tick) for tick in ticks),
        days=tuple((x(day), day) for day in range(first, last + 1, every)),
        points=tuple(Placed(x=x(one.day), y=y(one.value), top=y(one.high), bottom=y(one.low)) for one in points),
    )
