"""What is kept of a unit's purchases, and how far the log was followed for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self, TypeAlias

from experiments.domain.followed import Place

CustomerState: TypeAlias = tuple[datetime, datetime, datetime | None, int, int, int]
"""`first_at`, `last_at`, `previous_at`, `frequency`, `unvalued` and `monetary_cents` of one customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchases:
    """One unit's; from `due_at` on, what its profile says of them has to be looked at again.

    `previous_at`: the last one on a day before `last_at`'s. With a `frequency` of 0 nothing counts any more.
    """

    unit_id: str
    first_at: datetime
    last_at: datetime
    previous_at: datetime | None
    frequency: int
    unvalued: int
    monetary_cents: int
    due_at: datetime

    @classmethod
    def of(cls, row: Sequence[Any]) -> Self:
        """Return what a row holds whose values stand in the order of the fields."""
        unit_id, first_at, last_at, previous_at, frequency, unvalued, monetary_cents, due_at = row
        return cls(
            unit_id=unit_id,
            first_at=first_at,
            last_at=last_at,
            previous_at=previous_at,
            frequency=frequency,
            unvalued=unvalued,
            monetary_cents=monetary_cents,
            due_at=due_at,
        )

    @property
    def is_empty(self) -> bool:
        """Nothing counts any more."""
        return not self.frequency

    def emptied(self, *, due_at: datetime) -> Purchases:
        return replace(self, frequency=0, unvalued=0, monetary_cents=0, previous_at=None, due_at=due_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed(Place):
    """How far purchases were followed, and by what customers are scored.

    `cuts`: where scores end, by name, as they were found at `cuts_at` among so many customers. `forecast`: parameters
    of the models of what customers will buy, or why there are none, found with the cuts and never without them.
    """

    cuts: Mapping[str, tuple[int, ...]] | None = None
    cuts_at: datetime | None = None
    cuts_customers: int = 0
    forecast: Mapping[str, Mapping[str, Any]] | None = None
