"""What a spool file holds that the database does not have yet, counted in memory."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from experiments.services.recording.lines import Lines
from experiments.spool.file import Depth, Stretch


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How much waits, and for how long the oldest of it has."""

    entries: int
    rows: int
    bytes: int
    age_seconds: float


class Backlog:
    """Ages are taken from a clock that is never set, so that a stepped wall clock changes none.

    The thread that drains may be done with what a commit stored before that is counted: for a moment less than nothing
    waits, which nobody is told.
    """

    def __init__(self, depth: Depth, last_id: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with what a file held when it was opened."""
        self._clock = clock
        self._counting = threading.Lock()
        self._entries, self._rows, self._bytes = depth.entries, depth.rows, depth.bytes
        self._drained_id = 0
        self._since: deque[tuple[int, float]] = deque()
        if depth.entries:
            self._since.append((last_id, clock() - depth.age_seconds))

    @property
    def bytes(self) -> int:
        """How many bytes wait."""
        return max(0, self._bytes)

    @property
    def rows(self) -> int:
        """How many rows wait."""
        return max(0, self._rows)

    def added(self, entries: Sequence[Lines], last_id: int) -> None:
        """Count what a commit stored; `last_id` is its last entry's."""
        with self._counting:
            self._entries += len(entries)
            self._rows += sum(lines.rows for lines in entries)
            self._bytes += sum(lines.size for lines in entries)
            if self._entries > 0:
                self._since.append((last_id, self._clock()))

    def drained(self, stretch: Stretch) -> None:
        """Count what the database has taken."""
        with self._counting:
            if stretch.last_id <= self._drained_id:
                return
            self._drained_id = stretch.last_id
            self._entries -= stretch.entries
            self._rows -= sum(lines.rows for lines in stretch.lines)
            self._bytes -= sum(lines.size for lines in stretch.lines)
            while self._since and self._since[0][0] <= stretch.last_id:
                self._since.popleft()

    def recount(self, drained: Callable[[], int], count: Callable[[int], Depth]) -> None:
        """Take what is counted after the last drained id for what waits: others may have drained some. By who commits.

        Who drains has that id a moment before it is heard of here, and then nothing to take off any more.
        """
        with self._counting:
            self._drained_id = max(self._drained_id, drained())
            depth = count(self._drained_id)
            self._entries, self._rows, self._bytes = depth.entries, depth.rows, depth.bytes
            if not depth.entries:
                self._since.clear()

    def waiting(self) -> Waiting:
        """Return all of it."""
        with self._counting:
            age = self._clock() - self._since[0][1] if self._since else 0.0
            entries = max(0, self._entries)
            return Waiting(entries=entries, rows=self.rows, bytes=self.bytes, age_seconds=max(0.0, age))
