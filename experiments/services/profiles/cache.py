"""What profiles say, in the memory of a process: assignment asks for it with every request."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from experiments.domain.errors import Unavailable
from experiments.domain.profile import Registry
from experiments.services.assigning.catalog import CatalogHolder
from experiments.services.patient_reader import PatientReader
from experiments.services.ports import Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.profiles.ports import StoredProfile

REMEMBERED = 100_000
"""How many units a process remembers at least, and half of what it remembers at most."""
MOST_FOLLOWED = 10_000
"""Where more units than these changed between two looks, all are forgotten: reading who they are would cost more."""


class Remembered(NamedTuple):
    """The attributes of a unit that live conditions name, as they are until `lapses_at`."""

    attributes: dict[str, Any]
    lapses_at: datetime | None


NOTHING = Remembered({}, None)


class ProfileCache:
    """Only attributes that live conditions name are kept: what nobody asks for needs no memory, personal or not.

    A unit that is read while it changes is answered, but not remembered: `_changes` counts what was forgotten, and
    what was read before the last count may be older than that.
    """

    def __init__(
        self, catalog: CatalogHolder, open_unit_of_work: OpenUnitOfWork, clock: Clock, *, remembered: int = REMEMBERED
    ) -> None:
        self._catalog = catalog
        self._open = open_unit_of_work
        self._clock = clock
        self._most = remembered
        self._registry: Registry | None = None
        self._recent: dict[str, Remembered] = {}
        self._older: dict[str, Remembered] = {}
        self._changing = threading.Lock()
        self._changes = 0
        self._followed: int | None = None
        self._reader: PatientReader[tuple[int, frozenset[str]], dict[str, Remembered]]
        self._reader = PatientReader(self._look_up, name="winnow-profiles")

    def numbers(self) -> Mapping[str, float]:
        """Return for the metrics how many units are remembered."""
        return {"profiles_remembered": len(self._recent) + len(self._older)}

    def merged(self, unit_id: str, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the request's attributes over those of the profile; whoever gets them only reads them.

        A cold unit costs one read by primary key, where the request does not bring all that conditions name.
        While the database is away, or says nothing for a second, a unit that is not remembered has the request's
        attributes alone.
        """
        registry = self._catalog.current.registry
        if registry is None:
            return attributes
        if registry is not self._registry:
            self._begin()
        found = self._recent.get(unit_id)
        if found is None:
            known = self._slowly(unit_id, attributes, registry)
        else:
            known, lapses_at = found
            if lapses_at is not None:
                known = self._slowly(unit_id, attributes, registry)
        if not known:
            return attributes
        return {**known, **attributes} if attributes else known

    def _slowly(self, unit_id: str, attributes: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
        """Return what is known of a unit that is not among the recent ones for good, where anybody asks for it."""
        if attributes.keys() >= registry.attributes.keys():
            return {}
        found = self._held(unit_id) or self._read({unit_id}).get(unit_id, NOTHING)
        return found.attributes

    def warm(self, units: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Read at once whom of these `merged` would have to read one by one."""
        registry = self._catalog.current.registry
        if registry is None:
            return
        if registry is not self._registry:
            self._begin()
        named = registry.attributes.keys()
        cold = {name for name, attributes in units if not attributes.keys() >= named and self._held(name) is None}
        if cold:
            self._read(cold)

    def forget(self, unit_ids: Collection[str]) -> None:
        """Read them again when they are asked for next."""
        with self._changing:
            self._changes += 1
            for unit_id in unit_ids:
                self._recent.pop(unit_id, None)
                self._older.pop(unit_id, None)

    def follow(self) -> None:
        """Forget whose profile other processes changed since the last look. Raises Unavailable."""
        if self._catalog.current.registry is None:
            return
        with self._open(read_only=True) as work:
            revision, changed = self._look(work)
        self._reader.answered()
        if changed is None:
            self._begin()
        elif changed:
            self.forget(changed)
        self._followed = revision

    def _look(self, work: UnitOfWork) -> tuple[int, Collection[str] | None]:
        if self._followed is None:
            return work.profiles.revision(), None
        changes = work.profiles.changed_since(self._followed, most=MOST_FOLLOWED)
        return changes.revision, changes.unit_ids

    def _begin(self) -> None:
        """Forget all, and remember from now on what the present registry makes of profiles."""
        with self._changing:
            self._changes += 1
            self._recent, self._older = {}, {}
            self._registry = self._catalog.current.registry

    def _held(self, unit_id: str) -> Remembered | None:
        """Return what is remembered and has not lapsed; what is asked for again is recent again."""
        found = self._recent.get(unit_id)
        if found is None:
            with self._changing:
                found = self._older.pop(unit_id, None)
                if found is not None:
                    self._keep(unit_id, found)
        return found if found is None or found.lapses_at is None or self._clock() < found.lapses_at else None

    def _read(self, unit_ids: Collection[str]) -> dict[str, Remembered]:
        try:
            # What was forgotten meanwhile is read anew: who has changed a profile sees the change.
            return self._reader.read((self._changes, frozenset(unit_ids)), join=True)
        except Unavailable:
            return {}

    def _look_up(self, asked: tuple[int, frozenset[str]]) -> dict[str, Remembered]:
        """Read them, and remember what is still so."""
        (changes, unit_ids), registry = asked, self._registry
        if registry is None:
            return {}
        with self._open(read_only=True) as work:
            stored = _fetch(work, unit_ids)
        now = self._clock()
        found = {unit_id: _laid(stored.get(unit_id), registry, now) for unit_id in unit_ids}
        with self._changing:
            if changes == self._changes and registry is self._registry:
                for unit_id, one in found.items():
                    self._keep(unit_id, one)
        return found

    def _keep(self, unit_id: str, found: Remembered) -> None:
        """Forget the older half at once where there are too many: that needs no order among them."""
        self._recent[unit_id] = found
        if len(self._recent) >= self._most:
            self._older, self._recent = self._recent, {}


def _fetch(work: UnitOfWork, unit_ids: Collection[str]) -> Mapping[str, StoredProfile]:
    if len(unit_ids) > 1:
        return work.profiles.some(unit_ids)
    return {unit_id: stored for unit_id in unit_ids if (stored := work.profiles.get(unit_id)) is not None}


def _laid(stored: StoredProfile | None, registry: Registry, now: datetime) -> Remembered:
    if stored is None:
        return NOTHING
    laid = registry.lay(stored.profile, now=now)
    return Remembered(laid.attributes, laid.lapses_at) if laid.known else NOTHING
