"""Exposures that an assignment implies, where asking is showing: stored once, however often is asked."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from datetime import datetime

from experiments.domain.assignment import Assignment
from experiments.domain.event import Exposure, assigned_id
from experiments.services.ports import Journal

REMEMBERED = 200_000
"""How many exposures a process remembers at least; what it has forgotten is stored again, and dropped there."""

_DIGEST_BYTES = 16
"""Units may have long names: what is remembered of an exposure is short whatever they are."""


class ImpliedExposures:
    """Remembers what is on disk already, so that asking again costs nothing."""

    def __init__(self, journal: Journal, *, remembered: int = REMEMBERED) -> None:
        self._journal = journal
        self._most = remembered
        self._recent: set[bytes] = set()
        self._older: set[bytes] = set()
        self._swapping = threading.Lock()

    def store(self, shown: Iterable[tuple[str, Assignment]], *, now: datetime) -> None:
        """Return when all of these are on disk. Raises Unavailable where the new ones were not stored."""
        new = {key: (unit_id, answer) for unit_id, answer in shown if not self._knows(key := _key(unit_id, answer))}
        if not new:
            return
        self._journal.append([], [_exposure(unit_id, answer, now) for unit_id, answer in new.values()], received_at=now)
        self._remember(new)

    def _knows(self, key: bytes) -> bool:
        return key in self._recent or key in self._older

    def _remember(self, keys: Iterable[bytes]) -> None:
        """Forget the older half at once where there are too many: that needs no order among them."""
        with self._swapping:
            self._recent.update(keys)
            if len(self._recent) >= self._most:
                self._older, self._recent = self._recent, set()


def _key(unit_id: str, answer: Assignment) -> bytes:
    return hashlib.blake2b(_parts(unit_id, answer), digest_size=_DIGEST_BYTES).digest()


def _parts(unit_id: str, answer: Assignment) -> bytes:
    """Say which exposure it is; only the unit may be called anything, and comes last."""
    parts = (answer.experiment, str(answer.epoch), answer.segment or "", answer.variant, unit_id)
    return "\x1f".join(parts).encode()


def _exposure(unit_id: str, answer: Assignment, now: datetime) -> Exposure:
    """Return the exposure that the answer implies; asking again gives the same `event_id`, so it is stored once."""
    return Exposure(
        event_id=assigned_id(
            experiment=answer.experiment,
            epoch=answer.epoch,
            segment=answer.segment or "",
            variant=answer.variant,
            unit_id=unit_id,
        ),
        unit_id=unit_id,
        experiment=answer.experiment,
        version=answer.version,
        epoch=answer.epoch,
        segment=answer.segment or "",
        variant=answer.variant,
        occurred_at=now,
    )
