"""The log on SQLite: writers take turns, so ids become visible in their order by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DataError, IntegrityError

from experiments.domain.errors import RowsRefused
from experiments.services.recording.lines import cells_in, rows_in
from experiments.storage.log.event_log import SqlEventLog, newest_ids

STATEMENT_ROWS = 500
"""Rows of one statement: cheaper than a statement each, and a driver lets other threads in between two statements."""


class SqliteEventLog(SqlEventLog):
    def _insert_new(self, table: Table, rows: list[dict[str, Any]]) -> frozenset[str]:
        statement = insert(table).on_conflict_do_nothing(index_elements=["event_id"]).returning(table.c.event_id)
        return frozenset(self._connection.execute(statement, rows).scalars())

    def _load(self, table: Table, columns: Sequence[str], data: bytes) -> None:
        """Insert the first row of each id, in their order: each page of the index is touched once a batch."""
        try:
            first = {row[: row.index("\t")]: row for row in reversed(rows_in(data))}
            rows = [first[event_id] for event_id in sorted(first)]
            for start in range(0, len(rows), STATEMENT_ROWS):
                some = rows[start : start + STATEMENT_ROWS]
                statement = _insert_sql(table.name, tuple(columns), len(some))
                self._connection.exec_driver_sql(statement, tuple(cells_in(some, columns)))
        except (DataError, IntegrityError, ValueError) as error:
            raise RowsRefused(str(error).partition("\n")[0]) from None

    def _settled_ids(self) -> tuple[int, int]:
        return newest_ids(self._connection)

    def _join_writers(self) -> None:
        """Who writes is alone already."""


@lru_cache(maxsize=4)
def _insert_sql(table: str, columns: tuple[str, ...], rows: int) -> str:
    """Return the statement in the driver's own words."""
    row = f"({', '.join('?' * len(columns))})"
    values = ", ".join([row] * rows)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values} ON CONFLICT (event_id) DO NOTHING"
