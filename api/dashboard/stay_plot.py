"""Geometry of the plot of a segment's weeks: its size, and below it who came and who left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.forest import nice_ticks
from api.dashboard.stored.card_values import Week


@dataclass(frozen=True, slots=True, kw_only=True)
class StayFrame:
    """`middle` is where the upper plot ends, `lower` where the lower one begins; the words of the weeks are last."""

    width: int
    height: int
    left: int
    right: int
    top: int
    middle: int
    lower: int
    bottom: int
    most_words: int


WIDE = StayFrame(width=1000, height=370, left=90, right=990, top=30, middle=170, lower=214, bottom=330, most_words=13)
NARROW = StayFrame(width=340, height=370, left=58, right=334, top=30, middle=170, lower=214, bottom=330, most_words=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    y: float
    label: str
    is_zero: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekBars:
    """A week: bars from the line of zero, up for who came and down for who left; `label` only where there is room."""

    x: float
    width: float
    came_y: float
    came_height: float
    left_height: float
    label: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StayPlot:
    """`points`: the size at each beginning and end of a week, from a zero that is on the plot."""

    frame: StayFrame
    sizes: tuple[Level, ...]
    flows: tuple[Level, ...]
    zero_y: float
    points: tuple[tuple[float, float], ...]
    weeks: tuple[WeekBars, ...]

    @property
    def path(self) -> str:
        """What joins the points."""
        return " ".join(f"{x},{y}" for x, y in self.points)


def stay_plot(weeks: Sequence[Week], frame: StayFrame) -> StayPlot | None:
    """Lay the weeks out from left to right; None where nobody was ever in."""
    sizes = [weeks[0].before, *(week.after for week in weeks)] if weeks else []
    if not any(sizes):
        return None
    ticks = nice_ticks(0.0, max(sizes), 5)
    most_came, most_left = max(week.entered for week in weeks), max(week.left for week in weeks)
    flow_ticks = nice_ticks(-max(most_left, 1), max(most_came, 1), 5)
    span = (frame.right - frame.left) / len(weeks)

    def size_y(value: float) -> float:
        return round(frame.middle - value / ticks[-1] * (frame.middle - frame.top), 1)

    def flow_y(value: float) -> float:
        share = (value - flow_ticks[0]) / (flow_ticks[-1] - flow_ticks[0])
        return round(frame.bottom - share * (frame.bottom - frame.lower), 1)

    every = -(-len(weeks) // frame.most_words)
    return StayPlot(
        frame=frame,
        sizes=tuple(Level(y=size_y(tick), label=say.count(round(tick)), is_zero=tick == 0) for tick in ticks),
        flows=tuple(
            Level(y=flow_y(tick), label=say.tick(tick, "mean"), is_zero=tick == 0)
            for tick in flow_ticks
            if tick == int(tick)
        ),
        zero_y=flow_y(0),
        points=tuple((round(frame.left + place * span, 1), size_y(size)) for place, size in enumerate(sizes)),
        weeks=tuple(
            WeekBars(
                x=round(frame.left + (place + 0.2) * span, 1),
                width=round(0.6 * span, 1),
                came_y=flow_y(week.entered),
                came_height=round(flow_y(0) - flow_y(week.entered), 1),
                left_height=round(flow_y(-week.left) - flow_y(0), 1),
                label=_short_day(week) if place % every == 0 else "",
                title=week_words(week),
            )
            for place, week in enumerate(weeks)
        ),
    )


def week_words(week: Week) -> str:
    """What a week brought, in a sentence."""
    return (
        f"Week from {say.day(week.starts_at)}: {say.count(week.before)} at its beginning, "
        f"{say.count(week.entered)} came, {say.count(week.left)} left, {say.count(week.after)} at its end"
    )


def _short_day(week: Week) -> str:
    return say.day(week.starts_at).rpartition(" ")[0]
