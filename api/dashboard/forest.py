"""Geometry of a forest plot: from lifts and intervals to coordinates. Markup is the template's, words the caller's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from statistics import median

from api.dashboard.text_width import fitted, width_of, wrapped
from experiments.domain.wording import MINUS, shortened


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One row: an estimate with its interval (fractions), or a reason in place of them.

    `tone` says what may be concluded: `better`, `worse`, or `open`.
    """

    label: str
    text: str
    detail: str
    tone: str
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    title: str
    note: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A linear axis: lifts [low, high] on pixels [left, right]; both ends are ticks."""

    low: float
    high: float
    left: float
    right: float
    ticks: tuple[float, ...]

    def x(self, value: float) -> float:
        """Where a lift stands; what lies beyond an end stands at that end."""
        inside = min(max(value, self.low), self.high)
        return round(self.left + (inside - self.low) / (self.high - self.low) * (self.right - self.left), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """An interval on the axis; `cut_low` and `cut_high` ends go on beyond it and get an arrow."""

    point: float
    low: float
    high: float
    cut_low: bool
    cut_high: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A heading (`mark` None) or a mark; `y` is the middle of its line of text, `bar_y` of its interval.

    `note` stands at `note_y`, at the other end. `reason`: lines from `bar_y` on, where there is no interval to draw.
    """

    y: float
    bar_y: float
    label: str
    full_label: str
    note: str
    note_y: float
    mark: Mark | None
    bar: Bar | None
    reason: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    x: float
    label: str
    is_zero: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where things stand in one width: `stacked` puts words above the interval instead of beside it."""

    width: int
    left: int
    right: int
    heading_height: int
    row_height: int
    label_length: int
    title_length: int
    most_ticks: int
    stacked: bool

    @property
    def span(self) -> int:
        return self.right - self.left


WIDE = Frame(
    width=1000,
    left=230,
    right=700,
    heading_height=34,
    row_height=28,
    label_length=28,
    title_length=70,
    most_ticks=8,
    stacked=False,
)
NARROW = Frame(
    width=340,
    left=8,
    right=332,
    heading_height=32,
    row_height=52,
    label_length=26,
    title_length=60,
    most_ticks=5,
    stacked=True,
)
TOP = 30
_BAND = 11
BOTTOM = 30
_HEADING_SIZE, _TEXT_SIZE, _NOTE_SIZE = 14, 13.5, 12.5
"""Of letters, in pixels, as the stylesheet has them."""
_LINE, _APART = 17, 12
LINES_OF_REASON = 4
VALUE_BEYOND = 90
"""Where values end that stand beside intervals, to the right of the axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """A plot ready to draw; without a `scale` there is nothing on it but words."""

    frame: Frame
    height: float
    top: float
    bottom: float
    scale: Scale | None
    ticks: tuple[Tick, ...]
    rows: tuple[Row, ...]

    @property
    def zero(self) -> float | None:
        return None if self.scale is None else self.scale.x(0.0)

    @property
    def bands(self) -> tuple[tuple[float, float], ...]:
        """From where to where the lines of the axis are drawn: where words stand above intervals, not through words."""
        if not self.frame.stacked:
            return ((self.top, self.bottom),)
        marks = tuple((row.bar_y - _BAND, row.bar_y + _BAND) for row in self.rows if row.bar is not None)
        return (*marks, (self.bottom - 6, self.bottom))


def forest(groups: Sequence[Group], frame: Frame) -> Forest:
    """Lay the groups out, one below the other, on one axis."""
    scale = scale_for((mark for group in groups for mark in group.marks), frame)
    rows, bottom = _rows(groups, frame, scale)
    ticks = (
        () if scale is None else tuple(Tick(x=scale.x(at), label=tick_label(at), is_zero=at == 0) for at in scale.ticks)
    )
    return Forest(frame=frame, height=bottom + BOTTOM, top=TOP, bottom=bottom, scale=scale, ticks=ticks, rows=rows)


