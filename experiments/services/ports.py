"""What the services need from outside, as Protocols. `experiments.storage` answers them, in SQL and in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from experiments.domain.attribute import Attribute
from experiments.domain.consent import ConsentMode
from experiments.domain.epoch import Version
from experiments.domain.experiment import Experiment, Status
from experiments.domain.layer import Layer
from experiments.domain.metric import Metric
from experiments.domain.segment import Segment
from experiments.domain.source import Source
from experiments.services.analysing.ports import SnapshotStore
from experiments.services.consent.ports import ConsentStore
from experiments.services.drift.ports import DriftStore
from experiments.services.forgetting.ports import AgedRows
from experiments.services.identity.ports import IdentityStore
from experiments.services.notices.ports import NoticeOutbox, WebhookStore
from experiments.services.paging import Page, Stored
from experiments.services.profiles.ports import ActivityStore, BehaviourStore, ErasureStore, ProfileStore
from experiments.services.promoting.ports import PromotionStore
from experiments.services.recording.ports import EventLog
from experiments.services.segments.ports import SegmentReportStore
from experiments.services.studies.ports import ListStore, StudyStore

T = TypeVar("T")
Clock = Callable[[], datetime]
"""Returns the present instant, aware, in UTC."""


class ExperimentStore(Protocol):
    def add(self, experiment: Experiment) -> None:
        """Raise AlreadyExists where the key is taken."""

    def get(self, key: str) -> Experiment:
        """Raise NotFound."""

    def save(self, experiment: Experiment, *, expected_revision: int) -> None:
        """Store head and, where new or rewritten in draft, its version. Raise RevisionMismatch, NotFound.

        The check and the write are one step: of two savers with the same expected revision, exactly one succeeds.
        """

    def versions(self, key: str) -> tuple[Version, ...]:
        """All versions, oldest first."""

    def version(self, key: str, number: int) -> Version:
        """Raise NotFound."""

    def page(self, *, after: str | None, limit: int, status: Status | None = None) -> Page[Experiment]:
        """In order of key."""

    def with_status(self, statuses: Collection[Status]) -> tuple[Experiment, ...]:
        """In order of key."""

    def keys(self) -> tuple[str, ...]:
        """In order."""


class Library(Protocol[T]):
    """Segments, metrics, layers, attributes and sources: named things with revisions, in order of key."""

    def add(self, value: T, *, now: datetime) -> Stored[T]:
        """Raise AlreadyExists."""

    def get(self, key: str) -> Stored[T]:
        """Raise NotFound."""

    def save(self, value: T, *, expected_revision: int, now: datetime) -> Stored[T]:
        """Raise RevisionMismatch, NotFound."""

    def page(self, *, after: str | None, limit: int) -> Page[Stored[T]]: ...

    def keys(self) -> tuple[str, ...]:
        """In order."""


class ChangeFeed(Protocol):
    """Tells a process that another one may have changed an experiment or a layer."""

    def wait(self, seconds: float) -> None:
        """Return as soon as something may have changed, at the latest after so many seconds; never raises."""

    def close(self) -> None:
        """Let go of what is held; who waits does so no longer than for the present wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what to what, when, and on what evidence."""

    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    evidence_sha256: str | None = None
    id: int | None = None


class AuditLog(Protocol):
    def append(self, entry: AuditEntry) -> None: ...

    def page(self, *, subject: str | None, after: str | None, limit: int) -> Page[AuditEntry]:
        """Newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it rests: `id` is public, of the secret only the hash is kept.

    With `tags` it sees only experiments that have one of them.
    """

    id: str
    name: str
    secret_sha256: str
    scopes: frozenset[str]
    created_at: datetime
    revoked_at: datetime | None = None
    tags: frozenset[str] = frozenset()


class KeyStore(Protocol):
    def add(self, key: ApiKey) -> None: ...

    def get(self, key_id: str) -> ApiKey:
        """Raise NotFound."""

    def revoke(self, key_id: str, *, now: datetime) -> ApiKey:
        """Raise NotFound. Revoking twice keeps the first instant."""

    def page(self, *, after: str | None, limit: int) -> Page[ApiKey]: ...


CLOCKS_APART = timedelta(minutes=10)
"""Clocks of machines that work together are less apart; where they seem to be more, one has been set meanwhile."""


class LeaseStore(Protocol):
    def acquire(self, name: str, *, holder: str, now: datetime, ttl_seconds: int) -> bool:
        """Take or renew the lease in one step; False while somebody else holds it and it has not expired.

        One that ends later than this one would by more than `CLOCKS_APART` is void: the clock has been set back since,
        and its holder, who may be dead, would be waited for until it has been there again.
        """

    def release(self, name: str, *, holder: str) -> None:
        """Give it back, where it is ours."""


class UnitOfWork(Protocol):
    """One transaction: nothing is stored without `commit`, and everything or nothing with it.

    `consent_mode`, which may be set before it begins, is what holds for who has not said whether they consent.
    """

    consent_mode: ConsentMode

    experiments: ExperimentStore
    segments: Library[Segment]
    metrics: Library[Metric]
    layers: Library[Layer]
    attributes: Library[Attribute]
    sources: Library[Source]
    profiles: ProfileStore
    behaviour: BehaviourStore
    activity: ActivityStore
    studies: StudyStore
    lists: ListStore
    erasures: ErasureStore
    consents: ConsentStore
    aged: AgedRows
    identities: IdentityStore
    reports: SegmentReportStore
    log: EventLog
    snapshots: SnapshotStore
    drifts: DriftStore
    promotions: PromotionStore
    audit: AuditLog
    keys: KeyStore
    leases: LeaseStore
    webhooks: WebhookStore
    notices: NoticeOutbox

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Roll back what was not committed."""

    def commit(self) -> None: ...

    def scrub(self) -> bool:
        """After a commit: leave as little of what was deleted in the database's files as it lets us see to.

        False where somebody reads in them: then some may be left, until this is done again.
        """

    def catalog_version(self) -> int:
        """Return a number that grows whenever an experiment, a layer, an attribute or a source is stored."""

    def ping(self) -> None:
        """Raise Unavailable where the database does not answer or is not migrated to the head."""


class OpenUnitOfWork(Protocol):
    def __call__(self, *, read_only: bool = False) -> UnitOfWork:
        """Begin a transaction; a read-only one takes no write lock and may not write."""
