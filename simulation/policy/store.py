"""A database in memory that keeps an experiment's latest snapshot only, as it is handed in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from experiments.domain.errors import NotFound
from experiments.services.analysing.ports import NewSnapshot, Snapshot
from experiments.services.paging import Page
from experiments.storage.memory.state import State
from experiments.storage.memory.stores import page_newest_first
from experiments.storage.memory.unit_of_work import MemoryDatabase, MemoryUnitOfWork
from experiments.storage.results.snapshot_store import numbered


class LatestSnapshots:
    """The port without history and without a copy through JSON: the simulation never changes what it hands in."""

    def __init__(self, state: State) -> None:
        self._rows = state.snapshots

    def add(self, snapshot: NewSnapshot) -> Snapshot:
        row_id = max(self._rows, default=0) + 1
        self._rows.clear()
        self._rows[row_id] = numbered(snapshot, row_id)
        return self._rows[row_id]

    def get(self, experiment: str, snapshot_id: int) -> Snapshot:
        found = self._rows.get(snapshot_id)
        if found is None or found.experiment != experiment:
            raise NotFound("snapshot", str(snapshot_id))
        return found

    def latest(self, experiment: str) -> Snapshot | None:
        return next((row for row in self._rows.values() if row.experiment == experiment), None)

    def page(self, experiment: str, *, after: str | None, limit: int) -> Page[Snapshot]:
        return page_newest_first(self._rows, after, limit, lambda row: row.experiment == experiment)

    def reports(self, experiment: str, *, below: int | None = None) -> Iterator[Mapping[str, Any]]:
        raise NotImplementedError("no world here counts its looks")


class SimulatedDatabase(MemoryDatabase):
    def unit_of_work(self, *, read_only: bool = False) -> SimulatedUnitOfWork:
        return SimulatedUnitOfWork(self, read_only=read_only)


class SimulatedUnitOfWork(MemoryUnitOfWork):
    def _work_on_a_copy(self) -> None:
        super()._work_on_a_copy()
        self.snapshots = LatestSnapshots(self._state)
