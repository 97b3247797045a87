"""Statements that several stores need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

LONG = "15min"


def take_time(connection: Connection) -> None:
    """Lift, until the end of the transaction, the limits that keep the statements of requests short.

    For what looks at a whole table. SQLite limits waiting only, not working.
    """
    if connection.dialect.name == "postgresql":
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(select(func.set_config(limit, LONG, True)))


def insert_for(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return the insert of the connection's database; both know ON CONFLICT."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def insert_new(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless one like it is there; say whether it was new. The transaction stays usable either way."""
    statement = insert_for(connection, table).values(values).on_conflict_do_nothing()
    return connection.execute(statement.returning(*table.primary_key)).one_or_none() is not None
