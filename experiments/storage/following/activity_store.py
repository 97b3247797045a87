"""How much units do, in SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, update

from experiments.domain.activity import UnitActivity
from experiments.domain.followed import Place
from experiments.storage.following.counted_rows import SqlCountedRows, lists_by_name, values_by_name
from experiments.storage.following.tables import activity, activity_followed


class SqlActivityStore(SqlCountedRows[UnitActivity]):
    """Writers queue for the one row that says how far the log was followed."""

    _table = activity

    def followed(self) -> Place:
        return self._read(select(activity_followed))

    def take(self) -> Place:
        return self._read(select(activity_followed).with_for_update())

    def _read(self, wanted: Select[Any]) -> Place:
        row = self._connection.execute(wanted).one()
        return Place(
            names=tuple(row.names),
            event_id=row.event_id,
            identity_revision=row.identity_revision,
            may_say=values_by_name(row.may_say),
        )

    def advance(self, followed: Place) -> None:
        self._connection.execute(
            update(activity_followed).values(
                names=list(followed.names),
                event_id=followed.event_id,
                identity_revision=followed.identity_revision,
                may_say=lists_by_name(followed.may_say),
            )
        )

    def restart(self, now: datetime) -> None:
        self._set_all(by_day={}, due_at=now)

    def _row(self, values: Sequence[Any]) -> UnitActivity:
        unit_id, by_day, due_at = values
        counts = {int(day): count for day, count in json.loads(by_day).items()}
        return UnitActivity(unit_id=unit_id, by_day=counts, due_at=due_at)

    def _values(self, rows: Sequence[UnitActivity]) -> Mapping[str, Sequence[Any]]:
        return {
            "unit_id": [row.unit_id for row in rows],
            "by_day": [_document(row.by_day) for row in rows],
            "due_at": [row.due_at for row in rows],
        }


def _document(by_day: Mapping[int, int]) -> str:
    return json.dumps(dict(sorted(by_day.items())), separators=(",", ":"))
