"""Rows of what was counted of units, each due at some instant, in SQL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import JSON, Connection, Table, Text, cast, delete, select, update

from experiments.storage.bulk_rows import READ_AT_ONCE, rows_of, set_column, upsert
from experiments.storage.statements import take_time

Row = TypeVar("Row")


class SqlCountedRows(ABC, Generic[Row]):
    """The table has columns `unit_id`, its key, and `due_at`."""

    _table: ClassVar[Table]

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @abstractmethod
    def _row(self, values: Sequence[Any]) -> Row:
        """Return the row of all columns in the order of the table, JSON as text."""

    @abstractmethod
    def _values(self, rows: Sequence[Row]) -> Mapping[str, Sequence[Any]]:
        """Return all columns in the order of the table, JSON as text."""

    def some(self, unit_ids: Collection[str]) -> Mapping[str, Row]:
        return {row[0]: self._row(row) for row in rows_of(self._connection, self._table, unit_ids)}

    def put(self, rows: Sequence[Row]) -> None:
        if rows:
            upsert(self._connection, self._table, self._values(rows))

    def postpone(self, due: Mapping[str, datetime]) -> None:
        if due:
            set_column(self._connection, self._table.c.due_at, due)

    def make_all_due(self, now: datetime) -> None:
        self._set_all(due_at=now)

    def _set_all(self, **values: Any) -> None:
        take_time(self._connection)
        self._connection.execute(update(self._table).values(**values))

    def remove(self, unit_ids: Collection[str]) -> None:
        for part in _parts(unit_ids):
            self._connection.execute(delete(self._table).where(self._table.c.unit_id.in_(part)))

    def due(self, now: datetime, *, most: int) -> tuple[Row, ...]:
        columns = (cast(one, Text) if isinstance(one.type, JSON) else one for one in self._table.c)
        due_at = self._table.c.due_at
        wanted = select(*columns).where(due_at <= now).order_by(due_at).limit(most)
        return tuple(self._row(row) for row in self._connection.execute(wanted))


def values_by_name(stored: Mapping[str, Sequence[Any]]) -> dict[str, tuple[Any, ...]]:
    """Read what `lists_by_name` writes."""
    return {name: tuple(values) for name, values in stored.items()}


def lists_by_name(values: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    return {name: list(one) for name, one in values.items()}


def _parts(unit_ids: Collection[str]) -> Iterator[list[str]]:
    wanted = list(unit_ids)
    for start in range(0, len(wanted), READ_AT_ONCE):
        yield wanted[start : start + READ_AT_ONCE]
