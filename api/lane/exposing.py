"""Asking is showing, for some experiments."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.domain.errors import DomainError
from experiments.domain.event import Channel
from experiments.services.assigning.assign import Assigner
from experiments.services.assigning.implied import Implied

Shown = Sequence[tuple[str, Implied]]


class Exposing:
    def __init__(self, assigner: Assigner) -> None:
        self._assigner = assigner

    def expose(self, shown: Shown, channel: Channel | None = None) -> bool:
        """Store what units were shown. Where that fails, Flask tries again, and says what is wrong."""
        try:
            self._assigner.expose(shown, channel)
        except DomainError:
            return False
        return True
