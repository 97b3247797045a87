"""Lines of people who were erased or do not consent: found without taking apart what cannot be theirs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from experiments.services.recording.lines import Lines, instant_of, unescaped

_INSTANT_BYTES = 26
"""Every line ends with when it was received, in words of this length that sort as the instants do."""


def oldest_received(lines: Lines) -> datetime | None:
    """Return when the first of the rows was received; None where there are none."""
    oldest = min((line[-_INSTANT_BYTES:] for line in _each(lines)), default=None)
    return None if oldest is None else instant_of(oldest.decode())


class Unwanted(Protocol):
    """Who was erased, or does not consent."""

    def covers(self, unit_id: str, instant: datetime) -> bool:
        """Say whether what was received of the unit at that instant is not to be stored."""


def without(lines: Lines, unwanted: Unwanted) -> Lines:
    """Return the rows but those that are not to be stored."""
    events = [line for line in lines.events.splitlines(keepends=True) if not _is_unwanted(line, unwanted)]
    exposures = [line for line in lines.exposures.splitlines(keepends=True) if not _is_unwanted(line, unwanted)]
    return Lines(
        events=b"".join(events),
        event_rows=len(events),
        exposures=b"".join(exposures),
        exposure_rows=len(exposures),
    )


def rows_of(lines: Lines, unit_id: str, *, after: datetime | None) -> int:
    """Count the rows of a unit that were received after an instant, or at any time."""
    return sum(unit_of(line) == unit_id and (after is None or _received(line) > after) for line in _each(lines))


def unit_of(line: bytes) -> str:
    """Return whose row it is: exposures and events alike begin with their id and the unit's."""
    return unescaped(line.split(b"\t", 2)[1].decode())


def units_in(lines: Lines) -> frozenset[str]:
    """Return whose rows they are."""
    columns = {line.split(b"\t", 2)[1] for line in _each(lines)}
    return frozenset(unescaped(column.decode()) for column in columns)


def _is_unwanted(line: bytes, unwanted: Unwanted) -> bool:
    return unwanted.covers(unit_of(line), _received(line.rstrip(b"\n")))


def _received(line: bytes) -> datetime:
    return instant_of(line[-_INSTANT_BYTES:].decode())


def _each(lines: Lines) -> Iterator[bytes]:
    yield from lines.exposures.splitlines()
    yield from lines.events.splitlines()
