"""Leases in SQL: taken in one statement, so two can never hold the same one."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete

from experiments.services.ports import CLOCKS_APART
from experiments.storage.access.tables import leases
from experiments.storage.statements import insert_for

_columns = leases.c


class SqlLeaseStore:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def acquire(self, name: str, *, holder: str, now: datetime, ttl_seconds: int) -> bool:
        expires_at = now + timedelta(seconds=ttl_seconds)
        mine = {"holder": holder, "expires_at": expires_at}
        taken = insert_for(self._connection, leases).values(name=name, **mine)
        void = _columns.expires_at > expires_at + CLOCKS_APART
        free = (_columns.holder == holder) | (_columns.expires_at <= now) | void
        statement = taken.on_conflict_do_update(index_elements=["name"], set_=mine, where=free)
        return self._connection.execute(statement.returning(_columns.name)).one_or_none() is not None

    def release(self, name: str, *, holder: str) -> None:
        self._connection.execute(delete(leases).where(_columns.name == name, _columns.holder == holder))
