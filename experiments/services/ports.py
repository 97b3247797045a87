"""What the services need from outside, as Protocols. `experiments.storage` answers them, in SQL and in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from experiments.domain.attribute import Attribute
from experiments.domain.consent import ConsentMode
from experiments.domain.delivery import Delivery, DeliveryState, Letter
from experiments.domain.epoch import Version
from experiments.domain.event import Event, Exposure
from experiments.domain.experiment import Experiment, Status
from experiments.domain.layer import Layer
from experiments.domain.metric import Metric
from experiments.domain.notice import Notice
from experiments.domain.promotion import Promotion, PromotionState
from experiments.domain.segment import Segment
from experiments.domain.source import Source
from experiments.domain.webhook import Webhook
from experiments.services.consent_ports import ConsentStore
from experiments.services.customer_ports import BehaviourStore, ErasureStore, ProfileStore, UnitRows
from experiments.services.drift_ports import DriftStore
from experiments.services.identity_ports import IdentityStore
from experiments.services.lines import Lines
from experiments.services.report_ports import SegmentReportStore
from experiments.services.retention_ports import AgedRows
from experiments.services.study_ports import ListStore, StudyStore

T = TypeVar("T")
Clock = Callable[[], datetime]
"""Returns the present instant, aware, in UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A stretch of a list in a stable order; `next_after` continues it, None at its end."""

    items: tuple[T, ...]
    next_after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored(Generic[T]):
    """A value with the revision that an edit must name."""

    value: T
    revision: int
    updated_at: datetime


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


class Library(Protocol[T]):
    """Segments, metrics, layers, attributes and sources: named things with revisions, in order of key."""

    def add(self, value: T, *, now: datetime) -> Stored[T]:
        """Raise AlreadyExists."""

    def get(self, key: str) -> Stored[T]:
        """Raise NotFound."""

    def save(self, value: T, *, expected_revision: int, now: datetime) -> Stored[T]:
        """Raise RevisionMismatch, NotFound."""

    def page(self, *, after: str | None, limit: int) -> Page[Stored[T]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """A fixed set of rows: everything stored with an id up to these. What lies below never changes any more.

    `identity_revision`: who is who as of that revision; 0: every id is somebody of its own.
    """

    exposure_id: int
    event_id: int
    at: datetime
    identity_revision: int = 0


class EventLog(Protocol):
    """Append-only but for erasure and retention, idempotent on `event_id` (exposures and events apart).

    What was received of a unit before it was erased, or while it does not consent, is not stored, and nobody is told.
    """

    def append_exposures(self, exposures: Sequence[Exposure], *, received_at: datetime) -> frozenset[str]:
        """Store what is new and return the event ids that were there before. Ids within one call are distinct."""

    def append_events(self, events: Sequence[Event], *, received_at: datetime) -> frozenset[str]:
        """Store what is new and return the event ids that were there before. Ids within one call are distinct."""

    def load(self, lines: Lines) -> None:
        """Store what is new of rows that were accepted before; ids may repeat among them.

        Raise RowsRefused where a row can never be stored.
        """

    def rows_of(self, unit_id: str) -> UnitRows:
        """Look through all rows for those of a unit."""

    def erase(self, rows: UnitRows) -> None:
        """Delete these rows; the ids of all others stay."""

    def watermark(self, *, now: datetime) -> Watermark:
        """Return the highest ids below which no row can appear later, waiting for writers that are under way."""

    def exposures(
        self, experiment: str, watermark: Watermark
    ) -> Iterator[Sequence[tuple[str, str, str, int, datetime, str | None]]]:
        """Batches of (unit_id, variant, segment, epoch, occurred_at, channel), in order of id, forced ones left out."""

    def events(
        self, experiment: str, names: Collection[str], watermark: Watermark
    ) -> Iterator[Sequence[tuple[str, str, float | None, datetime]]]:
        """Batches of (unit_id, name, value, occurred_at) of the units exposed to the experiment, in order of id.

        An event of any id of a person counts where one of the person's ids was exposed.
        """

    def events_since(
        self, since: datetime, names: Collection[str], watermark: Watermark
    ) -> Iterator[Sequence[tuple[str, float | None]]]:
        """Batches of (unit_id, value) of everybody's events of these names, exposed or not, in order of id."""

    def exposed_since(self, since: datetime, watermark: Watermark) -> Iterator[Sequence[tuple[str, datetime]]]:
        """Batches of (unit_id, its first occurred_at since then), each unit once, whatever it was exposed to."""

    def contacts_since(self, since: datetime, watermark: Watermark) -> Iterator[Sequence[tuple[str, str]]]:
        """Batches of (unit_id, channel), each pair once: by which channels units were shown or did something since."""

    def named(
        self, names: Collection[str], *, above: int, upto: int, most: int
    ) -> Sequence[tuple[int, str, float | None, datetime]]:
        """(id, unit_id, value, occurred_at) of events so called with such ids, the lowest first; waits for nobody."""

    def has_rows_above(self, watermark: Watermark, experiment: str, names: Collection[str]) -> bool:
        """Say whether exposures of the experiment, or events of these names, have come in since; waits for nobody."""

    def counts(self, experiment: str, names: Collection[str], watermark: Watermark) -> tuple[int, int]:
        """How many rows `exposures` and `events` will give (for progress)."""


class ChangeFeed(Protocol):
    """Tells a process that another one may have changed an experiment or a layer."""

    def wait(self, seconds: float) -> None:
        """Return as soon as something may have changed, at the latest after so many seconds; never raises."""

    def close(self) -> None:
        """Let go of what is held; who waits does so no longer than for the present wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The event ids of a batch that a journal knows to have been there before."""

    events: frozenset[str] = frozenset()
    exposures: frozenset[str] = frozenset()


