"""Out of a spool file and into the database, oldest first."""

from __future__ import annotations

import logging

from experiments.domain.errors import RowsRefused
from experiments.services.ports import OpenUnitOfWork
from experiments.services.recording.lines import Lines, halves, joined
from experiments.spool.file import SpoolFile, Stretch

BATCH_ROWS = 40_000
BATCH_BYTES = 16_000_000

log = logging.getLogger("winnow.spool")


class Drain:
    """Goes through one file; where the process dies midway, the next one inserts some rows again, to no effect."""

    def __init__(self, file: SpoolFile, open_unit_of_work: OpenUnitOfWork) -> None:
        self._file = file
        self._open = open_unit_of_work
        self.drained_id = 0
        self.dead_rows = 0

    def step(self) -> Stretch | None:
        """Take one batch over and return it, None where nothing is left. Raises Unavailable, having taken nothing."""
        stretch = self._file.read(after=self.drained_id, rows=BATCH_ROWS, size=BATCH_BYTES)
        if stretch is not None:
            self._load(joined(stretch.lines))
            self.drained_id = stretch.last_id
        return stretch

    def forget(self) -> None:
        """Drop from the file what was taken over."""
        if self.drained_id:
            self._file.write([], forget=self.drained_id)

    def _load(self, lines: Lines) -> None:
        """Load all rows but those that the database refuses for good: they would hold up all others for ever."""
        try:
            with self._open() as work:
                work.log.load(lines)
                work.commit()
        except RowsRefused as refusal:
            if lines.rows == 1:
                self._bury(lines, refusal)
                return
            for part in halves(lines):
                self._load(part)

    def _bury(self, lines: Lines, refusal: RowsRefused) -> None:
        self._file.bury(lines, refusal.message)
        self.dead_rows += 1
        log.error("a row was put aside in %s: %s", self._file.hold.path.name, refusal.message)
