"""Studies and imported lists in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from experiments.domain.errors import NotFound, RevisionMismatch
from experiments.domain.study import Adoption, Study, StudyKind
from experiments.services.paging import Page
from experiments.services.studies.ports import ImportedList
from experiments.storage.columns import storable_number
from experiments.storage.paging import after_key, before_id, cut
from experiments.storage.statements import insert_for, insert_new
from experiments.storage.studies.tables import adoptions, imported_lists, studies

_columns = studies.c
_adopted = adoptions.c


class SqlStudyStore:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, study: Study) -> None:
        values = {
            "kind": study.kind.value,
            "name": study.name,
            "version": study.version,
            "made_at": study.made_at,
            "made_by": study.made_by,
            "document": dict(study.document),
        }
        if not insert_new(self._connection, studies, values):
            raise RevisionMismatch(study.kind.value, study.name)

    def get(self, kind: StudyKind, name: str, version: int | None = None) -> Study:
        wanted = _named(kind, name).order_by(_columns.version.desc()).limit(1)
        if version is not None:
            wanted = wanted.where(_columns.version == (version if storable_number(version) else 0))
        row = self._connection.execute(wanted).one_or_none()
        if row is None:
            raise NotFound(kind.value, name)
        return _study(row)

    def page(self, kind: StudyKind, *, after: str | None, limit: int) -> Page[Study]:
        newest = select(_columns.name, func.max(_columns.version).label("version")).where(_columns.kind == kind.value)
        if (name := after_key(after)) is not None:
            newest = newest.where(_columns.name > name)
        chosen = newest.group_by(_columns.name).order_by(_columns.name).limit(limit + 1).subquery()
        same = (_columns.name == chosen.c.name) & (_columns.version == chosen.c.version)
        wanted = select(studies).join(chosen, same).where(_columns.kind == kind.value).order_by(_columns.name)
        return cut(self._connection.execute(wanted).all(), limit, _study, lambda row: row.name)

    def versions(self, kind: StudyKind, name: str, *, after: str | None, limit: int) -> Page[Study]:
        below = _named(kind, name).where(_columns.version < before_id(after))
        rows = self._connection.execute(below.order_by(_columns.version.desc()).limit(limit + 1)).all()
        return cut(rows, limit, _study, lambda row: row.version)

    def adopt(self, adoption: Adoption) -> None:
        insert = insert_for(self._connection, adoptions)
        new = {column.name: insert.excluded[column.name] for column in _adopted if not column.primary_key}
        self._connection.execute(
            insert.values(
                segment=adoption.segment,
                kind=adoption.kind.value,
                name=adoption.name,
                version=adoption.version,
                group_key=adoption.group,
                adopted_at=adoption.adopted_at,
                adopted_by=adoption.adopted_by,
            ).on_conflict_do_update(index_elements=["segment"], set_=new)
        )

    def adoption(self, segment: str) -> Adoption | None:
        row = self._connection.execute(select(adoptions).where(_adopted.segment == segment)).one_or_none()
        return None if row is None else _adoption(row)

    def adoptions(self, kind: StudyKind, name: str) -> tuple[Adoption, ...]:
        own = select(adoptions).where(_adopted.kind == kind.value, _adopted.name == name)
        return tuple(_adoption(row) for row in self._connection.execute(own.order_by(_adopted.segment)))


def _named(kind: StudyKind, name: str) -> Select[Any]:
    return select(studies).where(_columns.kind == kind.value, _columns.name == name)


def _study(row: Row[Any]) -> Study:
    return Study(
        kind=StudyKind(row.kind),
        name=row.name,
        version=row.version,
        made_at=row.made_at,
        made_by=row.made_by,
        document=row.document,
    )


def _adoption(row: Row[Any]) -> Adoption:
    return Adoption(
        segment=row.segment,
        kind=StudyKind(row.kind),
        name=row.name,
        version=row.version,
        group=row.group_key,
        adopted_at=row.adopted_at,
        adopted_by=row.adopted_by,
    )


class SqlListStore:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, key: str) -> ImportedList | None:
        return self._read(select(imported_lists).where(imported_lists.c.key == key))

    def take(self, key: str) -> ImportedList | None:
        return self._read(select(imported_lists).where(imported_lists.c.key == key).with_for_update())

    def _read(self, wanted: Select[Any]) -> ImportedList | None:
        row = self._connection.execute(wanted).one_or_none()
        return None if row is None else ImportedList(**row._mapping)

    def put(self, imported: ImportedList) -> None:
        columns = imported_lists.c
        values = {column.name: getattr(imported, column.name) for column in columns}
        insert = insert_for(self._connection, imported_lists).values(values)
        new = {column.name: insert.excluded[column.name] for column in columns if not column.primary_key}
        self._connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_=new))
