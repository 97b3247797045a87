"""Snapshots in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from experiments.domain.errors import NotFound
from experiments.services.analysing.ports import NewSnapshot, Snapshot
from experiments.services.paging import Page
from experiments.services.recording.ports import Watermark
from experiments.storage.columns import storable_number
from experiments.storage.paging import before_id, cut
from experiments.storage.results.tables import snapshots

_columns = snapshots.c


class SqlSnapshotStore:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, snapshot: NewSnapshot) -> Snapshot:
        statement = insert(snapshots).values(_values(snapshot)).returning(_columns.id)
        return numbered(snapshot, self._connection.execute(statement).scalar_one())

    def get(self, experiment: str, snapshot_id: int) -> Snapshot:
        wanted = select(snapshots).where(_columns.experiment_key == experiment, _columns.id == snapshot_id)
        row = self._connection.execute(wanted).one_or_none() if storable_number(snapshot_id) else None
        if row is None:
            raise NotFound("snapshot", str(snapshot_id))
        return _snapshot(row)

    def latest(self, experiment: str) -> Snapshot | None:
        wanted = select(snapshots).where(_columns.experiment_key == experiment).order_by(_columns.id.desc()).limit(1)
        row = self._connection.execute(wanted).one_or_none()
        return None if row is None else _snapshot(row)

    def page(self, experiment: str, *, after: str | None, limit: int) -> Page[Snapshot]:
        wanted = (
            select(snapshots)
            .where(_columns.experiment_key == experiment, _columns.id < before_id(after))
            .order_by(_columns.id.desc())
            .limit(limit + 1)
        )
        return cut(self._connection.execute(wanted).all(), limit, _snapshot, lambda row: row.id)

    def reports(self, experiment: str, *, below: int | None = None) -> Iterator[Mapping[str, Any]]:
        wanted = select(_columns.report).where(_columns.experiment_key == experiment).order_by(_columns.id)
        if below is not None:
            wanted = wanted.where(_columns.id < below)
        yield from self._connection.execute(wanted).scalars()


def numbered(snapshot: NewSnapshot, snapshot_id: int) -> Snapshot:
    """Return the snapshot with the id under which it is stored."""
    return Snapshot(id=snapshot_id, **{field.name: getattr(snapshot, field.name) for field in fields(NewSnapshot)})


def _values(snapshot: NewSnapshot) -> dict[str, Any]:
    return {
        "experiment_key": snapshot.experiment,
        "version": snapshot.version,
        "exposure_id": snapshot.watermark.exposure_id,
        "event_id": snapshot.watermark.event_id,
        "identity_revision": snapshot.watermark.identity_revision,
        "watermark_at": snapshot.watermark.at,
        "computed_at": snapshot.computed_at,
        "engine_version": snapshot.engine_version,
        "input_sha256": snapshot.input_sha256,
        "report_sha256": snapshot.report_sha256,
        "moments": dict(snapshot.moments),
        "report": dict(snapshot.report),
        "realised": dict(snapshot.realised),
        "supplement": dict(snapshot.supplement),
    }


def _snapshot(row: Row[Any]) -> Snapshot:
    return Snapshot(
        id=row.id,
        experiment=row.experiment_key,
        version=row.version,
        watermark=Watermark(
            exposure_id=row.exposure_id,
            event_id=row.event_id,
            at=row.watermark_at,
            identity_revision=row.identity_revision,
        ),
        computed_at=row.computed_at,
        engine_version=row.engine_version,
        input_sha256=row.input_sha256,
        report_sha256=row.report_sha256,
        moments=row.moments,
        report=row.report,
        realised=row.realised,
        supplement=row.supplement,
    )
