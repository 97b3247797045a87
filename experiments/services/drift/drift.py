"""Drift: who has moved to another segment since exposure, and the results by present segment. Heavy to import.

What profiles say changes, so this cannot come out again: it is kept beside the snapshot, never in it, and nothing that
decides reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.aggregate import aggregate
from analysis.plan import Plan
from analysis.report import build
from analysis.serialise import canonical_json as report_bytes
from analysis.units import counted_units
from experiments.domain.epoch import Version
from experiments.domain.errors import NoResults
from experiments.domain.present import Hidden, PresentSegments, present_segments
from experiments.domain.profile import Profile, Registry
from experiments.services.analysing.analyse import LOOK_SECONDS
from experiments.services.analysing.log_rows import Progress, read_rows
from experiments.services.analysing.plan import plan_of
from experiments.services.analysing.ports import Snapshot
from experiments.services.drift.counts import UNKNOWN, Codes, Placed, count_drift
from experiments.services.drift.document import document_of
from experiments.services.drift.plan import present_plan
from experiments.services.drift.ports import Drift
from experiments.services.ports import AuditEntry, Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.profiles.registry_read import read_registry
from experiments.services.segments.tables import consenting_profiles

MOST_UNITS = 1_000_000
"""Of more units no profiles are read: a day's look would take longer than all others together."""
PROFILES_AT_ONCE = 5_000

_GONE = Hidden(code="segment_removed", message="The experiment has no such segment any more.")
_ALONE = Hidden(code="one_segment", message="There is one segment only: nobody can move.")
_ALL_HIDDEN = Hidden(code="all_hidden", message="No profile tells who is in any of these segments: only requests do.")


class Drifter:
    """The only writer of drift. `most_units`: of larger experiments it says no more than that they are too large."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork, clock: Clock, *, most_units: int = MOST_UNITS) -> None:
        self._open = open_unit_of_work
        self._clock = clock
        self._most = most_units

    def step(self, key: str, progress: Progress | None = None, *, actor: str = "worker") -> Drift | None:
        """Compute where the last time is a day ago and there are results; None where nothing was due."""
        with self._open(read_only=True) as work:
            latest, snapshot = work.drifts.latest(key), work.snapshots.latest(key)
        now = self._clock()
        recent = latest is not None and abs((now - latest.computed_at).total_seconds()) <= LOOK_SECONDS
        return None if snapshot is None or recent else self.compute(key, progress, actor=actor)

    def compute(self, key: str, progress: Progress | None = None, *, actor: str) -> Drift:
        """Compute and store the drift of the latest snapshot's units. Raises NotFound, also before any results."""
        now = self._clock()
        with self._open(read_only=True) as work:
            work.experiments.get(key)
            snapshot = work.snapshots.latest(key)
            if snapshot is None:
                raise NoResults(key)
            document = _document(work, snapshot, now, progress or _silent, most_units=self._most)
        drift = Drift(experiment=key, snapshot_id=snapshot.id, computed_at=now, document=document)
        with self._open() as work:
            work.drifts.put(drift)
            detail = {"snapshot": snapshot.id}
            work.audit.append(AuditEntry(at=now, actor=actor, action="drift.compute", subject=key, detail=detail))
            work.commit()
        return drift


def _silent(done: int, total: int) -> None:
    return None


def _document(
    work: UnitOfWork, snapshot: Snapshot, now: datetime, progress: Progress, *, most_units: int
) -> dict[str, Any]:
    versions = [one for one in work.experiments.versions(snapshot.experiment) if one.number <= snapshot.version]
    stopped_at = work.experiments.get(snapshot.experiment).stopped_at
    plan = plan_of(versions, stopped_at, snapshot.watermark.at)
    registry = read_registry(work)
    segments = [one.segment for one in versions[-1].definition.segments]
    present = present_segments(segments, registry.attributes.keys())
    removed = {key: _GONE for key in plan.segments if key not in {one.key for one in segments}}
    hidden = {**present.hidden, **removed}
    skipped = _skipped(present, units=snapshot.report["units"], most_units=most_units)
    if skipped is not None:
        return document_of(plan, (), hidden, edited=False, at_exposure=None, at_present=None, skipped=skipped)
    asked = versions[-1].definition.event_names
    exposures, events, _ = read_rows(work, snapshot.experiment, plan, snapshot.watermark, progress, names=asked)
    units = counted_units(ibis.memtable(exposures), plan)
    names = _present(work, units["unit_id"].to_pylist(), present, registry, now=now, progress=progress)
    placed = _placed(plan, units, names, removed)
    return document_of(
        plan,
        count_drift(placed),
        hidden,
        edited=_edited(versions),
        at_exposure=snapshot.report,
        at_present=_by_present(plan, units, placed, events),
        skipped=None,
    )


