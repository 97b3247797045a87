"""Exposures that an assignment implies, where asking is showing: stored once, however often is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime

from experiments.domain.assignment import Assignment
from experiments.domain.event import Exposure, assigned_id
from experiments.services.ports import Journal

REMEMBERED = 200_000
"""How many exposures a process remembers at least; what it has forgotten is stored again, and dropped there."""

_Shown = tuple[str, str, int, str, str]


class ImpliedExposures:
    """Remembers what is on disk already, so that asking again costs nothing."""

    def __init__(self, journal: Journal, *, remembered: int = REMEMBERED) -> None:
        self._journal = journal
        self._most = remembered
        self._recent: set[_Shown] = set()
        self._older: set[_Shown] = set()
        self._swapping = threading.Lock()

    def store(self, shown: Iterable[tuple[str, Assignment]], *, now: datetime) -> None:
        """Return when all of these are on disk. Raises Unavailable where the new ones were not stored."""
        new = {key: (unit_id, answer) for unit_id, answer in shown if not self._knows(key := _key(unit_id, answer))}
        if not new:
            return
        self._journal.append([], [_exposure(unit_id, answer, now) for unit_id, answer in new.values()], received_at=now)
        self._remember(new)

    def _knows(self, key: _Shown) -> bool:
        return key in self._recent or key in self._older

    def _remember(self, keys: Iterable[_Shown]) -> None:
        """Forget the older half at once where there are too many: that needs no order among them."""
        with self._swapping:
            self._recent.update(keys)
            if len(self._recent) >= self._most:
                self._older, self._recent = self._recent, set()


def _key(unit_id: str, answer: Assignment) -> _Shown:
    return unit_id, answer.experiment, answer.epoch, answer.segment or "", answer.variant


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
