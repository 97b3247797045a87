"""What deleting leaves in the files of the database, taken out by whoever follows erasures."""

from __future__ import annotations

from time import monotonic

from experiments.services.ports import OpenUnitOfWork

AGAIN_SECONDS = 5.0
"""How long a file that is being read is left alone: who writes waits for each try."""


class FileScrubber:
    """Scrubs the database's files once after each erasure, again and again until nobody reads in them."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork) -> None:
        self._open = open_unit_of_work
        self._scrubbed = 0
        self._again_at = 0.0

    def follow(self) -> None:
        """Scrub where that is due. Raises Unavailable."""
        if monotonic() < self._again_at:
            return
        with self._open(read_only=True) as work:
            number = work.erasures.number()
        if number == self._scrubbed:
            return
        with self._open() as work:
            if work.scrub():
                self._scrubbed = number
            else:
                self._again_at = monotonic() + AGAIN_SECONDS
