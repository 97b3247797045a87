"""Consent in SQL: digests alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from experiments.domain.consent import Consent, ConsentMode, ConsentState
from experiments.services.consent.picture import ConsentPicture, NotStored, not_stored, number_of
from experiments.services.consent.ports import ConsentChanges
from experiments.storage.customers.erasure_store import SqlErasureStore
from experiments.storage.customers.profile_queue import join_queue
from experiments.storage.customers.tables import consents
from experiments.storage.log_lock import stop_writers
from experiments.storage.statements import insert_for

READ_AT_ONCE = 5_000
"""Digests named in one statement, and read in one batch."""
GRANTS = {
    ConsentMode.ASSUMED: (ConsentState.GRANTED_AGAIN,),
    ConsentMode.REQUIRED: (ConsentState.GRANTED, ConsentState.GRANTED_AGAIN),
}
"""Grants before which nothing was to be stored."""
EXCEPTIONS = {
    ConsentMode.ASSUMED: (ConsentState.REFUSED,),
    ConsentMode.REQUIRED: (ConsentState.GRANTED, ConsentState.GRANTED_AGAIN),
}
"""What makes a unit unlike those that have said nothing."""

_columns = consents.c


class SqlConsentStore:
    """Refusals wait, on PostgreSQL, until those who append have ended: they look here after they have that lock.

    `picture` is that of the process, which each transaction that appends brings up to date.
    """

    def __init__(self, connection: Connection, picture: ConsentPicture, mode: ConsentMode) -> None:
        self._connection = connection
        self._picture = picture
        self.mode = mode

    def asks(self) -> bool:
        """Say whether rows have to be looked at before they are stored: one read of one row, where nothing changed."""
        self._picture.follow(self)
        return self._picture.is_asked or self._picture.latest_grant is not None

    def not_stored(self, unit_ids: Collection[str], oldest: datetime) -> NotStored:
        """Return of which of these units rows that were received at that instant or later are dropped."""
        latest, late = self._picture.latest_grant, {}
        if latest is not None and oldest < latest:
            wanted = select(_columns.unit_digest, _columns.since)
            newer = wanted.where(_columns.state.in_(GRANTS[self.mode]), _columns.since > oldest)
            late = {number_of(digest): since for digest, since in self._connection.execute(newer)}
        return not_stored(unit_ids, self._picture, late)

    def lacking(self, unit_ids: Collection[str]) -> frozenset[str]:
        self._picture.follow(self)
        if not self._picture.is_asked:
            return frozenset()
        return frozenset(unit_id for unit_id in unit_ids if self._picture.lacks(unit_id))

    def get(self, digest: str) -> Consent | None:
        return next(self._named(select(consents), [digest]), None)

    def some(self, unit_digests: Collection[str]) -> Mapping[str, Consent]:
        return {one.unit_digest: one for one in self._named(select(consents), list(unit_digests))}

    def to_change(self, unit_digests: Collection[str]) -> Mapping[str, Consent]:
        join_queue(self._connection)
        return self.some(unit_digests)

    def put(self, said: Sequence[Consent]) -> None:
        if not said:
            return
        revision = join_queue(self._connection)
        self._picture = ConsentPicture(self.mode)  # of this transaction alone: it may be rolled back
        if self._connection.dialect.name == "postgresql" and any(not one.granted for one in said):
            stop_writers(self._connection)
        insert = insert_for(self._connection, consents)
        new = {name: insert.excluded[name] for name in ("state", "said_at", "since", "said_by", "revision")}
        self._connection.execute(
            insert.on_conflict_do_update(index_elements=["unit_digest"], set_=new),
            [
                {
                    "unit_digest": one.unit_digest,
                    "state": one.state.value,
                    "said_at": one.said_at,
                    "since": one.since,
                    "said_by": one.said_by,
                    "revision": revision,
                }
                for one in said
            ],
        )

    def exceptions(self) -> Iterator[Sequence[str]]:
        for state in EXCEPTIONS[self.mode]:
            wanted = select(_columns.unit_digest).where(_columns.state == state).order_by(_columns.unit_digest)
            after = ""
            while (
                batch := self._connection.execute(wanted.where(_columns.unit_digest > after).limit(READ_AT_ONCE))
                .scalars()
                .all()
            ):
                yield batch
                after = batch[-1]

    def salt(self) -> bytes:
        return SqlErasureStore(self._connection).salt()

    def revision(self) -> int:
        number: int = self._connection.execute(select(func.coalesce(func.max(_columns.revision), 0))).scalar_one()
        return number

    def latest_grant(self) -> datetime | None:
        latest = (select(func.max(_columns.since)).where(_columns.state == state) for state in GRANTS[self.mode])
        found = (self._connection.execute(one).scalar_one() for one in latest)
        return max((since for since in found if since is not None), default=None)

    def changed_since(self, revision: int, *, most: int) -> ConsentChanges:
        newer = select(consents).where(_columns.revision > revision).order_by(_columns.revision).limit(most + 1)
        rows = self._connection.execute(newer).all()
        return ConsentChanges(
            revision=rows[-1].revision if rows else revision,
            said=tuple(map(_consent, rows)) if len(rows) <= most else None,
        )

    def _named(self, wanted: Select[Any], digests: Sequence[str]) -> Iterator[Consent]:
        for start in range(0, len(digests), READ_AT_ONCE):
            named = wanted.where(_columns.unit_digest.in_(digests[start : start + READ_AT_ONCE]))
            yield from map(_consent, self._connection.execute(named))


def _consent(row: Row[Any]) -> Consent:
    return Consent(
        unit_digest=row.unit_digest,
        state=ConsentState(row.state),
        said_at=row.said_at,
        since=row.since,
        said_by=row.said_by,
    )
