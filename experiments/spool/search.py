"""Looking for a unit in the spool files of a database, whoever holds them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from experiments.domain.errors import Unavailable
from experiments.services.forgetting.erase import SpooledRows
from experiments.services.recording.erased_lines import rows_of
from experiments.spool.file import lines_in
from experiments.spool.hold import spool_files


class FolderSpools:
    """All files of a folder; `clean` begins to scrub those that this process may."""

    def __init__(self, folder: Path, clean: Callable[[], None]) -> None:
        self._folder = folder
        self.clean = clean

    def rows_of(self, unit_id: str, *, after: datetime | None) -> SpooledRows:
        """Count what was received of a unit after an instant."""
        rows = dead_rows = unreadable = 0
        for path in spool_files(self._folder):
            try:
                waiting, dead = lines_in(path)
            except Unavailable:
                unreadable += path.exists()  # one that is gone was drained meanwhile
                continue
            rows += sum(rows_of(lines, unit_id, after=after) for lines in waiting)
            dead_rows += sum(rows_of(lines, unit_id, after=after) for lines in dead)
        return SpooledRows(rows=rows, dead_rows=dead_rows, unreadable_files=unreadable)
