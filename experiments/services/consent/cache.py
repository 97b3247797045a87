"""Who consents, in the memory of a process: assignment and recording ask for it with every request."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from time import monotonic

from experiments.domain.consent import ConsentMode
from experiments.domain.errors import Unavailable
from experiments.services.consent.picture import ConsentPicture
from experiments.services.ports import OpenUnitOfWork

AWAY_SECONDS = 2.0
"""How long a database that did not answer is not asked again by those who are answered meanwhile."""


class ConsentCache:
    """`is_asked`: units have to be looked up; where it is False, everybody consents, and requests pay nothing."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork, mode: ConsentMode) -> None:
        self._open = open_unit_of_work
        self._picture = ConsentPicture(mode)
        self._away_until = 0.0
        self.is_asked = True

    def numbers(self) -> Mapping[str, float]:
        """Return for the metrics how many units are held in memory."""
        return {"consents_held": self._picture.units}

    def lacks(self, unit_id: str) -> bool:
        """Say whether the unit gets what everybody gets, and nothing of it is kept.

        Before anything was read, and while that cannot be done, nobody is known to consent.
        """
        if not self._picture.is_known and not self._first_look():
            return True
        return self.is_asked and self._picture.lacks(unit_id)

    def is_known_to_lack(self, unit_id: str) -> bool:
        """Say the same for what is to be recorded: what is not known here is decided on its way into the database."""
        return self._picture.is_known and self.is_asked and self._picture.lacks(unit_id)

    def follow(self) -> None:
        """Hear what was said since the last look. Raises Unavailable: what was heard before goes on to count."""
        with self._open(read_only=True) as work:
            self._picture.follow(work.consents)
        self.is_asked = self._picture.is_asked

    def catch_up(self) -> None:
        """Hear of a change of our own: it is stored already, so trouble now is the next look's business."""
        with suppress(Unavailable):
            self.follow()

    def _first_look(self) -> bool:
        if monotonic() >= self._away_until:
            self.catch_up()
            if not self._picture.is_known:
                self._away_until = monotonic() + AWAY_SECONDS
        return self._picture.is_known
