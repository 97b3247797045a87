"""Group commit: requests that come while a commit is under way share the next one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TypeAlias

from experiments.domain.errors import DomainError, Unavailable
from experiments.services.recording.lines import Lines
from experiments.services.recording.ports import Told

Write = Callable[[Sequence[Lines]], None]

log = logging.getLogger("winnow.spool")


class _Waiting:
    """A batch whose thread waits; `turn` is released when it is stored, refused, or to lead the next commit."""

    __slots__ = ("done", "lines", "refusal", "turn")

    def __init__(self, lines: Lines | None) -> None:
        self.lines = lines
        self.turn = _taken()
        self.done = False
        self.refusal: DomainError | None = None

    def finish(self, refusal: DomainError | None) -> None:
        self.done, self.refusal = True, refusal
        self.turn.release()


class _Left:
    """A batch whose thread has gone on; `turn` is that of the thread that leads for all of these."""

    __slots__ = ("_told", "lines", "turn")

    def __init__(self, lines: Lines, told: Told, turn: threading.Lock) -> None:
        self.lines = lines
        self.turn = turn
        self._told = told

    def finish(self, refusal: DomainError | None) -> None:
        try:
            self._told(refusal)
        except Exception:  # it is one of many, who all have to be told
            log.exception("Who waited for a commit could not be told of it")


_Batch: TypeAlias = _Waiting | _Left


class GroupCommit:
    """The first to come leads: it writes for all who wait, then hands over to one of those who came meanwhile.

    So there is one writer at a time, and whoever comes alone waits for nobody. Where the next one has not waited, a
    thread that is there for those leads.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._queue = threading.Lock()
        self._waiting: list[_Batch] = []
        self._led = False
        self._turn = _taken()
        self._leader: threading.Thread | None = None

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

    def commit_later(self, lines: Lines, told: Told) -> None:
        """Return at once, and call `told` after the commit, in another thread: it must neither wait nor raise."""
        mine = _Left(lines, told, self._turn)
        with self._queue:
            if self._leader is None:
                self._leader = self._started()  # or nobody is queued
            self._waiting.append(mine)
            leads, self._led = not self._led, True
        if leads:
            self._turn.release()

    def _started(self) -> threading.Thread:
        leader = threading.Thread(target=self._lead_for_all, name="winnow-commit", daemon=True)
        try:
            leader.start()
        except RuntimeError as error:
            raise Unavailable("spool_broken", "There is no room for one more thread; nothing was stored.") from error
        return leader

    def _lead_for_all(self) -> None:
        while True:
            self._turn.acquire()
            try:
                self._lead()
            except Exception:  # whose batches these were has been told; others come
                log.exception("A commit of the spool failed")

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

    def _finish(self, group: Sequence[_Batch], refusal: DomainError | None) -> None:
        with self._queue:
            if self._waiting:
                self._waiting[0].turn.release()
            else:
                self._led = False
        for one in group:
            one.finish(refusal)


def _taken() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock
