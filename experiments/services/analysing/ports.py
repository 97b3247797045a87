"""Where results are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from experiments.services.paging import Page
from experiments.services.recording.ports import Watermark


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
