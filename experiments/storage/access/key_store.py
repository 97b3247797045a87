"""API keys in SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from experiments.domain.errors import AlreadyExists, NotFound
from experiments.services.paging import Page
from experiments.services.ports import ApiKey
from experiments.storage.access.tables import api_keys
from experiments.storage.paging import after_key, cut
from experiments.storage.statements import insert_new

_columns = api_keys.c


class SqlKeyStore:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, key: ApiKey) -> None:
        if not insert_new(self._connection, api_keys, _values(key)):
            raise AlreadyExists("api_key", key.id)

    def get(self, key_id: str) -> ApiKey:
        return self._one(select(api_keys).where(_columns.id == key_id), key_id)

    def revoke(self, key_id: str, *, now: datetime) -> ApiKey:
        first = func.coalesce(_columns.revoked_at, now, type_=_columns.revoked_at.type)
        revoked = update(api_keys).where(_columns.id == key_id).values(revoked_at=first).returning(api_keys)
        return self._one(revoked, key_id)

    def page(self, *, after: str | None, limit: int) -> Page[ApiKey]:
        wanted = select(api_keys).order_by(_columns.id).limit(limit + 1)
        if (key := after_key(after)) is not None:
            wanted = wanted.where(_columns.id > key)
        return cut(self._connection.execute(wanted).all(), limit, _api_key, lambda row: row.id)

    def _one(self, statement: Any, key_id: str) -> ApiKey:
        row = self._connection.execute(statement).one_or_none()
        if row is None:
            raise NotFound("api_key", key_id)
        return _api_key(row)


def _values(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "secret_sha256": key.secret_sha256,
        "scopes": sorted(key.scopes),
        "tags": sorted(key.tags),
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
    }


def _api_key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        secret_sha256=row.secret_sha256,
        scopes=frozenset(row.scopes),
        tags=frozenset(row.tags),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
