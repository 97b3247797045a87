"""What a memory database holds. A committed state is never changed, so reading it needs no lock."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import count
from typing import Generic, TypeVar

from experiments.domain.activity import UnitActivity
from experiments.domain.attribute import Attribute
from experiments.domain.consent import Consent
from experiments.domain.delivery import Delivery
from experiments.domain.epoch import Version
from experiments.domain.erasure import Erasure
from experiments.domain.experiment import Experiment
from experiments.domain.followed import Place
from experiments.domain.identity import Identity
from experiments.domain.layer import Layer
from experiments.domain.membership import Members, MemberWeek
from experiments.domain.metric import Metric
from experiments.domain.notice import Notice
from experiments.domain.promotion import Promotion
from experiments.domain.purchases import Followed, Purchases
from experiments.domain.segment import Segment
from experiments.domain.source import Source
from experiments.domain.study import Adoption, Study, StudyKind
from experiments.domain.webhook import Webhook
from experiments.services.analysing.ports import Snapshot
from experiments.services.drift.ports import Drift
from experiments.services.paging import Stored
from experiments.services.ports import ApiKey, AuditEntry
from experiments.services.profiles.ports import StoredProfile
from experiments.services.segments.ports import SegmentReport
from experiments.services.studies.ports import ImportedList

Row = TypeVar("Row")
ExposureRow = tuple[str, str, str, str, int, datetime, bool, str | None]
"""(experiment, unit_id, variant, segment, epoch, occurred_at, forced, channel)"""
EventRow = tuple[str, str, float | None, datetime, str | None]
"""(unit_id, name, value, occurred_at, channel)"""


@dataclass(slots=True)
class State:
    """Everything but the log. Dictionaries keyed by number keep the order in which their rows were added."""

    experiments: dict[str, Experiment] = field(default_factory=dict)
    versions: dict[tuple[str, int], Version] = field(default_factory=dict)
    segments: dict[str, Stored[Segment]] = field(default_factory=dict)
    metrics: dict[str, Stored[Metric]] = field(default_factory=dict)
    layers: dict[str, Stored[Layer]] = field(default_factory=dict)
    attributes: dict[str, Stored[Attribute]] = field(default_factory=dict)
    sources: dict[str, Stored[Source]] = field(default_factory=dict)
    profiles: dict[str, StoredProfile] = field(default_factory=dict)
    purchases: dict[str, Purchases] = field(default_factory=dict)
    activity: dict[str, UnitActivity] = field(default_factory=dict)
    segment_reports: dict[str, tuple[SegmentReport, ...]] = field(default_factory=dict)
    segment_members: dict[str, Members] = field(default_factory=dict)
    segment_weeks: dict[str, tuple[MemberWeek, ...]] = field(default_factory=dict)
    studies: dict[tuple[StudyKind, str, int], Study] = field(default_factory=dict)
    adoptions: dict[str, Adoption] = field(default_factory=dict)
    imported_lists: dict[str, ImportedList] = field(default_factory=dict)
    snapshots: dict[int, Snapshot] = field(default_factory=dict)
    drifts: dict[tuple[str, int], Drift] = field(default_factory=dict)
    promotions: dict[int, Promotion] = field(default_factory=dict)
    audit: dict[int, AuditEntry] = field(default_factory=dict)
    keys: dict[str, ApiKey] = field(default_factory=dict)
    leases: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    webhooks: dict[str, Stored[Webhook]] = field(default_factory=dict)
    notices: dict[str, Notice] = field(default_factory=dict)
    deliveries: dict[int, Delivery] = field(default_factory=dict)
    last_delivery_id: int = 0
    catalog_version: int = 1
    profile_revision: int = 0
    followed: Followed = field(default_factory=Followed)
    activity_followed: Place = field(default_factory=Place)
    erasures: tuple[Erasure, ...] = ()
    consents: dict[str, tuple[int, Consent]] = field(default_factory=dict)
    identities: dict[str, tuple[Identity, int]] = field(default_factory=dict)
    identity_revision: int = 0
    identities_removed_at: int = 0
    erasure_salt: bytes = field(default_factory=partial(secrets.token_bytes, 32))

    def copy(self) -> State:
        """Return a state to change; the values inside are frozen, so only the dictionaries are copied."""
        return State(
            experiments=dict(self.experiments),
            versions=dict(self.versions),
            segments=dict(self.segments),
            metrics=dict(self.metrics),
            layers=dict(self.layers),
            attributes=dict(self.attributes),
            sources=dict(self.sources),
            profiles=dict(self.profiles),
            purchases=dict(self.purchases),
            activity=dict(self.activity),
            segment_reports=dict(self.segment_reports),
            segment_members=dict(self.segment_members),
            segment_weeks=dict(self.segment_weeks),
            studies=dict(self.studies),
            adoptions=dict(self.adoptions),
            imported_lists=dict(self.imported_lists),
            snapshots=dict(self.snapshots),
            drifts=dict(self.drifts),
            promotions=dict(self.promotions),
            audit=dict(self.audit),
            keys=dict(self.keys),
            leases=dict(self.leases),
            webhooks=dict(self.webhooks),
            notices=dict(self.notices),
            deliveries=dict(self.deliveries),
            last_delivery_id=self.last_delivery_id,
            catalog_version=self.catalog_version,
            profile_revision=self.profile_revision,
            followed=self.followed,
            activity_followed=self.activity_followed,
            erasures=self.erasures,
            consents=dict(self.consents),
            identities=dict(self.identities),
            identity_revision=self.identity_revision,
            identities_removed_at=self.identities_removed_at,
            erasure_salt=self.erasure_salt,
        )


@dataclass(slots=True)
class Log(Generic[Row]):
    """Rows in order of id (the first has id 1), and where each event id is; both change on commit alone."""

    rows: list[Row] = field(default_factory=list)
    event_ids: dict[str, int] = field(default_factory=dict)

    def extend(self, new: Mapping[str, Row]) -> None:
        self.event_ids.update(zip(new, count(len(self.rows) + 1), strict=False))
        self.rows.extend(new.values())

    def erase(self, ids: Collection[int], blank: Row) -> None:
        """Put rows of nobody in place of these, so that all others keep their ids."""
        for row_id in ids:
            self.rows[row_id - 1] = blank
        gone = set(ids)
        self.event_ids = {event_id: row_id for event_id, row_id in self.event_ids.items() if row_id not in gone}
