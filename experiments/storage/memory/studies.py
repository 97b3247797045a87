"""Studies and imported lists in memory."""

from __future__ import annotations

from experiments.domain.errors import NotFound, RevisionMismatch
from experiments.domain.study import Adoption, Study, StudyKind
from experiments.services.paging import Page
from experiments.services.studies.ports import ImportedList
from experiments.storage.memory.state import State
from experiments.storage.paging import after_key, before_id, cut


class MemoryStudyStore:
    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, study: Study) -> None:
        place = (study.kind, study.name, study.version)
        if place in self._state.studies:
            raise RevisionMismatch(study.kind.value, study.name)
        self._state.studies[place] = study

    def get(self, kind: StudyKind, name: str, version: int | None = None) -> Study:
        found = [one for one in self._of(kind, name) if version in (None, one.version)]
        if not found:
            raise NotFound(kind.value, name)
        return found[0]

    def page(self, kind: StudyKind, *, after: str | None, limit: int) -> Page[Study]:
        names = sorted({name for of, name, _ in self._state.studies if of is kind})
        start = after_key(after)
        rows = [self._of(kind, name)[0] for name in names if start is None or name > start]
        return cut(rows[: limit + 1], limit, lambda one: one, lambda one: one.name)

    def versions(self, kind: StudyKind, name: str, *, after: str | None, limit: int) -> Page[Study]:
        below = before_id(after)
        rows = [one for one in self._of(kind, name) if one.version < below]
        return cut(rows[: limit + 1], limit, lambda one: one, lambda one: one.version)

    def _of(self, kind: StudyKind, name: str) -> list[Study]:
        """Newest first."""
        own = [one for one in self._state.studies.values() if (one.kind, one.name) == (kind, name)]
        return sorted(own, key=lambda one: -one.version)

    def adopt(self, adoption: Adoption) -> None:
        self._state.adoptions[adoption.segment] = adoption

    def adoption(self, segment: str) -> Adoption | None:
        return self._state.adoptions.get(segment)

    def adoptions(self, kind: StudyKind, name: str) -> tuple[Adoption, ...]:
        own = [one for one in self._state.adoptions.values() if (one.kind, one.name) == (kind, name)]
        return tuple(sorted(own, key=lambda one: one.segment))


class MemoryListStore:
    def __init__(self, state: State) -> None:
        self._state = state

    def get(self, key: str) -> ImportedList | None:
        return self._state.imported_lists.get(key)

    def take(self, key: str) -> ImportedList | None:
        return self.get(key)

    def put(self, imported: ImportedList) -> None:
        self._state.imported_lists[imported.key] = imported
