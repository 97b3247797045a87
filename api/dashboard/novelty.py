"""Does the effect last? It by day since exposure, for each treatment, in all segments together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.day_plot import NARROW, WIDE, DayPlot, Point, day_plot
from api.dashboard.names import Names
from api.dashboard.stored import DayEffect, Novelty, StoredReport

_CLEAR = 0.01
"""As in the engine: looked at with every report, a trend has to be rare where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLine:
    """`missing` says why there is no difference on that day; else it is empty."""

    day: str
    units: str
    difference: str
    interval: str
    missing: str

    @property
    def said(self) -> str:
        return (self.missing or f"{self.difference}, {self.interval}").rstrip(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class ByDay:
    """`plots` are wide and narrow, each with its levels in words; `lines` say the same as a table."""

    key: str
    title: str
    answer: str
    plots: tuple[tuple[str, DayPlot, tuple[str, ...]], ...]
    lines: tuple[DayLine, ...]
    description: str
    unit: str


def by_day(report: StoredReport, names: Names) -> tuple[ByDay, ...]:
    """Return one plot per treatment that has two days or more."""
    primary = report.overall.primary
    if primary is None:
        return ()
    return tuple(_plots(report, primary.kind, names))


def _plots(report: StoredReport, kind: str, names: Names) -> Iterator[ByDay]:
    for found in report.overall.novelty:
        points = [point for day in found.days if (point := _point(day)) is not None]
        wide, narrow = day_plot(points, WIDE), day_plot(points, NARROW)
        if wide is None or narrow is None:
            continue
        lines = tuple(_line(day, kind) for day in found.days)
        yield ByDay(
            key=found.treatment,
            title=f"{names.variant(found.treatment)} against {names.variant(found.baseline)}",
            answer=_answer(found),
            plots=tuple((form, plot, _levels(plot, kind)) for form, plot in (("wide", wide), ("narrow", narrow))),
            lines=lines,
            description=" ".join(f"Day {line.day}: {line.said}." for line in lines),
            unit="points" if kind == "conversion" else "",
        )


def _answer(found: Novelty) -> str:
    p = found.trend_p_value.value
    if p is None:
        return found.trend_p_value.missing
    if p >= _CLEAR:
        return f"No change from the first day to the later ones is shown ({say.p_value(p)})."
    return f"Later days are shown to differ from the first ({say.p_value(p)}): what counts is what lasts."


def _point(day: DayEffect) -> Point | None:
    interval = day.interval.interval
    if day.difference.value is None or interval is None:
        return None
    return Point(day=day.day, value=day.difference.value, low=interval.low, high=interval.high)


def _line(day: DayEffect, kind: str) -> DayLine:
    interval, value = day.interval.interval, day.difference.value
    return DayLine(
        day=str(day.day),
        units=say.count(day.units),
        difference="" if value is None else say.difference(value, kind),
        interval=say.difference_range(interval.low, interval.high, kind) if interval else day.interval.missing,
        missing=day.difference.missing or "not known" if value is None else "",
    )


def _levels(plot: DayPlot, kind: str) -> tuple[str, ...]:
    return tuple(say.tick(level.value, kind) for level in plot.levels)
