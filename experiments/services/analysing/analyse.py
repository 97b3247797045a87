"""Analyse: log up to a watermark -> moments -> report -> snapshot. Heavy to import: never on the path of a request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from analysis import ENGINE_VERSION
from analysis.aggregate import aggregate
from analysis.plan import Plan
from analysis.report import build
from analysis.serialise import canonical_json as report_bytes
from experiments.domain.canonical import canonical_json
from experiments.domain.epoch import Version
from experiments.domain.errors import InvalidInput, NoResults, RevisionMismatch
from experiments.domain.experiment import Status
from experiments.domain.policy import StoppingRule
from experiments.services.analysing.by_channel import by_channel
from experiments.services.analysing.log_rows import EXPOSURES, Progress, present_watermark, read_rows
from experiments.services.analysing.looks import EarlierLooks, earlier_looks
from experiments.services.analysing.plan import NO_LOOKS, canonical, plan_of
from experiments.services.analysing.ports import NewSnapshot, Snapshot
from experiments.services.forgetting.retention import expired_runs, refuse_expired
from experiments.services.ports import AuditEntry, Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.promoting.realised import Watched, measured, realised_plan, stretches
from experiments.services.recording.ports import Watermark
from experiments.services.retry import retried

LOOK_SECONDS = 23 * 3_600
"""Just under a day: results are old after one, and every look costs some of the error rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Whether a stored report comes out again, byte for byte, from the rows below its watermark.

    `intact`: it is what was hashed when it was made. `erased_since`: how many people were erased after that; where
    rows of theirs are missing it does not come out again, and is right all the same. `expired_since`: the same for runs
    of retention.
    """

    snapshot_id: int
    identical: bool
    intact: bool
    erased_since: int
    expired_since: int
    stored_sha256: str
    recomputed_sha256: str
    stored_engine: str
    present_engine: str


class Analyst:
    """Computes snapshots; the only writer of them."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._open = open_unit_of_work
        self._clock = clock

    def analyse(self, key: str, progress: Progress | None = None, *, actor: str = "worker") -> Snapshot:
        """Compute and store a snapshot of all that is durable by now. Raises NotFound; InvalidInput for a draft,
        and for an experiment of which rows are gone by retention. Where somebody else stored a later one meanwhile,
        that is the answer, and ours is dropped.
        """
        return retried(lambda: self._analyse(key, progress, actor))

    def _analyse(self, key: str, progress: Progress | None, actor: str) -> Snapshot:
        with self._open(read_only=True) as work:
            watermark = present_watermark(work, self._clock())
            experiment = work.experiments.get(key)
            if experiment.status is Status.DRAFT:
                raise InvalidInput("not_started", f"Experiment {key!r} has not started: there is nothing to analyse.")
            versions = work.experiments.versions(key)
            refuse_expired(work, experiment, versions)
            latest = work.snapshots.latest(key)
            looks = _looks(work, versions[-1], below=None)
            live = tuple(measured(work.promotions.standing(key), versions))
            computed = _compute(work, versions, experiment.stopped_at, watermark, live, looks=looks, progress=progress)
        with self._open() as work:
            between = work.snapshots.latest(key)
            if between is not None and (latest is None or between.id != latest.id):
                if looks is not None:
                    # Somebody else's look, stored since ours was computed, would not be counted in it.
                    raise RevisionMismatch("snapshot", key)
                if _is_ahead(between.watermark, watermark):
                    # Ours would stand as the latest, and knows less than theirs.
                    return between
            snapshot = work.snapshots.add(replace(computed, computed_at=self._clock()))
            detail = {"snapshot": snapshot.id, "report_sha256": snapshot.report_sha256}
            work.audit.append(
                AuditEntry(at=snapshot.computed_at, actor=actor, action="results.compute", subject=key, detail=detail)
            )
            work.commit()
        return snapshot

    def verify(self, key: str, progress: Progress | None = None) -> Verification:
        """Compute the latest snapshot again from its watermark. Raises NotFound."""
        with self._open(read_only=True) as work:
            experiment = work.experiments.get(key)
            stored = work.snapshots.latest(key)
            if stored is None:
                raise NoResults(key)
            versions = [version for version in work.experiments.versions(key) if version.number <= stored.version]
            looks = _looks(work, versions[-1], below=stored.id)
            live = [
                Watched(work.promotions.get(one), found["since_epoch"], found.get("share_epoch"))
                for one, found in stored.realised.items()
            ]
            erased_since = len(work.erasures.since(stored.watermark.at).at)
            expired = expired_runs(work, experiment, versions, since=stored.watermark.at)
            again = _compute(
                work, versions, experiment.stopped_at, stored.watermark, live, looks=looks, progress=progress
            )
        intact = stored.report_sha256 == _sha256(canonical_json(stored.report).encode())
        return Verification(
            snapshot_id=stored.id,
            identical=intact
            and again.report_sha256 == stored.report_sha256
            and again.input_sha256 == stored.input_sha256
            and again.realised == stored.realised
            and again.supplement == stored.supplement,
            intact=intact,
            erased_since=erased_since,
            expired_since=expired,
            stored_sha256=stored.report_sha256,
            recomputed_sha256=again.report_sha256,
            stored_engine=stored.engine_version,
            present_engine=ENGINE_VERSION,
        )

    def is_due(self, key: str, maximum_age_seconds: float) -> bool:
        """Say whether rows or a version came in since the latest snapshot, or it is older than it may be.

        Where looks are counted, there is one a day, and a last one for what came in before a stop.
        """
        with self._open(read_only=True) as work:
            latest = work.snapshots.latest(key)
            if latest is None:
                return True
            age = abs((self._clock() - latest.watermark.at).total_seconds())  # clocks may be set back
            experiment = work.experiments.get(key)
            current, stopped_at = experiment.current, experiment.stopped_at
            if _counts_looks(current) and (stopped_at is None or latest.watermark.at >= stopped_at):
                return age > LOOK_SECONDS
            if age > maximum_age_seconds:
                return True
            return current.number != latest.version or work.log.has_rows_above(
                latest.watermark, key, current.definition.event_names
            )


