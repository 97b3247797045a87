"""The thread that drains: promptly while little comes, in large batches while much does, patiently while none goes."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.domain.errors import DomainError, Unavailable, cause_of
from experiments.services.ports import OpenUnitOfWork
from experiments.spool.drain import BATCH_ROWS, Drain
from experiments.spool.file import Depth, SpoolFault, SpoolFile, Stretch
from experiments.spool.hold import hold_orphans
from experiments.spool.scrub import Scrubber

LINGER_SECONDS, LONGEST_LINGER_SECONDS = 0.03, 0.3
"""How long rows may wait for company, and how long while much goes on coming: the larger a batch, the cheaper a row."""
MUCH_ROWS = 300
"""So many in `LINGER_SECONDS`, about ten thousand a second, are much."""
LOOK_SECONDS = 5.0
"""How often to look for files of dead processes."""
UNFIT_SECONDS = 600.0
"""For how long a file is left alone that cannot be read or written: it may be for want of room or of rights."""
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 2.0

log = logging.getLogger("winnow.spool")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The file of this process: take a batch, drop what was taken, count what waits, keep that, hear of more, scrub."""

    step: Callable[[], Stretch | None]
    tidy: Callable[[], None]
    rows: Callable[[], int]
    stay: Callable[[], None]
    arrived: threading.Event
    scrub: Callable[[Scrubber], None]


class Drainer(threading.Thread):
    """All waits are by a clock that is never set."""

    def __init__(self, own: Source, *, folder: Path, open_unit_of_work: OpenUnitOfWork) -> None:
        super().__init__(name="winnow-spool-drainer", daemon=True)
        self._own = own
        self._folder = folder
        self._open = open_unit_of_work
        self._scrubber = Scrubber(open_unit_of_work)
        self._stopping = threading.Event()
        self._give_up_at = float("inf")
        self._failures = 0
        self._look_at = self._stay_at = 0.0
        self._unfit_until: dict[Path, float] = {}
        self.last_error: str | None = None
        self.adopted: Depth | None = None
        self.dead_rows = 0

    def stop(self, *, within_seconds: float) -> None:
        """Drain once more, as long as that goes and takes no longer, and end."""
        self._give_up_at = time.monotonic() + within_seconds
        self._stopping.set()
        self._own.arrived.set()
        self.join(within_seconds + 1)

    def run(self) -> None:
        """Drain until stopped."""
        while not self._stopping.is_set():
            self._own.arrived.wait(LOOK_SECONDS)
            self._linger()
            self._own.arrived.clear()
            if time.monotonic() >= self._stay_at:
                self._stay()
            if not self._try(self._drain_own):
                self._stopping.wait(self._pause())
                self._own.arrived.set()
            elif time.monotonic() >= self._look_at:
                self._stay()
                self._try(self._scrub)
                self._try(self._drain_orphans)
                self._look_at = time.monotonic() + LOOK_SECONDS
        self._try(self._drain_own)

    def _stay(self) -> None:
        """Also while the database is away: that is when what is acknowledged is nowhere else."""
        self._stay_at = time.monotonic() + LOOK_SECONDS
        try:
            self._own.stay()
        except Unavailable:
            pass  # it is told where it is found, and tried again
        except Exception:
            log.exception("Where the spool's file lies could not be looked at")

    def _linger(self) -> None:
        rows, latest = self._own.rows(), time.monotonic() + LONGEST_LINGER_SECONDS
        while rows < BATCH_ROWS and not self._stopping.wait(LINGER_SECONDS):
            before, rows = rows, self._own.rows()
            if rows - before < MUCH_ROWS or time.monotonic() >= latest:
                break

    def _drain_own(self) -> None:
        """Go on as long as there are whole batches; a smaller rest lingers for company.

        What was taken is dropped at once, so that who looks from outside sees what really waits.
        """
        while self._own.step() is not None:
            self._own.tidy()
            enough = self._own.rows() < BATCH_ROWS and not self._stopping.is_set()
            if enough or time.monotonic() >= self._give_up_at:
                break
        if self._own.rows():
            self._own.arrived.set()

    def look_now(self) -> None:
        """Do at once what is otherwise done every `LOOK_SECONDS`."""
        self._look_at = 0.0
        self._own.arrived.set()

    def _scrub(self) -> None:
        self._scrubber.look()
        self._own.scrub(self._scrubber)

    def _drain_orphans(self) -> None:
        for hold in hold_orphans(self._folder):
            if self._stopping.is_set() or time.monotonic() < self._unfit_until.get(hold.path, 0.0):
                hold.release()
                continue
            try:
                self._drain_orphan(SpoolFile(hold))
            except SpoolFault as fault:
                if fault.file != hold.path:
                    raise
                self._unfit_until[hold.path] = time.monotonic() + UNFIT_SECONDS
                log.error("%s is left alone: %s", hold.path, fault.message)

    def _drain_orphan(self, file: SpoolFile) -> None:
        drain, finished = Drain(file, self._open), False
        try:
            finished = self._empty(file, drain)
            if not finished:
                drain.forget()
                finished = self._scrubber.empties(file)
        except Exception:
            with suppress(Unavailable):  # the first failure is the one to tell; draining some again does no harm
                drain.forget()
            raise
        finally:
            self.adopted = None
            if finished:
                file.remove()
            else:
                file.close()

    def _empty(self, file: SpoolFile, drain: Drain) -> bool:
        """Drain another's file, own rows in between; return whether it can go: the dead stay for somebody to see."""
        depth = file.depth()
        self.adopted = depth
        while not self._stopping.is_set() and (stretch := drain.step()) is not None:
            rows = sum(lines.rows for lines in stretch.lines)
            size = sum(lines.size for lines in stretch.lines)
            depth = replace(
                depth,
                entries=depth.entries - stretch.entries,
                rows=depth.rows - rows,
                bytes=depth.bytes - size,
            )
            self.adopted = depth
            self._drain_own()
        if drain.drained_id:
            log.info("the rows of a process that ended were taken over from %s", file.hold.path.name)
        self.dead_rows += drain.dead_rows
        return depth.entries == 0 and depth.dead_rows + drain.dead_rows == 0

    def _try(self, drain: Callable[[], None]) -> bool:
        """Drain; a failure is told once, and is no reason to end the thread."""
        try:
            drain()
        except Exception as error:  # noqa: BLE001 - nothing may end the thread that empties the spool
            self._failed(error)
            return False
        if self._failures:
            log.warning("the spool is drained again")
        self._failures, self.last_error = 0, None
        return True

    def _failed(self, error: Exception) -> None:
        self.last_error = error.code if isinstance(error, DomainError) else repr(error)
        if not self._failures:
            known = isinstance(error, Unavailable)
            told = f"{error} {cause_of(error)}".rstrip()
            log.warning("the spool cannot be drained for now: %s", told, exc_info=None if known else error)
        self._failures += 1

    def _pause(self) -> float:
        """Wait longer each time, each process differently, so that a database that comes back is not overrun."""
        longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(self._failures, 10))
        return longest * random.uniform(0.5, 1)
