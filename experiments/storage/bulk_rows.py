"""Many rows at once, in the driver's own words: what SQLAlchemy does per row is most of the time of a large batch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

import psycopg
from psycopg import sql
from sqlalchemy import JSON, Column, Connection, Dialect, Table

from experiments.domain.errors import RowsRefused
from experiments.storage.columns import Instant, instant_of, storable_text
from experiments.storage.driver_errors import driver_errors

_PARTS, _NULL = "\x1f", "\x1d"
COPIED_ROWS = 200
"""So many are copied into a stage on PostgreSQL; fewer are sent as arrays, which is one statement."""
READ_AT_ONCE = 500
"""Keys that one statement names on SQLite; PostgreSQL takes all of them as one array."""


def upsert(connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]]) -> None:
    """Insert rows, or replace those with the same key, which is the table's one column of a primary key.

    `columns`: all of the table's, the key first, of equal length; keys distinct, values as in Python, JSON as text.
    """
    ready = [_driver_values(connection, table, name, values) for name, values in columns.items()]
    names = tuple(columns)
    if connection.dialect.name != "postgresql":
        rows = sorted(zip(*ready, strict=True), key=_in_order)
        connection.exec_driver_sql(_values_sql(table, names), rows)
    elif len(ready[0]) < COPIED_ROWS:
        connection.exec_driver_sql(_unnest_sql(table, names, connection.dialect), tuple(ready))
    else:
        made, moved, emptied = _stage_sql(table, names)
        connection.exec_driver_sql(made)
        _copy(connection, f"{table.name}_stage", columns)
        connection.exec_driver_sql(moved)
        connection.exec_driver_sql(emptied)


def _in_order(row: Sequence[Any]) -> str:
    """Of its key, so that each page of the index is touched once a batch."""
    return row[0] or ""


def insert_new_rows(connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]]) -> None:
    """Insert rows of which none is there: the same as `upsert`, and quicker on PostgreSQL."""
    if connection.dialect.name == "postgresql":
        _copy(connection, table.name, columns)
    else:
        upsert(connection, table, columns)


def _copy(connection: Connection, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
    """Ids and JSON hold no line breaks and no tabs; backslashes are doubled in all of it at once."""
    lines = "\n".join(map("\t".join, zip(*map(_copied, columns.values()), strict=True)))
    if not storable_text(lines):
        raise RowsRefused("A text cannot be stored.")
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (NULL {})").format(sql.Identifier(table), names, sql.Literal(_NULL))
    driver = cast(psycopg.Connection[Any], connection.connection.driver_connection)
    with driver_errors(connection), driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(lines.replace("\\", "\\\\"))


def _copied(values: Sequence[Any]) -> Sequence[str]:
    if isinstance(values[0], str):
        return values
    if values.count(values[0]) == len(values):
        return [_NULL if values[0] is None else str(values[0])] * len(values)
    return [_NULL if value is None else str(value) for value in values]


def set_column(connection: Connection, column: Column[Any], values: Mapping[str, Any]) -> None:
    """Change one column of the rows with these keys."""
    table = column.table
    assert isinstance(table, Table)
    keys = _driver_values(connection, table, _key(table), list(values))
    ready = _driver_values(connection, table, column.name, list(values.values()))
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_update_from_sql(table, column.name, connection.dialect), (keys, ready))
    else:
        statement = f"UPDATE {table.name} SET {column.name} = ? WHERE {_key(table)} = ?"
        connection.exec_driver_sql(statement, list(zip(ready, keys, strict=True)))


def rows_of(connection: Connection, table: Table, keys: Collection[str]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows with these keys, all columns in the order of the table, JSON as text."""
    wanted = list(keys) if storable_text("".join(keys)) else [key for key in keys if storable_text(key)]
    instants = [place for place, column in enumerate(table.c) if isinstance(column.type, Instant)]
    if not wanted:
        return
    if connection.dialect.name == "postgresql":
        yield from map(tuple, connection.exec_driver_sql(_any_sql(table), _one_text(wanted)).all())
        return
    wanted.sort()
    for start in range(0, len(wanted), READ_AT_ONCE):
        part = tuple(wanted[start : start + READ_AT_ONCE])
        for row in connection.exec_driver_sql(_in_sql(table, len(part)), part).all():
            values = list(row)
            for place in instants:
                values[place] = values[place] and instant_of(values[place])
            yield tuple(values)


