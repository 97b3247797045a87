"""Who is who, in SQL."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, delete, exists, insert, select, update

from experiments.domain.identity import Identity
from experiments.services.identity.ports import IdentityChanges
from experiments.storage.columns import storable_number
from experiments.storage.customers.tables import identities, identity_revision

READ_AT_ONCE = 500
"""Units named in one statement."""
BATCH_ROWS = 10_000

_columns = identities.c


class SqlIdentityStore:
    """Writers queue for the row of the counter before they look at what they decide about.

    So of two that join the same ids one sees what the other did, and revisions are committed in their order: who has
    seen one has missed none below. `exposures`: a table of the log, which stands above and knows this module.
    """

    def __init__(self, connection: Connection, exposures: Table) -> None:
        self._connection = connection
        self._exposures = exposures

    def get(self, unit_id: str) -> Identity | None:
        row = self._connection.execute(select(identities).where(_columns.unit_id == unit_id)).one_or_none()
        return None if row is None else _identity(row)

    def some(self, unit_ids: Collection[str]) -> Mapping[str, Identity]:
        wanted, found = list(unit_ids), {}
        for start in range(0, len(wanted), READ_AT_ONCE):
            named = _columns.unit_id.in_(wanted[start : start + READ_AT_ONCE])
            for row in self._connection.execute(select(identities).where(named)):
                found[row.unit_id] = _identity(row)
        return found

    def take(self) -> None:
        self._queue()

    def hold(self) -> None:
        """On SQLite whoever is going to write anything has held all others up already."""
        self._connection.execute(select(identity_revision.c.number).with_for_update())

    def of_person(self, person_id: str) -> tuple[Identity, ...]:
        wanted = select(identities).where(_columns.person_id == person_id).order_by(_columns.unit_id)
        return tuple(map(_identity, self._connection.execute(wanted)))

    def is_exposed(self, unit_id: str, experiments: Collection[str]) -> bool:
        rows = self._exposures.c
        found = exists().where(
            rows.unit_id == unit_id, rows.experiment_key.in_(sorted(experiments)), rows.forced.is_(False)
        )
        return bool(experiments) and bool(self._connection.execute(select(found)).scalar_one())

    def add(self, rows: Sequence[Identity]) -> None:
        revision = self._queue()
        values = [
            {
                "unit_id": one.unit_id,
                "person_id": one.person_id,
                "bucketed_as": one.bucketed_as,
                "linked_at": one.linked_at,
                "revision": revision,
            }
            for one in rows
        ]
        self._connection.execute(insert(identities), values)

    def remove(self, person_id: str) -> int:
        revision = self._queue()
        removed = self._connection.execute(delete(identities).where(_columns.person_id == person_id)).rowcount
        if removed:
            self._connection.execute(update(identity_revision).values(removed_at=revision))
        return removed

    def revision(self) -> int:
        number: int = self._connection.execute(select(identity_revision.c.number)).scalar_one()
        return number

    def changed_since(self, revision: int, *, most: int) -> IdentityChanges:
        present, removed_at = self._connection.execute(
            select(identity_revision.c.number, identity_revision.c.removed_at)
        ).one()
        if present == revision or not storable_number(revision):
            return IdentityChanges(revision=present, unit_ids=())
        if removed_at > revision:
            return IdentityChanges(revision=present, unit_ids=None)
        newer = select(_columns.unit_id).where(_columns.revision > revision).order_by(_columns.revision)
        found = self._connection.execute(newer.limit(most + 1)).scalars().all()
        return IdentityChanges(revision=present, unit_ids=tuple(found) if len(found) <= most else None)

    def added(self, *, above: int, upto: int) -> Sequence[Identity]:
        wanted = select(identities).where(_columns.revision > above, _columns.revision <= upto)
        return [_identity(row) for row in self._connection.execute(wanted.order_by(_columns.revision))]

    def exposed(self, experiment: str, *, exposure_id: int, revision: int) -> Iterator[Sequence[tuple[str, str]]]:
        rows = self._exposures.c
        shown = select(rows.unit_id).where(
            rows.experiment_key == experiment, rows.id <= exposure_id, rows.forced.is_(False)
        )
        wanted = select(_columns.unit_id, _columns.person_id).where(
            _columns.revision <= revision, _columns.person_id.in_(_persons(shown, revision))
        )
        result = self._connection.execute(
            wanted.order_by(_columns.unit_id), execution_options={"yield_per": BATCH_ROWS}
        )
        for batch in result.partitions():
            yield [(unit_id, person_id) for unit_id, person_id in batch]

    def _queue(self) -> int:
        """Take the counter's row until the end of the transaction, and return a revision that is ours alone."""
        counted = update(identity_revision).values(number=identity_revision.c.number + 1)
        number: int = self._connection.execute(counted.returning(identity_revision.c.number)).scalar_one()
        return number


def all_ids(units: Select[tuple[str]], revision: int) -> Select[tuple[str]]:
    """Select the ids of all persons of whom one id is among the units."""
    return select(_columns.unit_id).where(
        _columns.revision <= revision, _columns.person_id.in_(_persons(units, revision))
    )


def _persons(units: Select[Any], revision: int) -> Select[tuple[str]]:
    return select(_columns.person_id).where(_columns.revision <= revision, _columns.unit_id.in_(units))


def _identity(row: Row[Any]) -> Identity:
    return Identity(unit_id=row.unit_id, person_id=row.person_id, bucketed_as=row.bucketed_as, linked_at=row.linked_at)
