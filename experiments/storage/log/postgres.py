"""The log on PostgreSQL, where an id is drawn before its row becomes visible."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import psycopg
from psycopg import sql
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Connection,
    DateTime,
    Double,
    Engine,
    Table,
    Text,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.types import TypeEngine

from experiments.storage.columns import Instant, Key
from experiments.storage.customers.consent_store import SqlConsentStore
from experiments.storage.driver_errors import driver_errors
from experiments.storage.log.event_log import SqlEventLog, newest_ids
from experiments.storage.log_lock import join_writers, stop_writers

_WATERMARK_WAIT = "2s"


class PostgresEventLog(SqlEventLog):
    """`fence` opens the short transactions that wait for writers; `renew`: the unit of work sees one fixed state."""

    def __init__(self, connection: Connection, consents: SqlConsentStore, *, fence: Engine, renew: bool) -> None:
        super().__init__(connection, consents)
        self._fence = fence
        self._renew = renew

    def _insert_new(self, table: Table, rows: list[dict[str, Any]]) -> frozenset[str]:
        arrays = {name: [row[name] for row in rows] for name in rows[0]}
        return frozenset(self._connection.execute(_insert_arrays(table), arrays).scalars())

    def _load(self, table: Table, columns: Sequence[str], data: bytes) -> None:
        """Copy into a stage of this connection, and insert from there in the order of event ids, as `_insert_new`.

        Of rows with one id the first that came is stored: the stage is empty before, so its rows lie as they came.
        """
        made, copied, moved = _stage_statements(table.name, tuple(columns))
        driver = cast(psycopg.Connection[Any], self._connection.connection.driver_connection)
        with driver_errors(self._connection), driver.cursor() as cursor:
            cursor.execute(made)
            with cursor.copy(copied) as copy:
                copy.write(data)
            cursor.execute(moved)

    def _settled_ids(self) -> tuple[int, int]:
        """Wait until nobody is appending, read the ids, and let everybody go on.

        Whoever appends afterwards draws higher ids. New writers queue behind the wait, which is why it is bounded.
        """
        with self._fence.begin() as fence:
            fence.execute(select(func.set_config("lock_timeout", _WATERMARK_WAIT, True)))
            stop_writers(fence)
            ids = newest_ids(fence)
        if self._renew:
            self._connection.rollback()  # the state seen so far may be older than the ids
        return ids

    def _join_writers(self) -> None:
        join_writers(self._connection)


@cache
def _insert_arrays(table: Table) -> ReturningInsert[str]:
    """Build the insert of a batch given as one array per column: one statement, one plan, whatever its size.

    All writers insert in the order of event ids, so two with the same ids wait for each other without a deadlock.
    """
    names = [column.name for column in table.c if column.name != "id"]
    arrays = [bindparam(name, type_=ARRAY(_plain(table.c[name].type))) for name in names]
    new = func.unnest(*arrays).table_valued(*names).render_derived(name="new")
    ordered = select(*(new.c[name] for name in names)).order_by(new.c.event_id)
    statement = insert(table).from_select(names, ordered)
    return statement.on_conflict_do_nothing(index_elements=["event_id"]).returning(table.c.event_id)


def _plain(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type as an array's element."""
    plain: dict[type[TypeEngine[Any]], TypeEngine[Any]] = {
        Key: Text(),
        Instant: DateTime(timezone=True),
        BigInteger: BigInteger(),
        Boolean: Boolean(),
        Double: Double(),
    }
    return plain[type(type_)]


@cache
def _stage_statements(table: str, columns: tuple[str, ...]) -> tuple[sql.Composed, sql.Composed, sql.Composed]:
    """Return how to make the stage, to copy into it, and to insert from it."""
    names = {
        "table": sql.Identifier(table),
        "stage": sql.Identifier(f"{table}_stage"),
        "columns": sql.SQL(", ").join(map(sql.Identifier, columns)),
    }
    made = "CREATE TEMP TABLE IF NOT EXISTS {stage} ON COMMIT DELETE ROWS AS SELECT {columns} FROM {table} WITH NO DATA"
    moved = (
        "INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage} ORDER BY event_id, ctid "
        "ON CONFLICT (event_id) DO NOTHING"
    )
    return (
        sql.SQL(made).format(**names),
        sql.SQL("COPY {stage} ({columns}) FROM STDIN").format(**names),
        sql.SQL(moved).format(**names),
    )
