"""Deliveries: one notice on its way to one place, until it is there or given up."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from experiments.domain.errors import StateConflict
from experiments.domain.notice import Notice

EMAIL = "email"
"""The target that is no webhook: the people whom the settings name."""
MAX_ATTEMPTS = 8
FIRST_DELAY_SECONDS = 80.0
GROWTH = 3
"""Seven delays from 80 s, each three times the one before: 24 hours in all."""
JITTER = 0.1
MOST_RETRY_AFTER_SECONDS = 6 * 3_600
MOST_DELAY = timedelta(
    seconds=max(FIRST_DELAY_SECONDS * GROWTH ** (MAX_ATTEMPTS - 2) * (1 + JITTER), MOST_RETRY_AFTER_SECONDS)
)
"""Nothing waits longer for its next attempt, by the clock that it was set by."""
LEASE_SECONDS = 120
"""Far more than one attempt may take; who has not finished by then is taken for dead, and it is sent again."""


class DeliveryState(StrEnum):
    """`dead`: given up, and kept so that a person can look and send it again."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one attempt; `error` is empty where it arrived, and never holds secrets or addresses.

    `remark` is worth keeping though it arrived; `gone` asks never to be called again; `unreached`: nobody answered,
    and the next attempt would most likely wait in vain as well.
    """

    status: int | None = None
    error: str = ""
    remark: str = ""
    retry_after_seconds: float | None = None
    gone: bool = False
    unreached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """`target` is the id of a webhook, or `email`. `attempts` counts those that were begun.

    `next_attempt_at` of one that is under way is when it is taken for lost.
    """

    id: int
    notice_id: str
    target: str
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime
    created_at: datetime
    updated_at: datetime
    last_status: int | None = None
    last_error: str | None = None

    def begin(self, now: datetime) -> Delivery:
        """Return it as under way."""
        return replace(self, attempts=self.attempts + 1, next_attempt_at=lease_end(now))

    def settle(self, answer: Answer, now: datetime) -> Delivery:
        """Return it after an attempt: delivered, to be tried again, or given up."""
        seen = replace(
            self, updated_at=now, last_status=answer.status, last_error=answer.error or answer.remark or None
        )
        if not answer.error:
            return replace(seen, state=DeliveryState.DELIVERED)
        if answer.gone or self.attempts >= MAX_ATTEMPTS:
            return replace(seen, state=DeliveryState.DEAD)
        return replace(seen, next_attempt_at=now + self._delay(answer))

    def bury(self, error: str, now: datetime) -> Delivery:
        """Return it as given up without another attempt."""
        return replace(self, state=DeliveryState.DEAD, updated_at=now, last_error=error)

    def revive(self, now: datetime) -> Delivery:
        """Return it as due at once, with all attempts before it. Raises StateConflict unless it is dead."""
        if self.state is not DeliveryState.DEAD:
            raise StateConflict(
                "delivery_not_dead", f"Delivery {self.id} is {self.state}; only a dead one is sent again."
            )
        return replace(self, state=DeliveryState.PENDING, attempts=0, next_attempt_at=now, updated_at=now)

    @property
    def is_spent(self) -> bool:
        """Whether it was begun more often than allowed: each time, whoever sent it died over it."""
        return self.attempts > MAX_ATTEMPTS

    def _delay(self, answer: Answer) -> timedelta:
        own = FIRST_DELAY_SECONDS * GROWTH ** (self.attempts - 1) * (1 + JITTER * _spread(self.id, self.attempts))
        asked = min(answer.retry_after_seconds or 0.0, MOST_RETRY_AFTER_SECONDS)
        return timedelta(seconds=max(own, asked))


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A delivery with what it delivers."""

    delivery: Delivery
    notice: Notice


def lease_end(now: datetime) -> datetime:
    """Return when an attempt that begins now is taken for lost."""
    return now + timedelta(seconds=LEASE_SECONDS)


def _spread(delivery_id: int, attempt: int) -> float:
    """Return a number from -1 to 1 that looks like chance and is the same again.

    So that what failed together does not come back together.
    """
    digest = hashlib.sha256(f"{delivery_id}:{attempt}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / (2**32 - 1) * 2 - 1
