"""Erasure: a person is forgotten for good; what stays is that somebody was, and a digest to know them by."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


def unit_digest(salt: bytes, unit_id: str) -> str:
    """Return what stands for a unit that must not be named: HMAC-SHA256 with the database's salt, in hex."""
    return hmac.new(salt, unit_id.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """An act of erasing; `profile_revision`: whoever has followed profiles up to less has to forget them."""

    id: str
    unit_digest: str
    erased_at: datetime
    profile_revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """Who was erased, and when last. What was said or received up to then is theirs, and later is somebody new."""

    salt: bytes = field(repr=False)
    at: Mapping[str, datetime]

    def __bool__(self) -> bool:
        """Say whether anybody was."""
        return bool(self.at)

    def covers(self, unit_id: str, instant: datetime) -> bool:
        """Say whether what is of that instant belongs to somebody who was erased since."""
        if not self.at:
            return False
        erased_at = self.at.get(unit_digest(self.salt, unit_id))
        return erased_at is not None and instant <= erased_at


@dataclass(frozen=True, slots=True, kw_only=True)
class ForcedIn:
    """Versions of an experiment, which never change, that name the unit as a forced tester."""

    experiment: str
    versions: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What an erasure did, without naming whom; `waiting` rows are dropped on their way into the database.

    `unreadable_files`: spool files of this machine that could not be looked into.
    """

    id: str
    erased_at: datetime
    unit_digest: str
    deleted: Mapping[str, int]
    waiting: Mapping[str, int]
    unreadable_files: int
    forced_in: tuple[ForcedIn, ...]
    left: tuple[str, ...]
