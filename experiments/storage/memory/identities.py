"""Who is who, in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from experiments.domain.identity import Identity
from experiments.services.identity.ports import IdentityChanges
from experiments.storage.memory.state import ExposureRow, Log, State


class MemoryIdentityStore:
    """A writing unit of work in memory is alone anyway."""

    def __init__(self, state: State, exposures: Log[ExposureRow]) -> None:
        self._state = state
        self._exposures = exposures

    def get(self, unit_id: str) -> Identity | None:
        found = self._state.identities.get(unit_id)
        return None if found is None else found[0]

    def some(self, unit_ids: Collection[str]) -> Mapping[str, Identity]:
        rows = self._state.identities
        return {unit_id: rows[unit_id][0] for unit_id in unit_ids if unit_id in rows}

    def take(self) -> None:
        self._state.identity_revision += 1

    def hold(self) -> None:
        pass

    def of_person(self, person_id: str) -> tuple[Identity, ...]:
        found = [one for one, _ in self._state.identities.values() if one.person_id == person_id]
        return tuple(sorted(found, key=lambda one: one.unit_id))

    def is_exposed(self, unit_id: str, experiments: Collection[str]) -> bool:
        return any(row[1] == unit_id and row[0] in experiments and not row[6] for row in self._exposures.rows)

    def add(self, rows: Sequence[Identity]) -> None:
        self._state.identity_revision += 1
        self._state.identities.update({one.unit_id: (one, self._state.identity_revision) for one in rows})

    def remove(self, person_id: str) -> int:
        self._state.identity_revision += 1
        gone = self.of_person(person_id)
        for one in gone:
            del self._state.identities[one.unit_id]
        if gone:
            self._state.identities_removed_at = self._state.identity_revision
        return len(gone)

    def revision(self) -> int:
        return self._state.identity_revision

    def changed_since(self, revision: int, *, most: int) -> IdentityChanges:
        if self._state.identities_removed_at > revision:
            return IdentityChanges(revision=self.revision(), unit_ids=None)
        found = tuple(name for name, (_, added_at) in self._state.identities.items() if added_at > revision)
        return IdentityChanges(revision=self.revision(), unit_ids=found if len(found) <= most else None)

    def added(self, *, above: int, upto: int) -> Sequence[Identity]:
        return [one for one, added_at in self._state.identities.values() if above < added_at <= upto]

    def exposed(self, experiment: str, *, exposure_id: int, revision: int) -> Iterator[Sequence[tuple[str, str]]]:
        rows = self._exposures.rows[:exposure_id]
        shown = {row[1] for row in rows if row[0] == experiment and not row[6]}
        found = sorted(self.all_ids(shown, revision))
        if found:
            yield [(unit_id, self._state.identities[unit_id][0].person_id) for unit_id in found]

    def all_ids(self, units: Collection[str], revision: int) -> set[str]:
        """Return the ids of all persons of whom one id is among the units."""
        known = [one for one, added_at in self._state.identities.values() if added_at <= revision]
        persons = {one.person_id for one in known if one.unit_id in units}
        return {one.unit_id for one in known if one.person_id in persons}
