"""The log on SQLite: writers take turns, so ids become visible in their order by themselves."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects.sqlite import insert

from experiments.storage.event_log import SqlEventLog, newest_ids


class SqliteEventLog(SqlEventLog):
    def _insert_new(self, table: Table, rows: list[dict[str, Any]]) -> frozenset[str]:
        statement = insert(table).on_conflict_do_nothing(index_elements=["event_id"]).returning(table.c.event_id)
        return frozenset(self._connection.execute(statement, rows).scalars())

    def _settled_ids(self) -> tuple[int, int]:
        return newest_ids(self._connection)

    def _take_time(self) -> None:
        """SQLite limits waiting only, not working."""
