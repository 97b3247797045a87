"""The portrait as one picture: words and bars placed on a sheet that stands on its own, in light colours everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from api.dashboard.persona_page import ALL, PersonaPage
from api.dashboard.text_width import fitted, printable, wrapped
from api.dashboard.trait_words import OTHERS, Contrast

INK, QUIET, LINE = "#1d2422", "#5d6864", "#d9d5c9"
HERE, THERE, GROUND = "#14684c", "#8d948f", "#eef0ec"
WIDTH, MARGIN, BETWEEN = 1000, 48, 56
COLUMN = (WIDTH - 2 * MARGIN - BETWEEN) / 2
WHEN = "As measured when it won; the experiment says how sure"
MOST_TYPICAL, MOST_CHANNELS, MOST_WON = 8, 6, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """`y` is the base line."""

    x: float
    y: float
    text: str
    size: float
    fill: str = INK
    bold: bool = False
    anchor: str = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    x: float
    y: float
    width: float
    height: float
    fill: str


Mark = Text | Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A sheet of `width` × `height` pixels."""

    width: int
    height: int
    title: str
    marks: tuple[Mark, ...]

    @property
    def boxes(self) -> Sequence[Box]:
        return [mark for mark in self.marks if isinstance(mark, Box)]

    @property
    def texts(self) -> Sequence[Text]:
        return [mark for mark in self.marks if isinstance(mark, Text)]


@dataclass(slots=True)
class _Column:
    """Marks from the top down; `y` is where the next one goes."""

    x: float
    y: float
    width: float
    marks: list[Mark] = field(default_factory=list)

    def write(self, text: str, size: float, *, most: int = 1, fill: str = INK, bold: bool = False) -> None:
        """Write a text below what is there, in as many lines as it needs and may have."""
        for line in wrapped(printable(text), size, self.width, most=most, bold=bold):
            self.y += round(size * 1.32, 1)
            self.marks.append(Text(x=self.x, y=self.y, text=line, size=size, fill=fill, bold=bold))

    def skip(self, height: float) -> None:
        self.y += height

    def heading(self, text: str, note: str = "") -> None:
        """Begin a part."""
        self.skip(26)
        self.write(text, 17, bold=True)
        self.skip(8)
        self.marks.append(Box(x=self.x, y=self.y, width=self.width, height=1, fill=LINE))
        if note:
            self.write(note, 12.5, most=2, fill=QUIET)
        self.skip(4)


def persona_drawing(page: PersonaPage) -> Drawing:
    """Lay the portrait out in two columns below its name."""
    head = _Column(x=MARGIN, y=MARGIN - 16, width=WIDTH - 2 * MARGIN)
    head.write(page.name, 34, most=2, bold=True)
    head.skip(4)
    head.write(page.size, 17, fill=QUIET)
    left = _Column(x=MARGIN, y=head.y, width=COLUMN)
    right = _Column(x=MARGIN + COLUMN + BETWEEN, y=head.y, width=COLUMN)
    for draw in (_typical, _apart, _habits, _won, _by_definition, _channels):
        draw(min(left, right, key=lambda column: column.y), page)
    foot = _Column(x=MARGIN, y=max(left.y, right.y) + 24, width=WIDTH - 2 * MARGIN)
    foot.marks.append(Box(x=foot.x, y=foot.y, width=foot.width, height=1, fill=LINE))
    foot.write(f"Winnow, counted on {page.counted}. Shares and averages of the customers of whom they are known.", 12.5)
    return Drawing(
        width=WIDTH,
        height=round(foot.y + MARGIN - 16),
        title=printable(f"Portrait of {page.name}"),
        marks=(*head.marks, *left.marks, *right.marks, *foot.marks),
    )


def _typical(column: _Column, page: PersonaPage) -> None:
    if not page.typical:
        return
    column.heading("Who they typically are")
    for one in page.typical[:MOST_TYPICAL]:
        column.skip(8)
        column.write(one.label, 13, fill=QUIET)
        column.write(one.value, 17, most=2, bold=True)
        column.write(one.note, 12.5, fill=QUIET)
    if len(page.typical) > MOST_TYPICAL:
        column.skip(8)
        column.write(f"and {len(page.typical) - MOST_TYPICAL} more", 12.5, fill=QUIET)


def _habits(column: _Column, page: PersonaPage) -> None:
    if page.habits:
        column.heading("What they do", f"Beside {ALL}, these included")
        _pairs(column, page.habits, ALL)


def _channels(column: _Column, page: PersonaPage) -> None:
    if not page.channels:
        return
    column.heading("Where they can be reached")
    for one in page.channels[:MOST_CHANNELS]:
        column.skip(6)
        _beside(column, one.name, one.share, 14)
        _bar(column, one.length, HERE)


def _apart(column: _Column, page: PersonaPage) -> None:
    column.heading("What sets them apart", f"Beside {OTHERS}" if page.apart else "")
    if page.apart_none:
        column.write(page.apart_none, 14, most=4)
    _pairs(column, page.apart, OTHERS)


def _by_definition(column: _Column, page: PersonaPage) -> None:
    if page.by_definition:
        column.heading("So by definition", "The segment’s condition asks for it, so it is no discovery")
        _pairs(column, page.by_definition, OTHERS)


def _won(column: _Column, page: PersonaPage) -> None:
    column.heading("Content that won with them", WHEN if page.won else "")
    if page.won_none:
        column.write(page.won_none, 14, fill=QUIET)
    for one in page.won[:MOST_WON]:
        column.skip(6)
        _beside(column, one.content, one.lift, 15)
        column.write(one.experiment, 12.5, most=2, fill=QUIET)


def _pairs(column: _Column, contrasts: Sequence[Contrast], others: str) -> None:
    for one in contrasts:
        column.skip(8)
        column.write(one.label, 14, most=2, bold=True)
        column.skip(2)
        _measure(column, "here", one.here, one.here_length, HERE)
        _measure(column, others, one.elsewhere, one.elsewhere_length, THERE)


def _measure(column: _Column, who: str, value: str, length: float | None, fill: str) -> None:
    """Value, a bar where there is one to draw, and whose it is, in one line."""
    column.skip(19)
    room, start = column.width - 236, column.x + 112
    value_text = Text(x=column.x, y=column.y, text=fitted(value, 14, 108, bold=True), size=14, bold=True)
    column.marks.append(value_text)
    if length is not None:
        column.marks.append(Box(x=start, y=column.y - 10, width=round(room, 1), height=10, fill=GROUND))
        column.marks.append(Box(x=start, y=column.y - 10, width=round(room * length, 1), height=10, fill=fill))
    at = column.x + column.width
    column.marks.append(Text(x=at, y=column.y, text=who, size=12.5, fill=QUIET, anchor="end"))


def _beside(column: _Column, label: str, value: str, size: float) -> None:
    """A label on the left and its value on the right."""
    column.skip(round(size * 1.32, 1))
    text = fitted(printable(label), size, column.width - 90, bold=True)
    column.marks.append(Text(x=column.x, y=column.y, text=text, size=size, bold=True))
    column.marks.append(Text(x=column.x + column.width, y=column.y, text=value, size=size, bold=True, anchor="end"))


def _bar(column: _Column, length: float, fill: str) -> None:
    column.skip(6)
    column.marks.append(Box(x=column.x, y=column.y, width=column.width, height=8, fill=GROUND))
    column.marks.append(Box(x=column.x, y=column.y, width=round(column.width * length, 1), height=8, fill=fill))
    column.skip(8)
