"""Results: read what the worker has stored."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.domain.errors import NoDrift, NoResults
from experiments.domain.experiment import Experiment
from experiments.domain.promotion import Promotion
from experiments.services.analysing.ports import Snapshot
from experiments.services.drift.ports import Drift
from experiments.services.paging import Page
from experiments.services.ports import AuditEntry, OpenUnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What a page about one experiment shows; `snapshot` is None before the first analysis."""

    experiment: Experiment
    snapshot: Snapshot | None
    promotions: tuple[Promotion, ...]


class Results:
    """Readers of snapshots, promotions and the audit trail."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork) -> None:
        self._open = open_unit_of_work

    def overview(self, experiment: str) -> Overview:
        """Raise NotFound."""
        with self._open(read_only=True) as work:
            return Overview(
                experiment=work.experiments.get(experiment),
                snapshot=work.snapshots.latest(experiment),
                promotions=work.promotions.page(experiment=experiment, after=None, limit=100).items,
            )

    def latest(self, experiment: str) -> Snapshot:
        """Raise NotFound, also before the first analysis."""
        with self._open(read_only=True) as work:
            work.experiments.get(experiment)
            snapshot = work.snapshots.latest(experiment)
        if snapshot is None:
            raise NoResults(experiment)
        return snapshot

    def drift(self, experiment: str) -> Drift:
        """Who has moved to another segment since exposure. Raises NotFound, also before it was computed."""
        with self._open(read_only=True) as work:
            work.experiments.get(experiment)
        drift = self.known_drift(experiment)
        if drift is None:
            raise NoDrift(experiment)
        return drift

    def known_drift(self, experiment: str) -> Drift | None:
        """Return the same, or None before it was computed."""
        with self._open(read_only=True) as work:
            return work.drifts.latest(experiment)

    def get(self, experiment: str, snapshot_id: int) -> Snapshot:
        """Raise NotFound."""
        with self._open(read_only=True) as work:
            return work.snapshots.get(experiment, snapshot_id)

    def page(self, experiment: str, *, after: str | None, limit: int) -> Page[Snapshot]:
        """List newest first. Raises NotFound."""
        with self._open(read_only=True) as work:
            work.experiments.get(experiment)
            return work.snapshots.page(experiment, after=after, limit=limit)

    def audit(self, *, subject: str | None, after: str | None, limit: int) -> Page[AuditEntry]:
        """List newest first."""
        with self._open(read_only=True) as work:
            return work.audit.page(subject=subject, after=after, limit=limit)
