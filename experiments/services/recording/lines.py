"""Lines: the form in which accepted rows rest between their acknowledgement and the database.

A row is one line of text with tabs between its columns, as PostgreSQL's COPY reads it, so that a batch can go from a
journal into the database without being taken apart. Ids hold no control characters (`domain/names.py`), which leaves
the backslash as the only thing to escape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import msgspec

from experiments.domain.event import Channel, Event, Exposure

EVENT_COLUMNS = ("event_id", "unit_id", "name", "value", "channel", "occurred_at", "received_at")
EXPOSURE_COLUMNS = (
    "event_id",
    "unit_id",
    "experiment_key",
    "version",
    "epoch",
    "segment",
    "variant",
    "forced",
    "channel",
    "occurred_at",
    "received_at",
)
NULL = "\\N"

Cell = str | int | float | None
EventValues = tuple[str, str, str, float | None, str | None, str, str]
ExposureValues = tuple[str, str, str, int, int, str, str, bool, str | None, str, str]


class Lines(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The rows of one batch, each line ended by a line feed; made for every request that records."""

    events: bytes = b""
    event_rows: int = 0
    exposures: bytes = b""
    exposure_rows: int = 0

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.event_rows + self.exposure_rows

    @property
    def size(self) -> int:
        """How many bytes they take."""
        return len(self.events) + len(self.exposures)


_latest_second: list[tuple[datetime, str]] = [(datetime.min.replace(tzinfo=UTC), "0001-01-01 00:00:00")]
"""Most instants are in the second of the last one, whose text is at hand; the pair is replaced whole."""


def to_lines(events: Sequence[Event], exposures: Sequence[Exposure], *, received_at: datetime) -> Lines:
    """Return the rows in this form."""
    received = instant_text(received_at)
    return Lines(
        events="".join(_event_line(event, received) for event in events).encode(),
        event_rows=len(events),
        exposures="".join(_exposure_line(exposure, received) for exposure in exposures).encode(),
        exposure_rows=len(exposures),
    )


def shown_columns(*, experiment: str, version: int, epoch: int, segment: str, variant: str) -> str:
    """Return the columns of an exposure, nothing forced, that are the same for all units of an answer."""
    return f"{experiment}\t{version}\t{epoch}\t{segment}\t{variant}\tf"


def implied_line(event_id: str, unit_id: str, columns: str, channel: Channel | None, at: str) -> str:
    """Return the line of an exposure that occurs as it is received; `columns` are `shown_columns`."""
    return f"{event_id}\t{escaped(unit_id)}\t{columns}\t{channel or NULL}\t{at}\t{at}\n"


def joined(batches: Sequence[Lines]) -> Lines:
    """Return several batches as one."""
    if len(batches) == 1:
        return batches[0]
    return Lines(
        events=b"".join(batch.events for batch in batches),
        event_rows=sum(batch.event_rows for batch in batches),
        exposures=b"".join(batch.exposures for batch in batches),
        exposure_rows=sum(batch.exposure_rows for batch in batches),
    )


def halves(lines: Lines) -> tuple[Lines, Lines]:
    """Return two parts of two rows or more, neither of them empty."""
    events, exposures = lines.events.splitlines(keepends=True), lines.exposures.splitlines(keepends=True)
    if events and exposures:
        return _lines(events, []), _lines([], exposures)
    middle = lines.rows // 2
    return _lines(events[:middle], exposures[:middle]), _lines(events[middle:], exposures[middle:])


def rows_in(data: bytes) -> list[str]:
    """Return each row by itself, its ids as they are."""
    text = data.decode()
    return (unescaped(text) if "\\\\" in text else text).split("\n")[:-1]


def cells_in(rows: Sequence[str], columns: Sequence[str]) -> list[Cell]:
    """Read rows that have these columns: their cells, row after row. Raises ValueError where a row is none.

    Instants stay texts in UTC, as `instant_text` makes them. Column by column, which is quicker than row by row.
    """
    if not rows:
        return []
    width = len(columns)
    cells: list[Any] = "\t\n\t".join(rows).split("\t")
    if len(cells) != len(rows) * (width + 1) - 1 or cells[width :: width + 1] != ["\n"] * (len(rows) - 1):
        raise ValueError(f"a row has not the {width} columns that it should have")
    del cells[width :: width + 1]
    for at, column in enumerate(columns):
        if column in _READERS:
            cells[at::width] = _READERS[column](cells[at::width])
    return cells


