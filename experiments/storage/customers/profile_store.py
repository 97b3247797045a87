"""Profiles in SQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, select

from experiments.domain.profile import Profile
from experiments.services.profiles.ports import Compared, ProfileChanges, SaidAtOnce, StoredProfile
from experiments.storage.bulk_rows import insert_new_rows, rows_of, upsert
from experiments.storage.columns import storable_number
from experiments.storage.customers.profile_queue import join_queue
from experiments.storage.customers.tables import erasures, profile_revision, profiles
from experiments.storage.documents.registry import (
    new_documents,
    profile_from,
    said_documents,
    said_to_document,
    to_json,
)

_columns = profiles.c
_SAID = list(_columns.keys()).index("said")


class SqlProfileStore:
    """Writers queue for the row of the counter, before they read what they change.

    So revisions are committed in their order (who has seen one has missed none below), no statement of a source is lost
    to another source's, and batches that touch the same units in different orders cannot deadlock.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, unit_id: str) -> StoredProfile | None:
        row = self._connection.execute(select(profiles).where(_columns.unit_id == unit_id)).one_or_none()
        return None if row is None else _stored(row)

    def some(self, unit_ids: Collection[str]) -> Mapping[str, StoredProfile]:
        return {row[0]: _of_text(row) for row in rows_of(self._connection, profiles, unit_ids)}

    def to_change(self, unit_ids: Collection[str]) -> Mapping[str, StoredProfile]:
        self._queue()
        return self.some(unit_ids)

    def put(self, changed: Sequence[tuple[Profile, Mapping[str, Any]]], *, now: datetime) -> None:
        if not changed:
            return
        revision = self._queue()
        columns: dict[str, list[Any]] = {
            "unit_id": [profile.unit_id for profile, _ in changed],
            "attributes": [to_json(attributes) for _, attributes in changed],
            "said": [to_json(said_to_document(profile)) for profile, _ in changed],
            "revision": [revision] * len(changed),
            "updated_at": [now] * len(changed),
        }
        upsert(self._connection, profiles, columns)

    def to_compare(self, said: SaidAtOnce) -> Compared:
        """What is stored is compared as text, and read where the two differ: mostly they do not."""
        self._queue()
        rows = {row[0]: row for row in rows_of(self._connection, profiles, said.unit_ids)}
        held = [place for place, unit_id in enumerate(said.unit_ids) if unit_id in rows]
        texts = said_documents(said.of(held)) if held else []
        same = [place for place, text in zip(held, texts, strict=True) if rows[said.unit_ids[place]][_SAID] == text]
        for place in same:
            del rows[said.unit_ids[place]]
        return Compared(
            new=sorted(set(range(len(said.unit_ids))).difference(held)) if held else range(len(said.unit_ids)),
            same=same,
            others={unit_id: _of_text(row) for unit_id, row in rows.items()},
        )

    def add(self, new: SaidAtOnce, *, now: datetime) -> None:
        if not new.unit_ids:
            return
        revision = self._queue()
        attributes, said = new_documents(new)
        columns: dict[str, Sequence[Any]] = {
            "unit_id": new.unit_ids,
            "attributes": attributes,
            "said": said,
            "revision": [revision] * len(new.unit_ids),
            "updated_at": [now] * len(new.unit_ids),
        }
        insert_new_rows(self._connection, profiles, columns)

    def page(self, *, after: str | None, limit: int) -> Sequence[StoredProfile]:
        wanted = select(profiles).order_by(_columns.unit_id).limit(limit)
        if after is not None:
            wanted = wanted.where(_columns.unit_id > after)
        return [_stored(row) for row in self._connection.execute(wanted)]

    def erase(self, unit_id: str) -> tuple[int, int]:
        revision = self._queue()
        erased = self._connection.execute(delete(profiles).where(_columns.unit_id == unit_id))
        return erased.rowcount, revision

    def revision(self) -> int:
        number: int = self._connection.execute(select(profile_revision.c.number)).scalar_one()
        return number

    def changed_since(self, revision: int, *, most: int) -> ProfileChanges:
        present = self.revision()
        if present == revision or not storable_number(revision):
            return ProfileChanges(revision=present, unit_ids=())
        if self._connection.execute(select(exists().where(erasures.c.profile_revision > revision))).scalar_one():
            return ProfileChanges(revision=present, unit_ids=None)
        newer = select(_columns.unit_id).where(_columns.revision > revision).order_by(_columns.revision)
        found = self._connection.execute(newer.limit(most + 1)).scalars().all()
        return ProfileChanges(revision=present, unit_ids=tuple(found) if len(found) <= most else None)

    def _queue(self) -> int:
        return join_queue(self._connection)


def _stored(row: Row[Any]) -> StoredProfile:
    return StoredProfile(
        profile=profile_from(row.unit_id, row.said),
        attributes=row.attributes,
        revision=row.revision,
        updated_at=row.updated_at,
    )


def _of_text(row: tuple[Any, ...]) -> StoredProfile:
    unit_id, attributes, said, revision, updated_at = row
    return StoredProfile(
        profile=profile_from(unit_id, json.loads(said)),
        attributes=json.loads(attributes),
        revision=revision,
        updated_at=updated_at,
    )