class Journal(Protocol):
    """Where accepted rows go."""

    def append(self, events: Sequence[Event], exposures: Sequence[Exposure], *, received_at: datetime) -> Known:
        """Return when the rows are on disk: then they are in the database, or will be, each id once.

        Ids within one call are distinct. A journal need not know what the database holds: a row that was there before
        may go untold. Raise Unavailable where nothing was stored.
        """


class LineJournal(Journal, Protocol):
    """A journal that takes rows in the form in which they rest."""

    def append_lines(self, lines: Lines) -> None:
        """Return when the rows are on disk. Raise Unavailable where nothing was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSnapshot:
    """A stored report: what it says, what it saw, and by which engine.

    `realised` has, for every promotion that is live, a report on its winner against the holdback, and its first epoch.
    `supplement`: what is told beside the report, of persons with several ids and of channels.
    """

    experiment: str
    version: int
    watermark: Watermark
    computed_at: datetime
    engine_version: str
    input_sha256: str
    report_sha256: str
    moments: Mapping[str, Any]
    report: Mapping[str, Any]
    realised: Mapping[str, Any] = field(default_factory=dict)
    supplement: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(NewSnapshot):
    id: int


class SnapshotStore(Protocol):
    def add(self, snapshot: NewSnapshot) -> Snapshot: ...

    def get(self, experiment: str, snapshot_id: int) -> Snapshot:
        """Raise NotFound."""

    def latest(self, experiment: str) -> Snapshot | None: ...

    def page(self, experiment: str, *, after: str | None, limit: int) -> Page[Snapshot]:
        """Newest first."""

    def reports(self, experiment: str, *, below: int | None = None) -> Iterator[Mapping[str, Any]]:
        """The reports alone, oldest first; only those of snapshots whose id is below, where one is given."""


class PromotionStore(Protocol):
    def add(self, promotion: Promotion) -> None:
        """Raise AlreadyExists, also where another one is open in that segment: of two adders exactly one succeeds."""

    def get(self, promotion_id: str) -> Promotion:
        """Raise NotFound."""

    def save(self, promotion: Promotion, *, expected_revision: int) -> None:
        """Raise RevisionMismatch, NotFound. The check and the write are one step."""

    def standing(self, experiment: str) -> tuple[Promotion, ...]:
        """Those that still bear on decisions, oldest first: open or declined ones."""

    def count(self, state: PromotionState) -> int:
        """How many are in that state."""

    def page(
        self, *, experiment: str | None, state: PromotionState | None = None, after: str | None, limit: int
    ) -> Page[Promotion]:
        """Newest first."""


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


class LeaseStore(Protocol):
    def acquire(self, name: str, *, holder: str, now: datetime, ttl_seconds: int) -> bool:
        """Take or renew the lease in one step; False while somebody else holds it and it has not expired."""

    def release(self, name: str, *, holder: str) -> None:
        """Give it back, where it is ours."""


class WebhookStore(Protocol):
    def add(self, webhook: Webhook, *, now: datetime) -> Stored[Webhook]:
        """Raise AlreadyExists."""

    def get(self, webhook_id: str) -> Stored[Webhook]:
        """Raise NotFound."""

    def save(self, webhook: Webhook, *, expected_revision: int, now: datetime) -> Stored[Webhook]:
        """Raise RevisionMismatch, NotFound."""

    def remove(self, webhook_id: str) -> None:
        """Raise NotFound."""

    def page(self, *, after: str | None, limit: int) -> Page[Stored[Webhook]]:
        """In order of id."""


class NoticeOutbox(Protocol):
    """What is to be told, stored together with the act that it tells of: both are committed, or neither is."""

    def append(self, notice: Notice) -> None:
        """Store it with a delivery to each active webhook that wants its kind, and one by e-mail.

        Whether e-mail is configured only the process that delivers knows; where it is not, that delivery is dropped.
        """

    def knows(self, notice_id: str) -> bool:
        """Say whether a notice with that id is stored, sent or not."""

    def append_to(self, notice: Notice, target: str) -> Letter:
        """Store it with one delivery, to that target alone."""

    def claim(self, *, now: datetime) -> Letter | None:
        """Begin the delivery that is due longest, in one step: of two callers, one gets it. None where nothing is due.

        Whoever has it settles it by `change` before its lease ends; else somebody else gets it.
        """

    def get(self, delivery_id: int) -> Letter:
        """Raise NotFound."""

    def change(self, before: Delivery, after: Delivery) -> bool:
        """Store the delivery as it is now; False, and nothing stored, where it is not as it was before any more."""

    def drop(self, delivery: Delivery) -> None:
        """Remove a delivery that has nowhere to go."""

    def bury_all(self, target: str, *, error: str, now: datetime) -> int:
        """Give up all that is pending for a target; return how many that were."""

    def drop_all(self, target: str) -> None:
        """Remove all deliveries to a target."""

    def page(self, *, state: DeliveryState | None, target: str | None, after: str | None, limit: int) -> Page[Letter]:
        """Newest first."""

    def purge(self, *, delivered_before: datetime, dead_before: datetime) -> int:
        """Remove old deliveries that are done with, and notices of which none is left; return how many deliveries.

        Notices younger than `delivered_before` stay.
        """


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

    def scrub(self) -> None:
        """After a commit: leave as little of what was deleted in the database's files as it lets us see to."""

    def catalog_version(self) -> int:
        """Return a number that grows whenever an experiment, a layer, an attribute or a source is stored."""

    def ping(self) -> None:
        """Raise Unavailable where the database does not answer or is not migrated to the head."""


class OpenUnitOfWork(Protocol):
    def __call__(self, *, read_only: bool = False) -> UnitOfWork:
        """Begin a transaction; a read-only one takes no write lock and may not write."""