def _skipped(present: PresentSegments, *, units: int, most_units: int) -> Hidden | None:
    if not present.decidable:
        return _ALL_HIDDEN if present.hidden else _ALONE
    if units > most_units:
        told = f"{units:,} were counted; of more than {most_units:,} profiles are not read."
        return Hidden(code="too_many_units", message=told)
    return None


def _present(
    work: UnitOfWork,
    unit_ids: Sequence[str],
    present: PresentSegments,
    registry: Registry,
    *,
    now: datetime,
    progress: Progress,
) -> list[str | None]:
    """Each unit's present segment; None where it is not known.

    Of a unit without a profile it is not, nor where no source ever said anything of what conditions name, be it only to
    take it back: whatever segment such a unit was in, it was a request that told.
    """
    named = registry.only(present.attributes)

    def told(profile: Profile) -> bool:
        return any(not said.keys().isdisjoint(present.attributes) for said in profile.said.values())

    found: list[str | None] = []
    for start in range(0, len(unit_ids), PROFILES_AT_ONCE):
        some = unit_ids[start : start + PROFILES_AT_ONCE]
        profiles = {unit_id: stored.profile for unit_id, stored in consenting_profiles(work, some).items()}
        now_in = {
            unit_id: present.of(named.lay(profile, now=now).attributes)
            for unit_id, profile in profiles.items()
            if told(profile)
        }
        found.extend(map(now_in.get, some))
        progress(len(found), len(unit_ids))
    return found


def _placed(plan: Plan, units: pa.Table, now: Sequence[str | None], removed: Mapping[str, Hidden]) -> Placed:
    then = _codes(units["segment"], plan.segments)
    present = _codes(pa.array(now, pa.string()), plan.segments)
    if removed:
        present[np.isin(then, [plan.segments.index(key) for key in removed])] = UNKNOWN
    return Placed(
        segments=plan.segments,
        variants=plan.variants,
        then=then,
        now=present,
        variant=_codes(units["variant"], plan.variants),
        epoch=units["epoch"].to_numpy(),
    )


def _codes(values: Any, names: Sequence[str]) -> Codes:
    places = pc.fill_null(pc.index_in(values, value_set=pa.array(names, pa.string())), UNKNOWN)
    return np.asarray(
        places.to_numpy(zero_copy_only=False) if isinstance(places, pa.Array) else places.to_numpy()
    ).astype(np.int64)


def _by_present(plan: Plan, units: pa.Table, placed: Placed, events: pa.Table) -> dict[str, Any]:
    """The engine's report on the same units and events with the segment replaced; unknown ones stay where they were."""
    size = len(plan.segments)
    now = np.where(placed.now == UNKNOWN, placed.then, placed.now)
    combined = (placed.epoch * size + placed.then) * size + now
    occurring, place = np.unique(combined, return_inverse=True)
    found = [
        (int(one // size**2), plan.segments[one // size % size], plan.segments[one % size])
        for one in occurring.tolist()
    ]
    own, homes = present_plan(plan, found)
    epochs = np.array([homes[one] for one in found], dtype=np.int64)[place]
    keys = np.array([now for _, _, now in found], dtype=object)[place]
    columns = units.column_names
    moved = units.set_column(columns.index("segment"), "segment", pa.array(keys, pa.string()))
    moved = moved.set_column(columns.index("epoch"), "epoch", pa.array(epochs, pa.int64()))
    report: dict[str, Any] = json.loads(
        report_bytes(build(own, aggregate(ibis.memtable(moved), ibis.memtable(events), own)))
    )
    return report


def _edited(versions: Sequence[Version]) -> bool:
    made = [[(one.segment.key, one.segment.condition) for one in version.definition.segments] for version in versions]
    return any(one != made[-1] for one in made)