def _counts_looks(version: Version) -> bool:
    return version.definition.analysis.stopping_rule is StoppingRule.GROUP_SEQUENTIAL


def _looks(work: UnitOfWork, version: Version, *, below: int | None) -> EarlierLooks | None:
    """The looks before a snapshot, where the plan counts them: all that were stored, or those before that id."""
    if not _counts_looks(version):
        return None
    return earlier_looks(work.snapshots.reports(version.definition.key, below=below))


def _is_ahead(theirs: Watermark, ours: Watermark) -> bool:
    """By what it saw, and by the hour where that is the same: both only grow, but for clocks that are set back."""
    return _reach(theirs) > _reach(ours)


def _reach(watermark: Watermark) -> tuple[int, int, datetime]:
    rows = watermark.exposure_id + watermark.event_id
    return rows, watermark.identity_revision, watermark.at


def _compute(
    work: UnitOfWork,
    versions: Sequence[Version],
    stopped_at: datetime | None,
    watermark: Watermark,
    live: Sequence[Watched],
    *,
    looks: EarlierLooks | None,
    progress: Progress | None,
) -> NewSnapshot:
    key = versions[-1].definition.key
    plan = plan_of(versions, stopped_at, watermark.at, looks or NO_LOOKS)
    names = versions[-1].definition.event_names
    exposures, events, identities = read_rows(work, key, plan, watermark, progress, names=names)
    supplement: dict[str, Any] = {} if identities is None else {"identities": identities}
    if channels := by_channel(plan, exposures, events):
        supplement["channels"] = channels
    moments = aggregate(ibis.memtable(exposures), ibis.memtable(events), plan)
    report = report_bytes(build(plan, moments))
    document = moments.to_dict()
    return NewSnapshot(
        experiment=key,
        version=versions[-1].number,
        watermark=watermark,
        computed_at=watermark.at,
        engine_version=ENGINE_VERSION,
        input_sha256=_sha256((canonical(plan) + canonical_json(document)).encode()),
        report_sha256=_sha256(report),
        moments=document,
        report=json.loads(report),
        realised={one.promotion.id: _realised(plan, one, exposures, events) for one in live},
        supplement=supplement,
    )


def _realised(plan: Plan, watched: Watched, exposures: pa.Table, events: pa.Table) -> dict[str, Any]:
    promotion, since_epoch, share_epoch = watched
    since = (pc.field("epoch") >= since_epoch) & (pc.field("segment") == promotion.segment)
    own, here = realised_plan(plan, promotion, since_epoch), exposures.filter(since)
    shown = _rehomed(here, stretches(plan, promotion, since_epoch))
    counted = aggregate(ibis.memtable(shown), ibis.memtable(events), own)
    found = {"since_epoch": since_epoch, "report": json.loads(report_bytes(build(own, counted)))}
    if share_epoch is None:
        return found
    at_share = here.filter((pc.field("epoch") >= share_epoch) & (pc.field("variant") == promotion.variant))
    return found | {"share_epoch": share_epoch, "units_at_share": pc.count_distinct(at_share["unit_id"]).as_py()}


def _rehomed(exposures: pa.Table, homes: Mapping[int, int]) -> pa.Table:
    """With the epochs that others go on; one that has no home stays what it is."""
    epochs = exposures["epoch"]
    places = pc.index_in(epochs, value_set=pa.array(homes.keys(), pa.int64()))
    moved = pc.coalesce(pc.take(pa.array(homes.values(), pa.int64()), places), epochs)
    return exposures.set_column(exposures.schema.get_field_index("epoch"), EXPOSURES.field("epoch"), moved)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
