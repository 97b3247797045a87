"""A customer's purchases as a small state that merges, so that a worker follows events and recomputes nobody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from segmentation.behaviour.instants import checked, day_of, start_of
from segmentation.behaviour.money import Value, cents, check_scale
from segmentation.refusal import Refused

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that a row of `customers` needs, whenever it is asked for; merges with `+`, in any order.

    `previous_at` is the last purchase on an earlier UTC day than `last_at`'s. Each purchase may be added once only:
    whether it was before is the recorder's business (`event_id`).
    """

    first_at: datetime
    last_at: datetime
    previous_at: datetime | None = None
    frequency: int = 1
    unvalued: int = 0
    monetary_cents: int = 0

    @classmethod
    def of(cls, at: datetime, value: Value, *, cents_per_unit: int = 100) -> History:
        """Of one purchase."""
        check_scale(cents_per_unit)
        amount, at = cents(value, cents_per_unit), checked(at)
        return cls(first_at=at, last_at=at, unvalued=int(amount is None), monetary_cents=amount or 0)

    @classmethod
    def of_all(cls, purchases: Sequence[tuple[datetime, Value]], *, cents_per_unit: int = 100) -> History:
        """Of a customer's purchases, at least one: the sum of `of` of each, quicker."""
        check_scale(cents_per_unit)
        instants = [checked(at) for at, _ in purchases]
        amounts = [cents(value, cents_per_unit) for _, value in purchases]
        last_at, previous_at = _last_two(instants)
        return cls(
            first_at=min(instants),
            last_at=last_at,
            previous_at=previous_at,
            frequency=len(instants),
            unvalued=amounts.count(None),
            monetary_cents=sum(amount for amount in amounts if amount is not None),
        )

    def __add__(self, other: History) -> History:
        last_at, previous_at = _last_two((self.last_at, self.previous_at, other.last_at, other.previous_at))
        return History(
            first_at=min(self.first_at, other.first_at),
            last_at=last_at,
            previous_at=previous_at,
            frequency=self.frequency + other.frequency,
            unvalued=self.unvalued + other.unvalued,
            monetary_cents=self.monetary_cents + other.monetary_cents,
        )

    @property
    def average_cents(self) -> float | None:
        """Per purchase with a value."""
        valued = self.frequency - self.unvalued
        return self.monetary_cents / valued if valued else None

    @property
    def silence_days(self) -> int | None:
        """Between the last two days of purchase."""
        return None if self.previous_at is None else (self.last_at - self.previous_at) // _DAY

    def recency_days(self, now: datetime) -> int:
        """Whole days since the last purchase; an instant before it is refused: the state knows too much for it."""
        return self._days(now, self.last_at)

    def age_days(self, now: datetime) -> int:
        """Whole days since the first."""
        return self._days(now, self.first_at)

    def _days(self, now: datetime, since: datetime) -> int:
        if checked(now) < self.last_at:
            raise Refused("instant_before_last_purchase", "a state answers for instants from its last purchase on")
        return (now - since) // _DAY


def _last_two(instants: Iterable[datetime | None]) -> tuple[datetime, datetime | None]:
    """The last of all, and the last on an earlier day."""
    known = [at for at in instants if at is not None]
    last_at = max(known)
    today = start_of(day_of(last_at))
    before = [at for at in known if at < today]
    return last_at, max(before, default=None)
