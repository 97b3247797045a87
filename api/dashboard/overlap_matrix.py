"""Which segments share their customers: a square of shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.heat import share_step
from api.dashboard.stored.customers import Overlaps
from experiments.services.segments.few import FEWEST

MOST_SEGMENTS = 12
ITSELF = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """`step` -1 is the segment itself; `title` says the share in a sentence."""

    text: str
    step: int
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One segment; `number` is that of its column."""

    number: int
    key: str
    name: str
    customers: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """`left_out` says in a sentence which segments are not in it; empty where all are."""

    lines: tuple[Line, ...]
    left_out: str


def overlap_matrix(overlaps: Overlaps | None) -> Matrix | None:
    """Set the largest segments against each other, the largest first; None where there are not two with anybody in."""
    if overlaps is None:
        return None
    some = sorted((-units, place) for place, units in enumerate(overlaps.units) if units)
    told = [place for _, place in some[:MOST_SEGMENTS]]
    if len(told) < 2:
        return None
    lines = tuple(_line(overlaps, number, place, told) for number, place in enumerate(told, start=1))
    return Matrix(lines=lines, left_out=_left_out(len(some)))


def _left_out(segments: int) -> str:
    if segments <= MOST_SEGMENTS:
        return ""
    return (
        f"These are the {MOST_SEGMENTS} largest of {segments} segments; "
        "each segment’s own page shows it beside all others."
    )


def _line(overlaps: Overlaps, number: int, place: int, told: Sequence[int]) -> Line:
    key = overlaps.segments[place]
    return Line(
        number=number,
        key=key,
        name=overlaps.names.get(key, key),
        customers=say.amount(overlaps.units[place], "customer"),
        cells=tuple(_cell(overlaps, place, other) for other in told),
    )


def _cell(overlaps: Overlaps, place: int, other: int) -> Cell:
    if place == other:
        return Cell(text="", step=ITSELF, title="")
    share, units = overlaps.shares[place][other].value, overlaps.units[place]
    this, that = (overlaps.names.get(overlaps.segments[one], overlaps.segments[one]) for one in (place, other))
    if share is None or units < FEWEST:
        return Cell(text="?", step=0, title=f"{this} has too few customers to say which share is in {that}")
    said = whole_share(share)
    both = few_or(overlaps.both[place][other])
    return Cell(
        text=said.replace("under ", "< ").replace("over ", "> "),
        step=share_step(share),
        title=f"Of {this}, {said} are in {that} too: {both}",
    )


def whole_share(share: float) -> str:
    """0%, under 1%, 62%, over 99%, 100%: only nobody is 0, and only all are 100."""
    if 0 < share < 0.01:
        return "under 1%"
    if 0.99 < share < 1:
        return "over 99%"
    return f"{share:.0%}"


def is_few(customers: int) -> bool:
    """Whether a number is so small that it is of single people: its share of a known number would tell it too."""
    return 0 < customers < FEWEST


def few_or(customers: int) -> str:
    """A number of customers, unless it is of single people."""
    return f"under {FEWEST} customers" if is_few(customers) else say.amount(customers, "customer")


def part_of_all(customers: int, share: float) -> str:
    """A number of customers and their share."""
    return f"{few_or(customers)}, {'too few to say which share' if is_few(customers) else say.part(share)}"
