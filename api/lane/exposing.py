"""Asking is showing, for some experiments."""

from __future__ import annotations

from collections.abc import Sequence

from api.lane.answers import Written
from experiments.domain.errors import DomainError
from experiments.domain.event import Channel
from experiments.services.assigning.assign import Assigner

Shown = list[tuple[str, Written]]


class Exposing:
    def __init__(self, assigner: Assigner) -> None:
        self._assigner = assigner

    def expose(self, unit_id: str, given: Sequence[Written], channel: Channel | None = None) -> bool:
        """Store what one unit was shown; see `expose_all`."""
        return self.expose_all([(unit_id, written) for written in given if written.exposes], channel)

    def expose_all(self, shown: Shown, channel: Channel | None = None) -> bool:
        """Store what units were shown. Where that fails, Flask tries again, and says what is wrong."""
        if not shown:
            return True
        try:
            self._assigner.expose([(unit_id, written.assignment) for unit_id, written in shown], channel)
        except DomainError:
            return False
        return True