def scale_for(marks: Iterable[Mark], frame: Frame) -> Scale | None:
    """Choose an axis with zero on it, room for every estimate, and for intervals unless they dwarf the others."""
    drawn = [mark for mark in marks if mark.value is not None and isfinite(mark.value)]
    if not drawn:
        return None
    points = [mark.value or 0.0 for mark in drawn]
    ends = [end for mark in drawn for end in (mark.low, mark.high) if end is not None and isfinite(end)]
    reach = max(2 * max(map(abs, points)), 2.5 * median(map(abs, ends)) if ends else 0.0) or 0.01
    low = min(0.0, *points, max(min(ends, default=0.0), -reach))
    high = max(0.0, *points, min(max(ends, default=0.0), reach))
    ticks = nice_ticks(low, high if high > low else low + 0.01, frame.most_ticks)
    return Scale(low=ticks[0], high=ticks[-1], left=frame.left, right=frame.right, ticks=ticks)


def nice_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    """Round multiples of 1, 2 or 5 × 10^k that enclose [low, high], at most `most` of them."""
    start = floor(log10((high - low) / most))
    for step in (factor * 10.0**power for power in range(start, start + 3) for factor in (1, 2, 5)):
        first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
        if last - first < most:
            return tuple(round(index * step, 12) for index in range(first, last + 1))
    raise AssertionError("a step of the size of the span always fits")


def bar(scale: Scale, mark: Mark) -> Bar | None:
    """Place one mark; None where there is no estimate, or no interval to say how sure it is."""
    if mark.value is None or mark.low is None or mark.high is None:
        return None
    return Bar(
        point=scale.x(mark.value),
        low=scale.x(mark.low),
        high=scale.x(mark.high),
        cut_low=mark.low < scale.low,
        cut_high=mark.high > scale.high,
    )


def _rows(groups: Sequence[Group], frame: Frame, scale: Scale | None) -> tuple[tuple[Row, ...], float]:
    """Return all rows, and where the last one ends."""
    rows, y = [], float(TOP)
    for group in groups:
        heading = _heading(group, frame, y)
        rows.append(heading)
        y += frame.heading_height + heading.note_y - heading.y
        for mark in group.marks:
            row = _row(mark, frame, scale, y)
            rows.append(row)
            y += frame.row_height + _LINE * max(0, len(row.reason) - 1)
    return tuple(rows), y


def _heading(group: Group, frame: Frame, top: float) -> Row:
    """Where words are stacked, the note has a line of its own unless both fit into one."""
    y, label = top + frame.heading_height / 2 + 4, shortened(group.title, frame.title_length)
    both = width_of(label, _HEADING_SIZE, bold=True) + _APART + width_of(group.note, _NOTE_SIZE)
    below = frame.stacked and both > frame.span
    return Row(
        y=y,
        bar_y=0,
        label=fitted(label, _HEADING_SIZE, frame.span, bold=True) if frame.stacked else label,
        full_label=group.title,
        note=group.note,
        note_y=y + _LINE if below else y,
        mark=None,
        bar=None,
        reason=(),
    )


def _row(mark: Mark, frame: Frame, scale: Scale | None, top: float) -> Row:
    placed = None if scale is None else bar(scale, mark)
    y = top + (14 if frame.stacked else frame.row_height / 2)
    beside = frame.span - width_of(mark.text, _TEXT_SIZE, bold=True) - _APART
    label = shortened(mark.label, frame.label_length)
    room = frame.span if frame.stacked else beside + VALUE_BEYOND - _APART
    return Row(
        y=y,
        bar_y=top + 34 if frame.stacked else y,
        label=fitted(label, _TEXT_SIZE, beside) if frame.stacked else label,
        full_label=mark.label,
        note="",
        note_y=y,
        mark=mark,
        bar=placed,
        reason=() if placed else wrapped(mark.detail, _NOTE_SIZE, room, most=LINES_OF_REASON),
    )


def tick_label(value: float) -> str:
    """A round lift on an axis: +5%, 0%, −2.5%."""
    sign = MINUS if value < 0 else "+" if value > 0 else ""
    return f"{sign}{abs(round(100 * value, 9)):g}%"
