"""Profiles in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from experiments.domain.profile import Profile, Statement
from experiments.services.profiles.ports import Compared, ProfileChanges, SaidAtOnce, StoredProfile
from experiments.storage.memory.state import State


class MemoryProfileStore:
    """A writing unit of work in memory is alone anyway."""

    def __init__(self, state: State) -> None:
        self._state = state

    def get(self, unit_id: str) -> StoredProfile | None:
        return self._state.profiles.get(unit_id)

    def some(self, unit_ids: Collection[str]) -> Mapping[str, StoredProfile]:
        rows = self._state.profiles
        return {unit_id: rows[unit_id] for unit_id in unit_ids if unit_id in rows}

    def to_change(self, unit_ids: Collection[str]) -> Mapping[str, StoredProfile]:
        self._state.profile_revision += 1
        return self.some(unit_ids)

    def put(self, changed: Sequence[tuple[Profile, Mapping[str, Any]]], *, now: datetime) -> None:
        if not changed:
            return
        self._state.profile_revision += 1
        for profile, attributes in changed:
            self._state.profiles[profile.unit_id] = StoredProfile(
                profile=profile, attributes=attributes, revision=self._state.profile_revision, updated_at=now
            )

    def to_compare(self, said: SaidAtOnce) -> Compared:
        held = self.to_change(said.unit_ids)
        wanted = dict(enumerate(_profiles(said)))
        same = [place for place, one in wanted.items() if one.unit_id in held and held[one.unit_id].profile == one]
        known = {said.unit_ids[place] for place in same}
        return Compared(
            new=[place for place, unit_id in enumerate(said.unit_ids) if unit_id not in held],
            same=same,
            others={unit_id: one for unit_id, one in held.items() if unit_id not in known},
        )

    def add(self, new: SaidAtOnce, *, now: datetime) -> None:
        added = []
        for one in _profiles(new):
            said = one.said[new.source]
            added.append((one, {name: said[name].value for name in said if name in new.counting}))
        self.put(added, now=now)

    def page(self, *, after: str | None, limit: int) -> Sequence[StoredProfile]:
        rows = self._state.profiles
        later = sorted(unit_id for unit_id in rows if after is None or unit_id > after)
        return [rows[unit_id] for unit_id in later[:limit]]

    def erase(self, unit_id: str) -> tuple[int, int]:
        self._state.profile_revision += 1
        erased = self._state.profiles.pop(unit_id, None)
        return int(erased is not None), self._state.profile_revision

    def revision(self) -> int:
        return self._state.profile_revision

    def changed_since(self, revision: int, *, most: int) -> ProfileChanges:
        if any(one.profile_revision > revision for one in self._state.erasures):
            return ProfileChanges(revision=self.revision(), unit_ids=None)
        found = tuple(unit_id for unit_id, row in self._state.profiles.items() if row.revision > revision)
        return ProfileChanges(revision=self.revision(), unit_ids=found if len(found) <= most else None)


def _profiles(said: SaidAtOnce) -> Iterator[Profile]:
    for place, unit_id in enumerate(said.unit_ids):
        told = {name: values[codes[place]] for name, (codes, values) in said.columns.items()}
        statements = {name: Statement(value=one, at=said.at) for name, one in told.items() if one is not None}
        yield Profile(unit_id=unit_id, said={said.source: statements})
