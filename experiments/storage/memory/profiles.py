"""Profiles in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from experiments.domain.profile import Profile
from experiments.services.customer_ports import ProfileChanges, StoredProfile
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
