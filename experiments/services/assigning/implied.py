"""Exposures that an assignment implies, where asking is showing: stored once, however often is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime

from experiments.domain.assignment import Assignment
from experiments.domain.event import Channel, Exposure, assigned_id
from experiments.services.recording.ports import Journal

REMEMBERED = 200_000
"""How many exposures a process remembers at least; what it has forgotten is stored again, and dropped there."""

_DIGEST_DIGITS = 32
"""Of the id, which ends with a SHA-256: 16 bytes are beyond all chance of two alike."""


class ImpliedExposures:
    """Remembers what is on disk already, so that asking again costs nothing."""

    def __init__(self, journal: Journal, *, remembered: int = REMEMBERED) -> None:
        self._journal = journal
        self._most = remembered
        self._recent: set[bytes] = set()
        self._older: set[bytes] = set()
        self._swapping = threading.Lock()

    def store(self, shown: Iterable[tuple[str, Assignment]], *, now: datetime, channel: Channel | None = None) -> None:
        """Return when all of these are on disk. Raises Unavailable where the new ones were not stored.

        Of a unit that asks again, in another channel, the first one stays.
        """
        new = {
            event_id: _exposure(event_id, unit_id, answer, now, channel)
            for unit_id, answer in shown
            if not self._knows(_digest(event_id := _id(unit_id, answer)))
        }
        if not new:
            return
        self._journal.append([], list(new.values()), received_at=now)
        self._remember(map(_digest, new))

    def _knows(self, key: bytes) -> bool:
        return key in self._recent or key in self._older

    def _remember(self, keys: Iterable[bytes]) -> None:
        """Forget the older half at once where there are too many: that needs no order among them."""
        with self._swapping:
            self._recent.update(keys)
            if len(self._recent) >= self._most:
                self._older, self._recent = self._recent, set()


def _id(unit_id: str, answer: Assignment) -> str:
    """Asking again gives the same id, so the exposure is stored once."""
    return assigned_id(
        experiment=answer.experiment,
        epoch=answer.epoch,
        segment=answer.segment or "",
        variant=answer.variant,
        unit_id=unit_id,
    )


def _digest(event_id: str) -> bytes:
    """Units may have long names: what is remembered of an exposure is short whatever they are."""
    return bytes.fromhex(event_id[-_DIGEST_DIGITS:])


def _exposure(event_id: str, unit_id: str, answer: Assignment, now: datetime, channel: Channel | None) -> Exposure:
    return Exposure(
        event_id=event_id,
        unit_id=unit_id,
        experiment=answer.experiment,
        version=answer.version,
        epoch=answer.epoch,
        segment=answer.segment or "",
        variant=answer.variant,
        occurred_at=now,
        channel=channel,
    )
