"""What is kept of how much a unit does: how many events there were on which day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitActivity:
    """One unit's events by day (days since 1970-01-01 in UTC).

    From `due_at` on, what its profile says of them has to be looked at again.
    """

    unit_id: str
    by_day: Mapping[int, int]
    due_at: datetime

    @property
    def is_empty(self) -> bool:
        """Nothing counts any more."""
        return not self.by_day

    def emptied(self, *, due_at: datetime) -> UnitActivity:
        return replace(self, by_day={}, due_at=due_at)
