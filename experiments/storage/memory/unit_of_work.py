"""Units of work in memory: one writer at a time, readers on the last committed state."""

from __future__ import annotations

from contextlib import ExitStack
from threading import Lock
from types import TracebackType
from typing import Self

from experiments.domain.consent import ConsentMode
from experiments.domain.errors import Unavailable
from experiments.services import ports
from experiments.services.analysing.ports import SnapshotStore
from experiments.storage.experiments.catalog_changes import PolledFeed
from experiments.storage.memory.aged_rows import MemoryAgedRows
from experiments.storage.memory.behaviour import MemoryActivityStore, MemoryBehaviourStore
from experiments.storage.memory.consents import MemoryConsentStore
from experiments.storage.memory.drifts import MemoryDriftStore
from experiments.storage.memory.erasures import MemoryErasureStore
from experiments.storage.memory.identities import MemoryIdentityStore
from experiments.storage.memory.journals import MemoryAuditLog, MemoryEventLog, MemorySnapshotStore
from experiments.storage.memory.outbox import MemoryNoticeOutbox, MemoryWebhookStore
from experiments.storage.memory.profiles import MemoryProfileStore
from experiments.storage.memory.reports import MemorySegmentReportStore
from experiments.storage.memory.state import EventRow, ExposureRow, Log, State
from experiments.storage.memory.stores import (
    MemoryExperimentStore,
    MemoryKeyStore,
    MemoryLeaseStore,
    MemoryLibrary,
    MemoryPromotionStore,
)
from experiments.storage.memory.studies import MemoryListStore, MemoryStudyStore

BUSY_SECONDS = 5.0


class MemoryDatabase:
    """Holds the committed state and the one write lock."""

    def __init__(self) -> None:
        self.state = State()
        self.exposures: Log[ExposureRow] = Log()
        self.events: Log[EventRow] = Log()
        self.writing = Lock()

    def unit_of_work(self, *, read_only: bool = False) -> MemoryUnitOfWork:
        return MemoryUnitOfWork(self, read_only=read_only)

    def changes(self) -> ports.ChangeFeed:
        return PolledFeed()

    def close(self) -> None:
        """There is nothing to give back."""


class MemoryUnitOfWork(ports.UnitOfWork):
    snapshots: SnapshotStore
    """Simulations put another in its place."""

    def __init__(self, database: MemoryDatabase, *, read_only: bool) -> None:
        self._database = database
        self._read_only = read_only
        self.consent_mode = ConsentMode.ASSUMED
        self._held = ExitStack()

    def __enter__(self) -> Self:
        if not self._read_only:
            if not self._database.writing.acquire(timeout=BUSY_SECONDS):
                raise Unavailable("database_unavailable", "Another writer does not finish; nothing was stored.")
            self._held.callback(self._database.writing.release)
        erasures = MemoryErasureStore(self._database.state)
        consents = MemoryConsentStore(self._database.state, self.consent_mode)
        self._log = self.log = MemoryEventLog(self._database.exposures, self._database.events, erasures, consents)
        self._work_on_a_copy()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def _work_on_a_copy(self) -> None:
        state = self._state = self._database.state.copy()
        self.experiments = MemoryExperimentStore(state)
        self.segments = MemoryLibrary("segment", state.segments)
        self.metrics = MemoryLibrary("metric", state.metrics)
        self.layers = MemoryLibrary("layer", state.layers, changed=self._bump)
        self.attributes = MemoryLibrary("attribute", state.attributes, changed=self._bump)
        self.sources = MemoryLibrary("source", state.sources, changed=self._bump)
        self.profiles = MemoryProfileStore(state)
        self.behaviour = MemoryBehaviourStore(state)
        self.activity = MemoryActivityStore(state)
        self.studies = MemoryStudyStore(state)
        self.lists = MemoryListStore(state)
        self.erasures = self._log.erasures = MemoryErasureStore(state)
        self.consents = self._log.consents = MemoryConsentStore(state, self.consent_mode)
        self.aged = MemoryAgedRows(self._database.exposures, self._database.events)
        self.identities = self._log.identities = MemoryIdentityStore(state, self._database.exposures)
        self.reports = MemorySegmentReportStore(state)
        self.snapshots = MemorySnapshotStore(state)
        self.drifts = MemoryDriftStore(state)
        self.promotions = MemoryPromotionStore(state)
        self.audit = MemoryAuditLog(state)
        self.keys = MemoryKeyStore(state)
        self.leases = MemoryLeaseStore(state)
        self.webhooks = MemoryWebhookStore(state)
        self.notices = MemoryNoticeOutbox(state)

    def _bump(self) -> None:
        self._state.catalog_version += 1

    def commit(self) -> None:
        if self._read_only:
            raise RuntimeError("a read-only unit of work has nothing to commit")
        self._log.commit()
        self._database.state = self._state
        self._work_on_a_copy()

    def scrub(self) -> bool:
        """What is deleted is gone."""
        return True

    def catalog_version(self) -> int:
        return self._state.catalog_version

    def ping(self) -> None:
        """Memory is always there."""
