"""Who was erased, in SQL: digests alone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from experiments.domain.erasure import Erased, Erasure
from experiments.storage.customers.tables import erasure_salt, erasures
from experiments.storage.log_lock import stop_writers

_columns = erasures.c


class SqlErasureStore:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def salt(self) -> bytes:
        text: str = self._connection.execute(select(erasure_salt.c.salt)).scalar_one()
        return bytes.fromhex(text)

    def add(self, erasure: Erasure) -> None:
        """SQLite has one writer at a time; on PostgreSQL those who append have to have ended."""
        if self._connection.dialect.name == "postgresql":
            stop_writers(self._connection)
        self._connection.execute(
            insert(erasures).values(
                erasure_id=erasure.id,
                unit_digest=erasure.unit_digest,
                erased_at=erasure.erased_at,
                profile_revision=erasure.profile_revision,
            )
        )

    def number(self) -> int:
        number: int = self._connection.execute(select(func.coalesce(func.max(_columns.id), 0))).scalar_one()
        return number

    def latest(self) -> datetime | None:
        found: datetime | None = self._connection.execute(select(func.max(_columns.erased_at))).scalar_one()
        return found

    def since(self, instant: datetime | None) -> Erased:
        wanted = select(_columns.unit_digest, func.max(_columns.erased_at)).group_by(_columns.unit_digest)
        if instant is not None:
            wanted = wanted.where(_columns.erased_at >= instant)
        rows = self._connection.execute(wanted).all()
        return Erased(salt=self.salt(), at={row[0]: row[1] for row in rows})