def event_values(rows: Sequence[str]) -> list[EventValues]:
    """Read events, each by itself, as `cells_in`."""
    return cast(list[EventValues], _by_row(rows, EVENT_COLUMNS))


def exposure_values(rows: Sequence[str]) -> list[ExposureValues]:
    """Read exposures, each by itself, as `cells_in`."""
    return cast(list[ExposureValues], _by_row(rows, EXPOSURE_COLUMNS))


def _by_row(rows: Sequence[str], columns: Sequence[str]) -> list[tuple[Cell, ...]]:
    cells = iter(cells_in(rows, columns))
    return list(zip(*[cells] * len(columns), strict=True))


def _numbers(cells: Sequence[str]) -> list[float | None]:
    if NULL not in cells:
        return list(map(float, cells))
    return [None if cell == NULL else float(cell) for cell in cells]


def _texts(cells: Sequence[str]) -> list[str | None]:
    return [None if cell == NULL else cell for cell in cells]


def _wholes(cells: Sequence[str]) -> list[int]:
    return list(map(int, cells))


def _flags(cells: Sequence[str]) -> list[bool]:
    return [cell == "t" for cell in cells]


_READERS: Mapping[str, Callable[[Sequence[str]], Sequence[Cell]]] = {
    "value": _numbers,
    "channel": _texts,
    "version": _wholes,
    "epoch": _wholes,
    "forced": _flags,
}


def of_today(lines: Lines) -> Lines:
    """Return the lines with all columns that there are today: those of one batch were written by one release."""
    events, exposures = _widened(lines.events, EVENT_COLUMNS), _widened(lines.exposures, EXPOSURE_COLUMNS)
    if events is lines.events and exposures is lines.exposures:
        return lines
    return Lines(events=events, event_rows=lines.event_rows, exposures=exposures, exposure_rows=lines.exposure_rows)


def _widened(data: bytes, columns: Sequence[str]) -> bytes:
    """A line that lacks a column lacks the channel, which stands before both instants."""
    if data.count(b"\t", 0, max(0, data.find(b"\n"))) != len(columns) - 2:
        return data
    return b"".join(_with_channel(line) for line in data.splitlines(keepends=True))


def _with_channel(line: bytes) -> bytes:
    *before, occurred_at, received_at = line.split(b"\t")
    return b"\t".join((*before, NULL.encode(), occurred_at, received_at))


def instant_text(instant: datetime) -> str:
    """Return an instant in UTC to the microsecond, in words that both databases read alike."""
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    began, text = _latest_second[0]
    since = instant - began
    if since.days or since.seconds:
        began = instant.replace(microsecond=0)
        text = began.isoformat(" ", "seconds")[:19]
        _latest_second[0] = began, text
    return f"{text}.{instant.microsecond:06}"


def instant_of(text: str) -> datetime:
    """Return the instant that `instant_text` wrote."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def escaped(text: str) -> str:
    """Return a text as it stands in a line."""
    return text.replace("\\", "\\\\") if "\\" in text else text


def unescaped(text: str) -> str:
    """Return what `escaped` was given."""
    return text.replace("\\\\", "\\")


def _event_line(event: Event, received: str) -> str:
    """Adding 0.0 makes a float of an int, and leaves no -0.0, which readers of JSON disagree about."""
    value = NULL if event.value is None else repr(event.value + 0.0)
    return (
        f"{escaped(event.event_id)}\t{escaped(event.unit_id)}\t{event.name}\t{value}\t{event.channel or NULL}\t"
        f"{instant_text(event.occurred_at)}\t{received}\n"
    )


def _exposure_line(exposure: Exposure, received: str) -> str:
    forced = "t" if exposure.forced else "f"
    return (
        f"{escaped(exposure.event_id)}\t{escaped(exposure.unit_id)}\t{exposure.experiment}\t{exposure.version}\t"
        f"{exposure.epoch}\t{exposure.segment}\t{exposure.variant}\t{forced}\t{exposure.channel or NULL}\t"
        f"{instant_text(exposure.occurred_at)}\t{received}\n"
    )


def _lines(events: Sequence[bytes], exposures: Sequence[bytes]) -> Lines:
    return Lines(
        events=b"".join(events),
        event_rows=len(events),
        exposures=b"".join(exposures),
        exposure_rows=len(exposures),
    )