def _one_text(keys: Sequence[str]) -> tuple[Any, Any]:
    """Return the keys as a text that the database parts, which is quicker to send, where no key holds what parts it."""
    text = _PARTS.join(keys)
    return (text, None) if text.count(_PARTS) == len(keys) - 1 else (None, list(keys))


def _driver_values(connection: Connection, table: Table, name: str, values: Sequence[Any]) -> Sequence[Any]:
    """What no database can hold becomes null, which no key can be (`columns.Key`)."""
    column = table.c[name]
    if column.primary_key:
        return [value if storable_text(value) else None for value in values]
    if isinstance(column.type, Instant) and connection.dialect.name != "postgresql":
        all_one = values.count(values[0]) == len(values)
        texts = [None if at is None else instant_text(at) for at in (values[:1] if all_one else values)]
        return texts * len(values) if all_one else texts
    return values


def instant_text(at: datetime) -> str:
    """Return the instant as SQLite keeps it."""
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone")
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return utc.isoformat(" ", "microseconds").removesuffix("+00:00")


@lru_cache
def _values_sql(table: Table, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) {_or_update(table)}"


@lru_cache
def _unnest_sql(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    arrays = ", ".join(_array(table, name, dialect) for name in names)
    return f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM unnest({arrays}) {_or_update(table)}"


@lru_cache
def _stage_sql(table: Table, names: tuple[str, ...]) -> tuple[str, str, str]:
    """Return how to make the stage of this connection, to move on from it, and to empty it."""
    stage, listed = f"{table.name}_stage", ", ".join(names)
    made = f"CREATE TEMP TABLE IF NOT EXISTS {stage} ON COMMIT DELETE ROWS AS SELECT * FROM {table.name} WITH NO DATA"
    moved = f"INSERT INTO {table.name} ({listed}) SELECT {listed} FROM {stage} {_or_update(table)}"
    return made, moved, f"TRUNCATE {stage}"


@lru_cache
def _update_from_sql(table: Table, name: str, dialect: Dialect) -> str:
    key = _key(table)
    news = f"unnest({_array(table, key, dialect)}, {_array(table, name, dialect)}) AS new (key, value)"
    return f"UPDATE {table.name} SET {name} = new.value FROM {news} WHERE {key} = new.key"


def _array(table: Table, name: str, dialect: Dialect) -> str:
    """Of the column's type, its order of texts left out."""
    return f"%s::{table.c[name].type.compile(dialect).partition(' COLLATE')[0]}[]"


def _or_update(table: Table) -> str:
    news = ", ".join(f"{column.name} = excluded.{column.name}" for column in table.c if not column.primary_key)
    return f"ON CONFLICT ({_key(table)}) DO UPDATE SET {news}"


@lru_cache
def _any_sql(table: Table) -> str:
    keys = f"coalesce(string_to_array(%s, '{_PARTS}'), %s::text[])"
    return f"SELECT {_selected(table, '::text')} FROM {table.name} WHERE {_key(table)} = ANY({keys})"


@lru_cache
def _in_sql(table: Table, keys: int) -> str:
    return f"SELECT {_selected(table, '')} FROM {table.name} WHERE {_key(table)} IN ({', '.join('?' * keys)})"


def _selected(table: Table, as_text: str) -> str:
    return ", ".join(f"{one.name}{as_text if isinstance(one.type, JSON) else ''}" for one in table.c)


def _key(table: Table) -> str:
    [key] = table.primary_key
    return key.name
