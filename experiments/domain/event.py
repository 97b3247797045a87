"""What frontends report: exposures (what a unit was shown) and events (what it did), and what we answer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from experiments.domain.errors import InvalidInput
from experiments.domain.names import check_id, check_instant, check_key

MAX_VALUE = 1e15
"""Beyond any price; sums of squares of such values are still exact enough to be compared."""


ASSIGNED = "assigned-"
"""Begins the ids of exposures that an assignment implies, and of no others."""


def assigned_id(*, experiment: str, epoch: int, segment: str, variant: str, unit_id: str) -> str:
    """Return the id of the exposure that an assignment implies: the same for all who know of it."""
    prefix = assigned_prefix(experiment=experiment, epoch=epoch, segment=segment, variant=variant)
    return ASSIGNED + assigned_digest(prefix, unit_id).hex()


def assigned_prefix(*, experiment: str, epoch: int, segment: str, variant: str) -> bytes:
    """Return what is the same for all units of an answer: `assigned_digest` takes it."""
    return "\x1f".join((experiment, str(epoch), segment, variant, "")).encode()


def assigned_digest(prefix: bytes, unit_id: str) -> bytes:
    """Return the 32 bytes that are `assigned_id`'s behind its beginning."""
    return hashlib.sha256(prefix + unit_id.encode()).digest()


class Channel(StrEnum):
    """Where somebody was shown something, or did something. `other`: none of these, as a letter or a poster."""

    EMAIL = "email"
    WEB = "web"
    APP = "app"
    STORE = "store"
    CALL_CENTRE = "call_centre"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One outcome of a unit; `value` is what it was worth (None: nothing to add up)."""

    event_id: str
    unit_id: str
    name: str
    occurred_at: datetime
    value: float | None = None
    channel: Channel | None = None

    def __post_init__(self) -> None:
        check_id(self.event_id, "/event_id")
        check_id(self.unit_id, "/unit_id")
        check_key(self.name, "/name")
        check_instant(self.occurred_at, "/occurred_at")
        if self.value is not None and not abs(self.value) <= MAX_VALUE:
            raise InvalidInput("value_invalid", f"A value is a number between ±{MAX_VALUE:.0e}.", path="/value")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureClaim:
    """What a frontend says it has shown; the answer of an assignment holds all of it."""

    event_id: str
    unit_id: str
    experiment: str
    version: int
    segment: str
    variant: str
    occurred_at: datetime
    channel: Channel | None = None

    def __post_init__(self) -> None:
        check_id(self.event_id, "/event_id")
        check_id(self.unit_id, "/unit_id")
        for field in ("experiment", "segment", "variant"):
            check_key(getattr(self, field), f"/{field}")
        check_instant(self.occurred_at, "/occurred_at")
        if self.version < 1:
            raise InvalidInput("version_invalid", "Versions count from 1.", path="/version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """A checked claim with the epoch of its version; a forced one is kept out of results."""

    event_id: str
    unit_id: str
    experiment: str
    version: int
    epoch: int
    segment: str
    variant: str
    occurred_at: datetime
    forced: bool = False
    channel: Channel | None = None


class ItemStatus(StrEnum):
    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemVerdict:
    """The answer to one item of a batch; `code`, `message` and `path` only where it was rejected."""

    event_id: str | None
    status: ItemStatus
    code: str | None = None
    message: str | None = None
    path: str | None = None
