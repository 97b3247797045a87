"""The log on SQLite: writers take turns, so ids become visible in their order by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DataError, IntegrityError

from experiments.domain.errors import RowsRefused
from experiments.services.recording.lines import event_values, exposure_values, id_of, rows_in
from experiments.storage.log import tables
from experiments.storage.log.event_log import SqlEventLog, newest_ids

STATEMENT_ROWS = 500
"""Rows of one statement: cheaper than a statement each, and a driver lets other threads in between two statements."""


class SqliteEventLog(SqlEventLog):
    def _insert_new(self, table: Table, rows: list[dict[str, Any]]) -> frozenset[str]:
        statement = insert(table).on_conflict_do_nothing(index_elements=["event_id"]).returning(table.c.event_id)
        return frozenset(self._connection.execute(statement, rows).scalars())

    def _load(self, table: Table, columns: Sequence[str], data: bytes) -> None:
        """Insert in the order of event ids: each page of their index is touched once a batch, not once a row."""
        try:
            rows = sorted(rows_in(data), key=id_of)
            for start in range(0, len(rows), STATEMENT_ROWS):
                some = rows[start : start + STATEMENT_ROWS]
                part = event_values(some) if table is tables.events else exposure_values(some)
                statement = _insert_sql(table.name, tuple(columns), len(part))
                self._connection.exec_driver_sql(statement, tuple(chain.from_iterable(part)))
        except (DataError, IntegrityError, ValueError) as error:
            raise RowsRefused(str(error).partition("\n")[0]) from None

    def _settled_ids(self) -> tuple[int, int]:
        return newest_ids(self._connection)

    def _join_writers(self) -> None:
        """Who writes is alone already."""

    def _take_time(self) -> None:
        """SQLite limits waiting only, not working."""


@lru_cache(maxsize=4)
def _insert_sql(table: str, columns: tuple[str, ...], rows: int) -> str:
    """Return the statement in the driver's own words."""
    row = f"({', '.join('?' * len(columns))})"
    values = ", ".join([row] * rows)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values} ON CONFLICT (event_id) DO NOTHING"
