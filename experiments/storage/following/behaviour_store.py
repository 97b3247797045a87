"""What was counted of purchases, in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Select, func, select, update

from experiments.domain.purchases import CustomerState, Followed, Purchases
from experiments.storage.following.counted_rows import SqlCountedRows, lists_by_name, values_by_name
from experiments.storage.following.tables import behaviour, behaviour_followed

BATCH_ROWS = 10_000
_STATE = ("first_at", "last_at", "previous_at", "frequency", "unvalued", "monetary_cents")

_columns = behaviour.c
_NAMES = [column.name for column in _columns]
_COUNTS = ("frequency", "unvalued", "monetary_cents")
_FORECAST = "forecast"
"""Lies in the document of the cuts, which it was found with."""


class SqlBehaviourStore(SqlCountedRows[Purchases]):
    """Writers queue for the one row that says how far the log was followed."""

    _table = behaviour

    def followed(self) -> Followed:
        return self._read(select(behaviour_followed))

    def take(self) -> Followed:
        return self._read(select(behaviour_followed).with_for_update())

    def _read(self, wanted: Select[Any]) -> Followed:
        row = self._connection.execute(wanted).one()
        stored = dict(row.cuts or {})
        forecast = stored.pop(_FORECAST, None)
        cuts = values_by_name(stored) or None
        return Followed(
            names=tuple(row.names),
            event_id=row.event_id,
            cuts=cuts,
            cuts_at=row.cuts_at,
            cuts_customers=row.cuts_customers,
            forecast=forecast,
            identity_revision=row.identity_revision,
            may_say=values_by_name(row.may_say),
        )

    def advance(self, followed: Followed) -> None:
        cuts: dict[str, Any] | None = None
        if followed.cuts is not None:
            cuts = dict(lists_by_name(followed.cuts))
            if followed.forecast is not None:
                cuts[_FORECAST] = {name: dict(one) for name, one in followed.forecast.items()}
        self._connection.execute(
            update(behaviour_followed).values(
                names=list(followed.names),
                event_id=followed.event_id,
                cuts=cuts,
                cuts_at=followed.cuts_at,
                cuts_customers=followed.cuts_customers,
                identity_revision=followed.identity_revision,
                may_say=lists_by_name(followed.may_say),
            )
        )

    def restart(self, now: datetime) -> None:
        self._set_all(**dict.fromkeys(_COUNTS, 0), previous_at=None, due_at=now)

    def count(self, *, most: int) -> int:
        some = select(_columns.unit_id).where(_columns.frequency > 0).limit(most).subquery()
        number: int = self._connection.execute(select(func.count()).select_from(some)).scalar_one()
        return number

    def numbers(self) -> Iterator[Sequence[tuple[datetime, int, int]]]:
        wanted = select(_columns.last_at, _columns.frequency, _columns.monetary_cents).where(_columns.frequency > 0)
        result = self._connection.execute(wanted, execution_options={"yield_per": BATCH_ROWS})
        for batch in result.partitions():
            yield [(last_at, frequency, cents) for last_at, frequency, cents in batch]

    def states(self) -> Iterator[Sequence[CustomerState]]:
        wanted = select(*(_columns[name] for name in _STATE)).where(_columns.frequency > 0)
        result = self._connection.execute(wanted, execution_options={"yield_per": BATCH_ROWS})
        for batch in result.partitions():
            yield [tuple(row) for row in batch]

    def _values(self, rows: Sequence[Purchases]) -> Mapping[str, Sequence[Any]]:
        return {name: list(map(attrgetter(name), rows)) for name in _NAMES}

    def _row(self, values: Sequence[Any]) -> Purchases:
        return Purchases.of(values)
