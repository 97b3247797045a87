"""The spool: a journal on the local disk, so that recording waits for no database."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from experiments.domain.errors import Unavailable
from experiments.domain.event import Event, Exposure
from experiments.services.ports import OpenUnitOfWork
from experiments.services.recording.lines import Lines, to_lines
from experiments.services.recording.ports import Known, Told
from experiments.spool.backlog import Backlog
from experiments.spool.drain import Drain
from experiments.spool.drainer import Drainer, Source
from experiments.spool.entries import packed
from experiments.spool.file import SpoolFault, SpoolFile, Stretch, spool_closed, spool_full
from experiments.spool.group_commit import GroupCommit
from experiments.spool.hold import hold_new, hold_orphans
from experiments.spool.scrub import Scrubber

DEFAULT_MAX_BYTES = 1 << 30

log = logging.getLogger("winnow.spool")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolStatus:
    """What waits for the database; `dead_rows` it will never take; `last_error` while it is away, or no file is.

    `moves`: how many times the file was removed from under this process, which then went on in another.
    """

    entries: int
    rows: int
    bytes: int
    age_seconds: float
    dead_rows: int
    last_error: str | None
    moves: int


class Spool:
    """`append` returns after the commit; a thread of the spool's takes what is there into the database."""

    def __init__(self, folder: Path, open_unit_of_work: OpenUnitOfWork, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        """Take over a file that a dead process left in the folder, or begin a new one."""
        self._max_bytes = max_bytes
        self._file = _first_fit_orphan(folder) or SpoolFile(hold_new(folder))
        depth = self._file.depth()
        self._dead_before = depth.dead_rows
        self._backlog = Backlog(depth, self._file.last_id)
        self._drain = Drain(self._file, open_unit_of_work)
        self._forgotten_id = self._moves = self._steps = 0
        self._recount_after: int | None = None
        self._astray: str | None = None
        self._scrub_after: int | None = None
        self._group = GroupCommit(self._write)
        self._closed = self._leaving = False
        self._arrived = threading.Event()
        self._drainer = Drainer(
            Source(
                step=self._step,
                tidy=self._tidy,
                rows=lambda: self._backlog.rows,
                stay=lambda: self._group.commit(None),
                arrived=self._arrived,
                scrub=self._scrub,
            ),
            folder=folder,
            open_unit_of_work=open_unit_of_work,
        )

    def start(self) -> None:
        """Begin to drain, with what is there already."""
        self._arrived.set()
        self._drainer.start()

    def append(self, events: Sequence[Event], exposures: Sequence[Exposure], *, received_at: datetime) -> Known:
        """Return after the commit, knowing nothing of what was there before; see `ports.Journal`."""
        if events or exposures:
            self.append_lines(to_lines(events, exposures, received_at=received_at))
        return Known()

    def append_lines(self, lines: Lines) -> None:
        """Return after the commit. Raises Unavailable where nothing was stored."""
        self._require_room(lines)
        self._group.commit(lines)

    def append_lines_later(self, lines: Lines, told: Told) -> None:
        """Return at once; after the commit `told` is called in another thread, where it must neither wait nor raise.

        Raises Unavailable where it is known already that nothing will be stored.
        """
        self._require_room(lines)
        self._group.commit_later(lines, told)

    def _require_room(self, lines: Lines) -> None:
        if self._closed:
            raise spool_closed()
        if self._backlog.bytes + lines.size > self._max_bytes:
            raise spool_full(f"{self._max_bytes:,} bytes wait for the database")

    def status(self) -> SpoolStatus:
        """Return what waits now, files of dead processes included that are being drained."""
        own, adopted = self._backlog.waiting(), self._drainer.adopted
        return SpoolStatus(
            entries=own.entries + (adopted.entries if adopted else 0),
            rows=own.rows + (adopted.rows if adopted else 0),
            bytes=own.bytes + (adopted.bytes if adopted else 0),
            age_seconds=max(own.age_seconds, adopted.age_seconds if adopted else 0.0),
            dead_rows=self._dead_rows + self._drainer.dead_rows,
            last_error=self._astray or self._drainer.last_error,
            moves=self._moves,
        )

    def clean(self) -> None:
        """Begin to take out of the files here what has been erased."""
        self._drainer.look_now()

    def close(self, *, within_seconds: float) -> None:
        """Drain what can be drained in that time; the rest is there for the next start."""
        self._closed = True
        if self._drainer.is_alive():
            self._drainer.stop(within_seconds=within_seconds)
        if self._drainer.is_alive():
            return  # it holds the file until the process ends
        self._leaving = True
        with suppress(Unavailable):  # of a group that was refused; the file is let go of whatever came of it
            self._group.commit(None)

    def _write(self, batches: Sequence[Lines]) -> None:
        """Store a group; the last one lets go of the file, as only between groups nothing is under way."""
        try:
            self._store(batches)
        finally:
            if self._leaving:
                self._let_go()

    def _let_go(self) -> None:
        self._leaving = False
        if self._is_done():
            self._file.remove()
        else:
            log.warning("%d rows stay in %s for the next start", self._backlog.rows, self._file.hold.path)
            self._file.close()

    def _store(self, batches: Sequence[Lines]) -> None:
        """Store a group, and drop what the database has meanwhile: that costs no commit of its own.

        Where it raises after it was written, it is counted and drained as if it were acknowledged.
        """
        if self._astray:
            self._stay()
        entries = packed(batches)
        last = self._written(entries)
        if entries:
            self._backlog.added(entries, last)
            self._arrived.set()
        if not self._stay() and self._recount_after is not None and self._steps > self._recount_after:
            # What was being drained while the file moved may not have been among what was counted then.
            self._recount_after = None
            self._recount()

    def _written(self, entries: Sequence[Lines]) -> int:
        drained = self._drain.drained_id
        forget = drained if drained > self._forgotten_id else 0
        try:
            last = self._file.write(entries, forget=forget, above=drained)
        except Unavailable:
            forget = 0
            if not self._stay():  # else somebody else wrote there: it was theirs by then
                if not self._drain.drained_id or not self._is_done():
                    raise
                self._file.start_over()
            last = self._file.write(entries, forget=0, above=self._drain.drained_id)
        self._forgotten_id = max(self._forgotten_id, forget)
        return last

    def _is_done(self) -> bool:
        """Whether nothing in the file is needed any more: by the file, as a count may be less than what is there."""
        if self._file.is_gone:
            return True
        try:
            depth = self._file.depth(after=self._drain.drained_id)
        except Unavailable:
            return False
        return not depth.entries and not depth.dead_rows

    def _recount(self) -> None:
        self._backlog.recount(lambda: self._drain.drained_id, lambda drained_id: self._file.depth(after=drained_id))

    def _stay(self) -> bool:
        """Acknowledge nothing that the next start would not find; return whether that took another file.

        Both is told once.
        """
        before = self._file.hold.path
        try:
            moved = self._file.stay()
        except Unavailable as refusal:
            if not self._astray:
                log.error("%s was removed while it was written, and there is no other: %s", before, refusal.message)
            self._astray = refusal.code
            raise
        if moved:
            self._moves += 1
            log.error("%s was removed while it was written; all is in %s", before, self._file.hold.path.name)
            self._recount_after = self._steps
            self._recount()
        self._astray = None
        return moved

    @property
    def _dead_rows(self) -> int:
        return self._dead_before + self._drain.dead_rows

    def _step(self) -> Stretch | None:
        stretch = self._drain.step()
        if stretch is not None:
            self._backlog.drained(stretch)
            self._steps += 1
        return stretch

    def _scrub(self, scrubber: Scrubber) -> None:
        """Scrub, where that is due, as soon as all that waited then is drained and dropped: the rest is erased."""
        if not scrubber.is_due(self._file.hold.path):
            return
        if self._scrub_after is None:
            self._scrub_after = self._file.last_id
        if self._forgotten_id >= self._scrub_after and scrubber.scrub(self._file):
            self._scrub_after = None
            self._dead_before, self._drain.dead_rows = self._file.depth().dead_rows, 0

    def _tidy(self) -> None:
        """Drop what has been drained, unless a commit of others has done so.

        On a full disk that fails as long as rows are left; draining on is the way out of it.
        """
        if self._drain.drained_id > self._forgotten_id:
            try:
                self._group.commit(None)
            except Unavailable:
                if not self._backlog.rows:
                    raise


def _first_fit_orphan(folder: Path) -> SpoolFile | None:
    """Go on with a file that is there already, so that a process that often dies leaves no trail of files.

    A damaged one is none to go on with: what comes would wait behind the damage.
    """
    for hold in hold_orphans(folder):
        try:
            return _sound(SpoolFile(hold))
        except SpoolFault as fault:
            log.error("%s is not gone on with: %s", hold.path, fault.message)
    return None


def _sound(file: SpoolFile) -> SpoolFile:
    try:
        file.check()
        file.depth()
    except SpoolFault:
        file.close()
        raise
    return file
