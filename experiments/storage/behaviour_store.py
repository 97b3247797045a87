"""What was found by following the log, in SQL."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, select, update

from experiments.domain.purchases import Followed, Purchases
from experiments.storage.profile_store import READ_AT_ONCE
from experiments.storage.statements import insert_for
from experiments.storage.tables import behaviour, behaviour_followed

BATCH_ROWS = 10_000

_columns = behaviour.c
_NAMES = [column.name for column in _columns]
_COUNTS = ("frequency", "unvalued", "monetary_cents")


class SqlBehaviourStore:
    """Writers queue for the one row that says how far the log was followed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def followed(self) -> Followed:
        return self._read(select(behaviour_followed))

    def take(self) -> Followed:
        return self._read(select(behaviour_followed).with_for_update())

    def _read(self, wanted: Select[Any]) -> Followed:
        row = self._connection.execute(wanted).one()
        cuts = None if row.cuts is None else {name: tuple(ends) for name, ends in row.cuts.items()}
        return Followed(
            names=tuple(row.names),
            event_id=row.event_id,
            cuts=cuts,
            cuts_at=row.cuts_at,
            cuts_customers=row.cuts_customers,
            identity_revision=row.identity_revision,
        )

    def advance(self, followed: Followed) -> None:
        cuts = None if followed.cuts is None else {name: list(ends) for name, ends in followed.cuts.items()}
        self._connection.execute(
            update(behaviour_followed).values(
                names=list(followed.names),
                event_id=followed.event_id,
                cuts=cuts,
                cuts_at=followed.cuts_at,
                cuts_customers=followed.cuts_customers,
                identity_revision=followed.identity_revision,
            )
        )

    def some(self, unit_ids: Collection[str]) -> Mapping[str, Purchases]:
        found = {}
        for part in _parts(unit_ids):
            for row in self._connection.execute(select(behaviour).where(_columns.unit_id.in_(part))):
                found[row.unit_id] = _purchases(row)
        return found

    def put(self, rows: Sequence[Purchases]) -> None:
        if not rows:
            return
        insert = insert_for(self._connection, behaviour)
        new = {name: insert.excluded[name] for name in _NAMES if name != "unit_id"}
        values = [{name: getattr(row, name) for name in _NAMES} for row in rows]
        self._connection.execute(insert.on_conflict_do_update(index_elements=["unit_id"], set_=new), values)

    def remove(self, unit_ids: Collection[str]) -> None:
        for part in _parts(unit_ids):
            self._connection.execute(delete(behaviour).where(_columns.unit_id.in_(part)))

    def due(self, now: datetime, *, most: int) -> tuple[Purchases, ...]:
        wanted = select(behaviour).where(_columns.due_at <= now).order_by(_columns.due_at, _columns.unit_id)
        return tuple(_purchases(row) for row in self._connection.execute(wanted.limit(most)))

    def make_all_due(self, now: datetime) -> None:
        self._connection.execute(update(behaviour).values(due_at=now))

    def restart(self, now: datetime) -> None:
        self._connection.execute(update(behaviour).values(**dict.fromkeys(_COUNTS, 0), previous_at=None, due_at=now))

    def count(self, *, most: int) -> int:
        some = select(_columns.unit_id).where(_columns.frequency > 0).limit(most).subquery()
        number: int = self._connection.execute(select(func.count()).select_from(some)).scalar_one()
        return number

    def numbers(self) -> Iterator[Sequence[tuple[datetime, int, int]]]:
        wanted = select(_columns.last_at, _columns.frequency, _columns.monetary_cents).where(_columns.frequency > 0)
        result = self._connection.execute(wanted, execution_options={"yield_per": BATCH_ROWS})
        for batch in result.partitions():
            yield [(last_at, frequency, cents) for last_at, frequency, cents in batch]


def _parts(unit_ids: Collection[str]) -> Iterator[list[str]]:
    wanted = list(unit_ids)
    for start in range(0, len(wanted), READ_AT_ONCE):
        yield wanted[start : start + READ_AT_ONCE]


def _purchases(row: Row[Any]) -> Purchases:
    return Purchases(**dict(zip(_NAMES, row, strict=True)))
