"""Experiments in SQL: a head that moves, and versions that stay."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, Select, select, update

from experiments.domain.epoch import Version
from experiments.domain.errors import AlreadyExists, DomainError, NotFound, RevisionMismatch
from experiments.domain.experiment import Experiment, Status
from experiments.services.paging import Page
from experiments.storage.columns import storable_number
from experiments.storage.documents.definition import definition_from_document, definition_to_document
from experiments.storage.experiments.catalog_changes import bump_catalog_version
from experiments.storage.experiments.tables import experiment_versions, experiments
from experiments.storage.paging import after_key, cut
from experiments.storage.statements import insert_new

_heads, _versions = experiments.c, experiment_versions.c
_current = select(
    experiments,
    _versions.document,
    _versions.paused,
    _versions.created_at.label("version_created_at"),
    _versions.created_by.label("version_created_by"),
).join(experiment_versions, (_versions.experiment_key == _heads.key) & (_versions.number == _heads.version))


class SqlExperimentStore:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, experiment: Experiment) -> None:
        bump_catalog_version(self._connection)
        if not insert_new(self._connection, experiments, _head_values(experiment)):
            raise AlreadyExists("experiment", experiment.key)
        insert_new(self._connection, experiment_versions, _version_values(experiment))

    def get(self, key: str) -> Experiment:
        row = self._connection.execute(_current.where(_heads.key == key)).one_or_none()
        if row is None:
            raise NotFound("experiment", key)
        return _experiment(row)

    def save(self, experiment: Experiment, *, expected_revision: int) -> None:
        key = experiment.key
        bump_catalog_version(self._connection)
        if not storable_number(expected_revision):
            raise self._refusal(key)
        expected = (_heads.key == key, _heads.revision == expected_revision)
        was = self._connection.execute(select(_heads.status).where(*expected)).scalar_one_or_none()
        changed = self._connection.execute(update(experiments).where(*expected).values(_head_values(experiment)))
        if changed.rowcount != 1:
            raise self._refusal(key)
        self._write_version(experiment, rewrite=was == Status.DRAFT)

    def _refusal(self, key: str) -> DomainError:
        found = self._connection.execute(select(_heads.key).where(_heads.key == key)).one_or_none()
        return NotFound("experiment", key) if found is None else RevisionMismatch("experiment", key)

    def _write_version(self, experiment: Experiment, *, rewrite: bool) -> None:
        values = _version_values(experiment)
        if insert_new(self._connection, experiment_versions, values) or not rewrite:
            return
        same = (_versions.experiment_key == experiment.key, _versions.number == experiment.current.number)
        self._connection.execute(update(experiment_versions).where(*same).values(values))

    def versions(self, key: str) -> tuple[Version, ...]:
        rows = self._connection.execute(
            select(experiment_versions).where(_versions.experiment_key == key).order_by(_versions.number)
        )
        found = tuple(_version(row) for row in rows)
        if not found:
            raise NotFound("experiment", key)
        return found

    def version(self, key: str, number: int) -> Version:
        found = select(experiment_versions).where(_versions.experiment_key == key, _versions.number == number)
        row = self._connection.execute(found).one_or_none() if storable_number(number) else None
        if row is None:
            raise NotFound("version", f"{key}/{number}")
        return _version(row)

    def page(self, *, after: str | None, limit: int, status: Status | None = None) -> Page[Experiment]:
        wanted = _current.order_by(_heads.key).limit(limit + 1)
        if (key := after_key(after)) is not None:
            wanted = wanted.where(_heads.key > key)
        if status is not None:
            wanted = wanted.where(_heads.status == status)
        return cut(self._connection.execute(wanted).all(), limit, _experiment, lambda row: row.key)

    def with_status(self, statuses: Collection[Status]) -> tuple[Experiment, ...]:
        wanted: Select[Any] = _current.where(_heads.status.in_(sorted(statuses))).order_by(_heads.key)
        return tuple(_experiment(row) for row in self._connection.execute(wanted))

    def keys(self) -> tuple[str, ...]:
        return tuple(self._connection.execute(select(_heads.key).order_by(_heads.key)).scalars())


def _head_values(experiment: Experiment) -> dict[str, Any]:
    return {
        "key": experiment.key,
        "status": experiment.status,
        "version": experiment.current.number,
        "epoch": experiment.current.epoch,
        "revision": experiment.revision,
        "created_at": experiment.created_at,
        "updated_at": experiment.updated_at,
        "started_at": experiment.started_at,
        "stopped_at": experiment.stopped_at,
    }


def _version_values(experiment: Experiment) -> dict[str, Any]:
    version = experiment.current
    return {
        "experiment_key": experiment.key,
        "number": version.number,
        "epoch": version.epoch,
        "paused": version.paused,
        "document": definition_to_document(version.definition),
        "created_at": version.created_at,
        "created_by": version.created_by,
    }


def _experiment(row: Row[Any]) -> Experiment:
    current = Version(
        number=row.version,
        epoch=row.epoch,
        definition=definition_from_document(row.document),
        created_at=row.version_created_at,
        created_by=row.version_created_by,
        paused=row.paused,
    )
    return Experiment(
        status=Status(row.status),
        current=current,
        revision=row.revision,
        created_at=row.created_at,
        updated_at=row.updated_at,
        started_at=row.started_at,
        stopped_at=row.stopped_at,
    )


def _version(row: Row[Any]) -> Version:
    return Version(
        number=row.number,
        epoch=row.epoch,
        definition=definition_from_document(row.document),
        created_at=row.created_at,
        created_by=row.created_by,
        paused=row.paused,
    )
