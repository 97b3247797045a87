"""Old rows of the log in SQL: found by going through ids, as no index knows when rows occurred."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, or_, select

from experiments.domain.retention import Needed
from experiments.storage.log.tables import events, exposures


class SqlAgedRows:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def exposures(self, before: datetime, needed: Needed, *, above: int, upto: int) -> Sequence[tuple[int, str]]:
        key = exposures.c.experiment_key
        free = key.not_in(sorted(needed.experiments))
        return self._old(exposures, key, free, _between(exposures, before, above, upto))

    def events(self, before: datetime, needed: Needed, *, above: int, upto: int) -> Sequence[tuple[int, str]]:
        name, at = events.c.name, events.c.occurred_at
        early = (and_(name == one, at < since) for one, since in needed.names.items() if since is not None)
        free = or_(name.not_in(sorted(needed.names)), *early)
        return self._old(events, name, free, _between(events, before, above, upto))

    def _old(
        self, table: Table, what: ColumnElement[Any], *conditions: ColumnElement[bool]
    ) -> Sequence[tuple[int, str]]:
        old = select(table.c.id, what).where(*conditions).order_by(table.c.id)
        return [(number, name) for number, name in self._connection.execute(old)]


def _between(table: Table, before: datetime, above: int, upto: int) -> ColumnElement[bool]:
    return and_(table.c.id > above, table.c.id <= upto, table.c.occurred_at < before)
