"""Drift in SQL."""

from __future__ import annotations

from sqlalchemy import Connection, select

from experiments.services.drift.ports import Drift
from experiments.storage.results.tables import drifts
from experiments.storage.statements import insert_for

_columns = drifts.c


class SqlDriftStore:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, drift: Drift) -> None:
        insert = insert_for(self._connection, drifts)
        new = {name: insert.excluded[name] for name in ("computed_at", "document")}
        self._connection.execute(
            insert.on_conflict_do_update(index_elements=["experiment_key", "snapshot_id"], set_=new),
            {
                "experiment_key": drift.experiment,
                "snapshot_id": drift.snapshot_id,
                "computed_at": drift.computed_at,
                "document": dict(drift.document),
            },
        )

    def latest(self, experiment: str) -> Drift | None:
        wanted = select(drifts).where(_columns.experiment_key == experiment).order_by(_columns.snapshot_id.desc())
        row = self._connection.execute(wanted.limit(1)).one_or_none()
        if row is None:
            return None
        return Drift(
            experiment=row.experiment_key,
            snapshot_id=row.snapshot_id,
            computed_at=row.computed_at,
            document=row.document,
        )
