"""What lies in the folder of spools, and how to empty what nobody holds: for whoever looks from outside."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from experiments.domain.errors import Unavailable
from experiments.services.ports import OpenUnitOfWork
from experiments.spool.drain import Drain
from experiments.spool.file import Depth, SpoolFault, SpoolFile, depth_of
from experiments.spool.folder import spool_folders
from experiments.spool.hold import hold_orphans, spool_files, try_hold
from experiments.spool.scrub import Scrubber

log = logging.getLogger("winnow.spool")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooled:
    """A spool file; `depth` is None where it cannot be read."""

    path: Path
    database: str
    in_use: bool
    depth: Depth | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What came of one file."""

    path: Path
    rows: int
    dead_rows: int


def spooled(root: Path) -> Iterator[Spooled]:
    """Look at every file of every database."""
    for folder, database in spool_folders(root).items():
        for path in spool_files(folder):
            if path.exists():
                yield Spooled(path=path, database=database, in_use=_in_use(path), depth=_depth(path))


def drain_orphans(folder: Path, open_unit_of_work: OpenUnitOfWork) -> Iterator[Drained]:
    """Take the rows of files that nobody holds into the database. Raises Unavailable; what is left stays.

    A file that is damaged is left alone: those after it have their turn.
    """
    scrubber = Scrubber(open_unit_of_work)
    for hold in hold_orphans(folder):
        try:
            drained = _drained(SpoolFile(hold), open_unit_of_work, scrubber)
        except SpoolFault as fault:
            log.error("%s is left alone: %s", hold.path, fault.message)
            continue
        yield drained


def _drained(file: SpoolFile, open_unit_of_work: OpenUnitOfWork, scrubber: Scrubber) -> Drained:
    drain, rows, finished = Drain(file, open_unit_of_work), 0, False
    try:
        while (stretch := drain.step()) is not None:
            rows += sum(lines.rows for lines in stretch.lines)
        finished = file.depth().dead_rows == 0
        if not finished:
            drain.forget()
            scrubber.look()
            finished = scrubber.empties(file)
    except Exception:
        with suppress(Unavailable):  # the first failure is the one to tell; draining some again does no harm
            drain.forget()
        raise
    finally:
        if finished:
            file.remove()
        else:
            file.close()
    return Drained(path=file.hold.path, rows=rows - drain.dead_rows, dead_rows=drain.dead_rows)


def _in_use(path: Path) -> bool:
    held = try_hold(path)
    if held is not None:
        held.release()
    return held is None


def _depth(path: Path) -> Depth | None:
    try:
        return depth_of(path)
    except Unavailable:
        return None
