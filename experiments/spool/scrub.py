"""Taking people who were erased out of spool files: dead rows, and the bytes that deleting leaves behind."""

from __future__ import annotations

from pathlib import Path

from experiments.domain.erasure import Erased
from experiments.services.ports import OpenUnitOfWork
from experiments.services.recording.erased_lines import without
from experiments.services.recording.lines import Lines
from experiments.spool.file import SpoolFile


class Scrubber:
    """Follows the erasures of the database; each file is scrubbed once after each, by whoever holds it.

    What still waits in a file is none of its business: rows of the erased are dropped when they are loaded.
    """

    def __init__(self, open_unit_of_work: OpenUnitOfWork) -> None:
        self._open = open_unit_of_work
        self._number = 0
        self._erased: Erased | None = None
        self._scrubbed: dict[Path, int] = {}

    def look(self) -> None:
        """Hear of erasures. Raises Unavailable."""
        with self._open(read_only=True) as work:
            number = work.erasures.number()
            if number != self._number:
                self._erased = work.erasures.since(None)
        self._number = number

    def is_due(self, path: Path) -> bool:
        """Say whether somebody was erased since the file was scrubbed."""
        return bool(self._erased) and self._scrubbed.get(path) != self._number

    def scrub(self, file: SpoolFile) -> bool:
        """Take out what was erased; False where somebody looks into the file, so that it has to be done again."""
        done = file.scrub(self._is_erased)
        if done:
            self._scrubbed[file.hold.path] = self._number
        return done

    def empties(self, file: SpoolFile) -> bool:
        """Scrub a file where that is due, and say whether nothing is left in it."""
        if not self.is_due(file.hold.path):
            return False
        self.scrub(file)
        depth = file.depth()
        return depth.entries == 0 and depth.dead_rows == 0

    def _is_erased(self, lines: Lines) -> bool:
        return self._erased is not None and without(lines, self._erased).size < lines.size
