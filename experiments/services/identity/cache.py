"""Who is who, in the memory of a process: assignment asks for it with every request, where anybody was joined."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from math import inf
from time import monotonic
from typing import NamedTuple

from experiments.domain.errors import Unavailable
from experiments.services.patient_reader import PatientReader
from experiments.services.ports import OpenUnitOfWork

REMEMBERED = 100_000
"""How many units a process remembers at least, and half of what it remembers at most."""
MOST_FOLLOWED = 10_000
"""Where more units than these changed between two looks, all are forgotten: reading who they are would cost more."""


class Who(NamedTuple):
    """Whose profile counts for an id, and which id decides what it sees."""

    person_id: str
    bucketed_as: str


class _Asked(NamedTuple):
    """`looked_since`: by that reading of `monotonic` at the earliest, what others did must have been looked for."""

    unit_ids: frozenset[str]
    changes: int
    looked_since: float


class IdentityCache:
    """`active`: somebody was joined, or nobody knows yet; where it is False, every id is somebody of its own.

    A unit that is read while it changes is answered, but not remembered: `_changes` counts what was forgotten, and
    what was read before the last count may be older than that.
    """

    def __init__(self, open_unit_of_work: OpenUnitOfWork, *, remembered: int = REMEMBERED) -> None:
        self._open = open_unit_of_work
        self._most = remembered
        self._recent: dict[str, Who] = {}
        self._older: dict[str, Who] = {}
        self._changing = threading.Lock()
        self._changes = 0
        self._followed: int | None = None
        self._looked_at = -inf
        self._reader: PatientReader[_Asked, dict[str, Who]] = PatientReader(self._look_up, name="winnow-identities")
        self.active = True

    def numbers(self) -> Mapping[str, float]:
        """Return for the metrics how many units are remembered."""
        return {"identities_remembered": len(self._recent) + len(self._older)}

    def of(self, unit_id: str) -> Who:
        """Return who this is; a cold unit costs one read by primary key.

        While the database is away, or says nothing for a second, a unit that is not remembered is somebody of its own.
        """
        if not self.active:
            return Who(unit_id, unit_id)
        found = self._recent.get(unit_id) or self._held(unit_id)
        return found if found is not None else self._read([unit_id])[unit_id]

    def warm(self, unit_ids: Collection[str]) -> None:
        """Read at once whom of these `of` would have to read one by one."""
        if self.active:
            cold = [unit_id for unit_id in dict.fromkeys(unit_ids) if self._held(unit_id) is None]
            if cold:
                self._read(cold)

    def bucketed(self, unit_ids: Collection[str]) -> list[str]:
        """Return for each unit by which id it is bucketed, nothing of which is remembered. Raises Unavailable."""
        if self._followed is None:
            self.follow()
        if not self.active:
            return list(unit_ids)
        with self._open(read_only=True) as work:
            known = work.identities.some(unit_ids)
        return [known[unit_id].bucketed_as if unit_id in known else unit_id for unit_id in unit_ids]

    def forget(self, unit_ids: Collection[str]) -> None:
        """Read them again when they are asked for next."""
        self.active = True
        with self._changing:
            self._changes += 1
            for unit_id in unit_ids:
                self._recent.pop(unit_id, None)
                self._older.pop(unit_id, None)

    def follow(self) -> None:
        """Forget who was joined or erased by other processes since the last look. Raises Unavailable."""
        heard, looked_at = self._changes, monotonic()
        with self._open(read_only=True) as work:
            if self._followed is None:
                revision, changed = work.identities.revision(), None
            else:
                changes = work.identities.changed_since(self._followed, most=MOST_FOLLOWED)
                revision, changed = changes.revision, changes.unit_ids
        self._reader.answered()
        with self._changing:
            if revision > 0 or heard == self._changes:  # else somebody was joined here since the look
                self.active = revision > 0
        if changed is None:
            with self._changing:
                self._changes += 1
                self._recent, self._older = {}, {}
        elif changed:
            self.forget(changed)
        self._followed, self._looked_at = revision, looked_at

    def newest(self, unit_id: str, asked_at: float) -> Who:
        """Return who this is, having looked what others did up to that reading of `monotonic`. Raises Unavailable.

        So all of one batch need one look.
        """
        if not self.active:
            return Who(unit_id, unit_id)
        found = self._held(unit_id) if self._looked_at >= asked_at else None
        return found if found is not None else self._ask([unit_id], looked_since=asked_at)[unit_id]

    def _held(self, unit_id: str) -> Who | None:
        """Return what is remembered; what is asked for again is recent again."""
        found = self._recent.get(unit_id)
        if found is None and unit_id in self._older:
            with self._changing:
                found = self._older.pop(unit_id, None)
                if found is not None:
                    self._keep(unit_id, found)
        return found

    def _read(self, unit_ids: Collection[str]) -> dict[str, Who]:
        try:
            return self._ask(unit_ids)
        except Unavailable:
            return {unit_id: Who(unit_id, unit_id) for unit_id in unit_ids}

    def _ask(self, unit_ids: Collection[str], *, looked_since: float = -inf) -> dict[str, Who]:
        """Raise Unavailable; what was forgotten meanwhile is read anew: who has joined somebody sees them joined."""
        return self._reader.read(_Asked(frozenset(unit_ids), self._changes, looked_since), join=True)

    def _look_up(self, asked: _Asked) -> dict[str, Who]:
        unit_ids, changes, looked_since = asked
        if self._followed is None or self._looked_at < looked_since:
            self.follow()
            changes = self._changes
        if not self.active:
            return {unit_id: Who(unit_id, unit_id) for unit_id in unit_ids}
        held = {unit_id: found for unit_id in unit_ids if (found := self._held(unit_id)) is not None}
        cold = unit_ids - held.keys()
        return held | self._look(changes, cold) if cold else held

    def _look(self, changes: int, unit_ids: Collection[str]) -> dict[str, Who]:
        """Read them, and remember what is still so since that many changes."""
        with self._open(read_only=True) as work:
            rows = work.identities.some(unit_ids)
        found = {unit_id: Who(unit_id, unit_id) for unit_id in unit_ids}
        found.update({unit_id: Who(one.person_id, one.bucketed_as) for unit_id, one in rows.items()})
        with self._changing:
            if changes == self._changes:
                for unit_id, one in found.items():
                    self._keep(unit_id, one)
        return found

    def _keep(self, unit_id: str, found: Who) -> None:
        """Forget the older half at once where there are too many: that needs no order among them."""
        self._recent[unit_id] = found
        if len(self._recent) >= self._most:
            self._older, self._recent = self._recent, {}
