"""Old rows of the log, as a Protocol."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from experiments.domain.retention import Needed


class AgedRows(Protocol):
    """Rows with ids in (above, upto], of before an instant by when they occurred, that no experiment needs."""

    def exposures(self, before: datetime, needed: Needed, *, above: int, upto: int) -> Sequence[tuple[int, str]]:
        """(id, experiment)"""

    def events(self, before: datetime, needed: Needed, *, above: int, upto: int) -> Sequence[tuple[int, str]]:
        """(id, name)"""
