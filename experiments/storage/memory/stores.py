"""Experiments, libraries, promotions, keys and leases in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from experiments.domain.epoch import Version
from experiments.domain.errors import AlreadyExists, NotFound, RevisionMismatch
from experiments.domain.experiment import Experiment, Status
from experiments.domain.promotion import DECLINED_STATES, OPEN_STATES, Promotion, PromotionState
from experiments.services.paging import Page, Stored
from experiments.services.ports import CLOCKS_APART, ApiKey
from experiments.storage.experiments.library import Keyed
from experiments.storage.memory.state import State
from experiments.storage.paging import after_key, before_id, cut

T = TypeVar("T")
K = TypeVar("K", bound=Keyed)


def page_by_key(rows: Mapping[str, T], after: str | None, limit: int) -> Page[T]:
    """Return a page in order of key."""
    start = after_key(after)
    found = [(key, rows[key]) for key in sorted(rows) if start is None or key > start]
    return cut(found, limit, lambda row: row[1], lambda row: row[0])


def page_newest_first(rows: Mapping[int, T], after: str | None, limit: int, wanted: Callable[[T], bool]) -> Page[T]:
    """Return a page in order of falling id."""
    below = before_id(after)
    found = [(row_id, row) for row_id, row in reversed(list(rows.items())) if row_id < below and wanted(row)]
    return cut(found, limit, lambda row: row[1], lambda row: row[0])


class MemoryExperimentStore:
    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, experiment: Experiment) -> None:
        if experiment.key in self._state.experiments:
            raise AlreadyExists("experiment", experiment.key)
        self._store(experiment)

    def get(self, key: str) -> Experiment:
        if key not in self._state.experiments:
            raise NotFound("experiment", key)
        return self._state.experiments[key]

    def save(self, experiment: Experiment, *, expected_revision: int) -> None:
        before = self.get(experiment.key)
        if before.revision != expected_revision:
            raise RevisionMismatch("experiment", experiment.key)
        self._store(experiment, rewrite=before.status is Status.DRAFT)

    def _store(self, experiment: Experiment, *, rewrite: bool = True) -> None:
        self._state.catalog_version += 1
        name = (experiment.key, experiment.current.number)
        if rewrite or name not in self._state.versions:
            self._state.versions[name] = experiment.current
        self._state.experiments[experiment.key] = replace(experiment, current=self._state.versions[name])

    def versions(self, key: str) -> tuple[Version, ...]:
        self.get(key)
        return tuple(self._state.versions[name] for name in sorted(self._state.versions) if name[0] == key)

    def version(self, key: str, number: int) -> Version:
        if (key, number) not in self._state.versions:
            raise NotFound("version", f"{key}/{number}")
        return self._state.versions[key, number]

    def page(self, *, after: str | None, limit: int, status: Status | None = None) -> Page[Experiment]:
        rows = {key: row for key, row in self._state.experiments.items() if status in (None, row.status)}
        return page_by_key(rows, after, limit)

    def with_status(self, statuses: Collection[Status]) -> tuple[Experiment, ...]:
        rows = self._state.experiments
        return tuple(rows[key] for key in sorted(rows) if rows[key].status in statuses)

    def keys(self) -> tuple[str, ...]:
        return tuple(sorted(self._state.experiments))


class MemoryLibrary(Generic[K]):
    """`changed` is told of every change before it happens."""

    def __init__(self, kind: str, rows: dict[str, Stored[K]], changed: Callable[[], None] = lambda: None) -> None:
        self._kind = kind
        self._rows = rows
        self._changed = changed

    def add(self, value: K, *, now: datetime) -> Stored[K]:
        if value.key in self._rows:
            raise AlreadyExists(self._kind, value.key)
        return self._store(value, 1, now)

    def get(self, key: str) -> Stored[K]:
        if key not in self._rows:
            raise NotFound(self._kind, key)
        return self._rows[key]

    def save(self, value: K, *, expected_revision: int, now: datetime) -> Stored[K]:
        if self.get(value.key).revision != expected_revision:
            raise RevisionMismatch(self._kind, value.key)
        return self._store(value, expected_revision + 1, now)

    def page(self, *, after: str | None, limit: int) -> Page[Stored[K]]:
        return page_by_key(self._rows, after, limit)

    def keys(self) -> tuple[str, ...]:
        return tuple(sorted(self._rows))

    def _store(self, value: K, revision: int, now: datetime) -> Stored[K]:
        self._changed()
        self._rows[value.key] = Stored(value=value, revision=revision, updated_at=now)
        return self._rows[value.key]


class MemoryPromotionStore:
    def __init__(self, state: State) -> None:
        self._rows = state.promotions

    def add(self, promotion: Promotion) -> None:
        if any(row.id == promotion.id or _both_open(row, promotion) for row in self._rows.values()):
            raise AlreadyExists("promotion", promotion.id)
        self._rows[len(self._rows) + 1] = promotion

    def get(self, promotion_id: str) -> Promotion:
        return self._rows[self._row_id(promotion_id)]

    def save(self, promotion: Promotion, *, expected_revision: int) -> None:
        row_id = self._row_id(promotion.id)
        if self._rows[row_id].revision != expected_revision:
            raise RevisionMismatch("promotion", promotion.id)
        self._rows[row_id] = promotion

    def standing(self, experiment: str) -> tuple[Promotion, ...]:
        return tuple(
            row
            for row in self._rows.values()
            if row.experiment == experiment and row.state in OPEN_STATES | DECLINED_STATES
        )

    def count(self, state: PromotionState) -> int:
        return sum(row.state is state for row in self._rows.values())

    def page(
        self, *, experiment: str | None, state: PromotionState | None = None, after: str | None, limit: int
    ) -> Page[Promotion]:
        def wanted(row: Promotion) -> bool:
            return experiment in (None, row.experiment) and state in (None, row.state)

        return page_newest_first(self._rows, after, limit, wanted)

    def _row_id(self, promotion_id: str) -> int:
        found = next((row_id for row_id, row in self._rows.items() if row.id == promotion_id), None)
        if found is None:
            raise NotFound("promotion", promotion_id)
        return found


def _both_open(one: Promotion, other: Promotion) -> bool:
    same_place = (one.experiment, one.segment) == (other.experiment, other.segment)
    return one.is_open and other.is_open and same_place


class MemoryKeyStore:
    def __init__(self, state: State) -> None:
        self._rows = state.keys

    def add(self, key: ApiKey) -> None:
        if key.id in self._rows:
            raise AlreadyExists("api_key", key.id)
        self._rows[key.id] = key

    def get(self, key_id: str) -> ApiKey:
        if key_id not in self._rows:
            raise NotFound("api_key", key_id)
        return self._rows[key_id]

    def revoke(self, key_id: str, *, now: datetime) -> ApiKey:
        key = self.get(key_id)
        self._rows[key_id] = replace(key, revoked_at=key.revoked_at or now)
        return self._rows[key_id]

    def page(self, *, after: str | None, limit: int) -> Page[ApiKey]:
        return page_by_key(self._rows, after, limit)


class MemoryLeaseStore:
    def __init__(self, state: State) -> None:
        self._rows = state.leases

    def acquire(self, name: str, *, holder: str, now: datetime, ttl_seconds: int) -> bool:
        holding, held_until = self._rows.get(name, (holder, now))
        expires_at = now + timedelta(seconds=ttl_seconds)
        if holding != holder and now < held_until <= expires_at + CLOCKS_APART:
            return False
        self._rows[name] = (holder, expires_at)
        return True

    def release(self, name: str, *, holder: str) -> None:
        if name in self._rows and self._rows[name][0] == holder:
            del self._rows[name]
