"""Old rows of the log in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from experiments.domain.retention import Needed
from experiments.storage.memory.state import EventRow, ExposureRow, Log


class MemoryAgedRows:
    """Rows of nobody stand where others were erased; they have no id of a unit."""

    def __init__(self, exposures: Log[ExposureRow], events: Log[EventRow]) -> None:
        self._exposures = exposures
        self._events = events

    def exposures(self, before: datetime, needed: Needed, *, above: int, upto: int) -> Sequence[tuple[int, str]]:
        rows = enumerate(self._exposures.rows[above:upto], above + 1)
        return [
            (place, row[0]) for place, row in rows if row[1] and row[5] < before and row[0] not in needed.experiments
        ]

    def events(self, before: datetime, needed: Needed, *, above: int, upto: int) -> Sequence[tuple[int, str]]:
        found = []
        for place, (unit_id, name, _, at, _) in enumerate(self._events.rows[above:upto], above + 1):
            since = needed.names.get(name)
            is_free = name not in needed.names or (since is not None and at < since)
            if unit_id and at < before and is_free:
                found.append((place, name))
        return found
