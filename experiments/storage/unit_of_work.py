"""Units of work in SQL, and the database that opens them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self, cast

from sqlalchemy import Connection, Engine, inspect, select, text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from experiments.domain.consent import ConsentMode
from experiments.domain.errors import Unavailable
from experiments.services import ports
from experiments.services.consent.picture import ConsentPicture
from experiments.storage.access.audit_log import SqlAuditLog
from experiments.storage.access.key_store import SqlKeyStore
from experiments.storage.access.lease_store import SqlLeaseStore
from experiments.storage.customers.consent_store import SqlConsentStore
from experiments.storage.customers.erasure_store import SqlErasureStore
from experiments.storage.customers.identity_store import SqlIdentityStore
from experiments.storage.customers.profile_store import SqlProfileStore
from experiments.storage.engine import BUSY_SECONDS, make_engine, reading, unavailable
from experiments.storage.experiments.catalog_changes import change_feed
from experiments.storage.experiments.experiment_store import SqlExperimentStore
from experiments.storage.experiments.library import ATTRIBUTES, LAYERS, METRICS, SEGMENTS, SOURCES, SqlLibrary
from experiments.storage.experiments.tables import catalog_version
from experiments.storage.following.activity_store import SqlActivityStore
from experiments.storage.following.behaviour_store import SqlBehaviourStore
from experiments.storage.log.aged_rows import SqlAgedRows
from experiments.storage.log.event_log import SqlEventLog
from experiments.storage.log.postgres import PostgresEventLog
from experiments.storage.log.sqlite import SqliteEventLog
from experiments.storage.log.tables import exposures
from experiments.storage.memory.unit_of_work import MemoryDatabase
from experiments.storage.model import SCHEMA_REVISION
from experiments.storage.promotions.notice_outbox import SqlNoticeOutbox
from experiments.storage.promotions.promotion_store import SqlPromotionStore
from experiments.storage.promotions.webhook_store import SqlWebhookStore
from experiments.storage.results.drift_store import SqlDriftStore
from experiments.storage.results.snapshot_store import SqlSnapshotStore
from experiments.storage.studies.report_store import SqlSegmentReportStore
from experiments.storage.studies.study_store import SqlListStore, SqlStudyStore

_SCRUB_WAIT_MS = 200
"""So long a scrub waits for those who read, as those who write wait for it meanwhile."""


class Database(Protocol):
    """Where units of work come from; one per process, shared by its threads."""

    def unit_of_work(self, *, read_only: bool = False) -> ports.UnitOfWork: ...

    def changes(self) -> ports.ChangeFeed:
        """Return a new feed of changes of the catalog."""

    def close(self) -> None:
        """Give back all connections."""


def open_database(url: str) -> Database:
    """Return the database at `postgresql://…` or `sqlite:///<file>`; `memory://` gives a new, empty one each time.

    Nothing is connected yet. A writing unit of work on SQLite holds the one write lock from its first statement on.
    """
    if url == "memory://":
        return MemoryDatabase()
    return SqlDatabase(make_engine(url))


class SqlDatabase:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._reading = reading(engine)
        self._pictures = {mode: ConsentPicture(mode) for mode in ConsentMode}

    def unit_of_work(self, *, read_only: bool = False) -> SqlUnitOfWork:
        engine = self._reading if read_only else self.engine
        return SqlUnitOfWork(engine, self._pictures, fence=self.engine, read_only=read_only)

    def changes(self) -> ports.ChangeFeed:
        return change_feed(self.engine)

    def close(self) -> None:
        self.engine.dispose()


class SqlUnitOfWork(ports.UnitOfWork):
    """One connection, one transaction at a time: the next statement after a commit begins another."""

    def __init__(
        self, engine: Engine, pictures: Mapping[ConsentMode, ConsentPicture], *, fence: Engine, read_only: bool
    ) -> None:
        self._engine = engine
        self._pictures = pictures
        self._fence = fence
        self._read_only = read_only
        self.consent_mode = ConsentMode.ASSUMED

    def __enter__(self) -> Self:
        self._connection = _connect(self._engine)
        consents = self.consents = SqlConsentStore(
            self._connection, self._pictures[self.consent_mode], self.consent_mode
        )
        self._log = self.log = self._open_log(consents)
        self.experiments = SqlExperimentStore(self._connection)
        self.segments = SqlLibrary(self._connection, SEGMENTS)
        self.metrics = SqlLibrary(self._connection, METRICS)
        self.layers = SqlLibrary(self._connection, LAYERS)
        self.attributes = SqlLibrary(self._connection, ATTRIBUTES)
        self.sources = SqlLibrary(self._connection, SOURCES)
        self.profiles = SqlProfileStore(self._connection)
        self.behaviour = SqlBehaviourStore(self._connection)
        self.activity = SqlActivityStore(self._connection)
        self.studies = SqlStudyStore(self._connection)
        self.lists = SqlListStore(self._connection)
        self.erasures = SqlErasureStore(self._connection)
        self.aged = SqlAgedRows(self._connection)
        self.identities = SqlIdentityStore(self._connection, exposures)
        self.reports = SqlSegmentReportStore(self._connection)
        self.snapshots = SqlSnapshotStore(self._connection)
        self.drifts = SqlDriftStore(self._connection)
        self.promotions = SqlPromotionStore(self._connection)
        self.audit = SqlAuditLog(self._connection)
        self.keys = SqlKeyStore(self._connection)
        self.leases = SqlLeaseStore(self._connection)
        self.webhooks = SqlWebhookStore(self._connection)
        self.notices = SqlNoticeOutbox(self._connection)
        return self

    def _open_log(self, consents: SqlConsentStore) -> SqlEventLog:
        if self._connection.dialect.name == "postgresql":
            return PostgresEventLog(self._connection, consents, fence=self._fence, renew=self._read_only)
        return SqliteEventLog(self._connection, consents)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def commit(self) -> None:
        if self._read_only:
            raise RuntimeError("a read-only unit of work has nothing to commit")
        self._connection.commit()
        self._log.appended = False

    def scrub(self) -> bool:
        """SQLite zeroes what is deleted (`engine.py`); what its write-ahead log still has goes here, unless it is read.

        PostgreSQL's dead rows go with its own vacuum.
        """
        if self._connection.dialect.name != "sqlite":
            return True
        driver = cast(sqlite3.Connection, self._connection.connection.driver_connection)
        driver.execute(f"PRAGMA busy_timeout = {_SCRUB_WAIT_MS}").close()
        try:
            return not driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            driver.execute(f"PRAGMA busy_timeout = {1_000 * BUSY_SECONDS}").close()

    def catalog_version(self) -> int:
        number: int = self._connection.execute(select(catalog_version.c.number)).scalar_one()
        return number

    def ping(self) -> None:
        if not inspect(self._connection).has_table("alembic_version"):
            raise _not_migrated("is empty")
        found = self._connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
        # A later release may have migrated it already: migrations leave the release before able to work.
        if len(found) != 1 or found[0] < SCHEMA_REVISION:
            raise _not_migrated(f"is at revision {', '.join(found)}" if found else "is empty")


def _connect(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except PoolTimeout:
        raise unavailable("All connections of this process are in use.") from None
    except InvalidRequestError:
        raise unavailable("Each new connection was dead at once.") from None


def _not_migrated(found: str) -> Unavailable:
    return Unavailable(
        "database_not_migrated",
        f"The database {found}; this release needs {SCHEMA_REVISION}. Run `winnow db upgrade`.",
    )
