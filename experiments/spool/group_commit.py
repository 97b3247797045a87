"""Group commit: requests that come while a commit is under way share the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from experiments.domain.errors import DomainError, Unavailable
from experiments.services.recording.lines import Lines

Write = Callable[[Sequence[Lines]], None]


class _Waiting:
    """A batch whose thread waits; `turn` is released when it is stored, refused, or to lead the next commit."""

    __slots__ = ("done", "lines", "refusal", "turn")

    def __init__(self, lines: Lines | None) -> None:
        self.lines = lines
        self.turn = threading.Lock()
        self.turn.acquire()
        self.done = False
        self.refusal: DomainError | None = None


class GroupCommit:
    """The first to come leads: it writes for all who wait, then hands over to one of those who came meanwhile.

    So there is one writer at a time without a thread of its own, and whoever comes alone waits for nobody.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._queue = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._led = False

    def commit(self, lines: Lines | None) -> None:
        """Return when the batch is stored (None: when a commit was made). Raise the refusal of the whole group."""
        mine = _Waiting(lines)
        with self._queue:
            self._waiting.append(mine)
            leads, self._led = not self._led, True
        if not leads:
            mine.turn.acquire()
            leads = not mine.done
        if leads:
            self._lead()
        if mine.refusal is not None:
            raise mine.refusal

    def _lead(self) -> None:
        with self._queue:
            group, self._waiting = self._waiting, []
        refusal: DomainError | None = Unavailable("spool_broken", "The spool failed; nothing was stored.")
        try:
            self._write([one.lines for one in group if one.lines is not None])
            refusal = None
        except DomainError as found:
            refusal = found
        finally:
            self._finish(group, refusal)

    def _finish(self, group: Sequence[_Waiting], refusal: DomainError | None) -> None:
        with self._queue:
            if self._waiting:
                self._waiting[0].turn.release()
            else:
                self._led = False
        for one in group:
            one.done, one.refusal = True, refusal
            one.turn.release()
