"""Geometry of the map of all customers by recency and frequency: from counts to squares."""

from __future__ import annotations

from dataclasses import dataclass

from api.dashboard.heat import Step, count_legend, step_of
from api.dashboard.rfm_words import (
    cell_words,
    count_text,
    frequency_scores,
    frequency_words,
    recency_scores,
    recency_words,
)
from api.dashboard.stored.rfm import RfmCell, RfmReport


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFrame:
    """`gap` is between squares; words of the rows stand left of `left`, those of the columns above `top`."""

    width: int
    left: int
    top: int
    cell_height: int
    gap: int


WIDE = MapFrame(width=760, left=130, top=52, cell_height=54, gap=4)
NARROW = MapFrame(width=340, left=78, top=52, cell_height=46, gap=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """`text` is written on it, `title` is what it says in full."""

    x: float
    y: float
    width: float
    height: float
    step: int
    text: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """`at`: the middle of a row or a column."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RfmMap:
    frame: MapFrame
    height: float
    squares: tuple[Square, ...]
    rows: tuple[Word, ...]
    columns: tuple[Word, ...]
    legend: tuple[Step, ...]


def rfm_map(report: RfmReport, frame: MapFrame) -> RfmMap | None:
    """Lay the squares out, the latest buyers on top, the most frequent ones on the right; None where nobody bought."""
    most = max((cell.customers for cell in report.cells), default=0)
    if not most:
        return None
    rows, columns = recency_scores(report), frequency_scores(report)
    total = sum(cell.customers for cell in report.cells)
    step_x = (frame.width - frame.left) / len(columns)
    width = step_x - frame.gap
    height = frame.cell_height - frame.gap

    def x(f: int) -> float:
        return frame.left + columns.index(f) * step_x

    def y(r: int) -> float:
        return frame.top + rows.index(r) * frame.cell_height

    def square(cell: RfmCell) -> Square:
        bought = frequency_words(cell.f, report.frequency_ends)
        when = recency_words(cell.r, report.recency_ends)
        return Square(
            x=round(x(cell.f), 1),
            y=round(y(cell.r), 1),
            width=round(width, 1),
            height=height,
            step=step_of(cell.customers, most),
            text=count_text(cell.customers),
            title=f"Purchases: {bought}; days since the last: {when}. {cell_words(cell, total)}",
        )

    return RfmMap(
        frame=frame,
        height=frame.top + len(rows) * frame.cell_height,
        squares=tuple(square(cell) for cell in report.cells if cell.r in rows and cell.f in columns),
        rows=tuple(Word(at=round(y(r) + height / 2, 1), text=recency_words(r, report.recency_ends)) for r in rows),
        columns=tuple(
            Word(at=round(x(f) + width / 2, 1), text=frequency_words(f, report.frequency_ends)) for f in columns
        ),
        legend=count_legend(most),
    )
