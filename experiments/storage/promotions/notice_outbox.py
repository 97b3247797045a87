"""The outbox in SQL: notices and their deliveries, claimed in one statement."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, exists, insert, select, update

from experiments.domain.delivery import EMAIL, MOST_DELAY, Delivery, DeliveryState, Letter, lease_end
from experiments.domain.errors import AlreadyExists, NotFound
from experiments.domain.notice import Notice, NoticeKind
from experiments.services.paging import Page
from experiments.services.ports import CLOCKS_APART
from experiments.storage.columns import storable_number
from experiments.storage.paging import before_id, cut
from experiments.storage.promotions.tables import deliveries, notices, webhooks
from experiments.storage.statements import insert_new

_columns = deliveries.c
_CHANGING = ("state", "attempts", "next_attempt_at", "last_status", "last_error", "updated_at")


class SqlNoticeOutbox:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, notice: Notice) -> None:
        wanted = select(webhooks.c.id, webhooks.c.kinds).where(webhooks.c.active).order_by(webhooks.c.id)
        targets = [row.id for row in self._connection.execute(wanted) if notice.kind in row.kinds]
        self._add(notice)
        self._connection.execute(insert(deliveries), [_new(notice, target) for target in (*targets, EMAIL)])

    def knows(self, notice_id: str) -> bool:
        return self._connection.execute(select(notices.c.id).where(notices.c.id == notice_id)).one_or_none() is not None

    def append_to(self, notice: Notice, target: str) -> Letter:
        self._add(notice)
        made = insert(deliveries).values(_new(notice, target)).returning(*_columns)
        return Letter(delivery=_delivery(self._connection.execute(made).one()), notice=notice)

    def claim(self, *, now: datetime, without: Collection[str] = ()) -> Letter | None:
        # A scalar subquery is evaluated once; PostgreSQL passes over rows that somebody else is claiming, and SQLite
        # has one writer at a time.
        void = _columns.next_attempt_at > now + MOST_DELAY + CLOCKS_APART
        due = (
            select(_columns.id)
            .where(_columns.state == DeliveryState.PENDING, (_columns.next_attempt_at <= now) | void)
            .where(_columns.target.not_in(sorted(without)))
            .order_by(_columns.attempts > 0, _columns.next_attempt_at, _columns.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        begun = {"attempts": _columns.attempts + 1, "next_attempt_at": lease_end(now)}
        claimed = update(deliveries).where(_columns.id == due).values(**begun).returning(_columns.id)
        row = self._connection.execute(claimed).one_or_none()
        return None if row is None else self.get(row.id)

    def get(self, delivery_id: int) -> Letter:
        found = None
        if storable_number(delivery_id):
            found = self._connection.execute(_letters().where(_columns.id == delivery_id)).one_or_none()
        if found is None:
            raise NotFound("delivery", str(delivery_id))
        return _letter(found)

    def change(self, before: Delivery, after: Delivery) -> bool:
        unchanged = (
            _columns.id == before.id,
            _columns.state == before.state,
            _columns.attempts == before.attempts,
            _columns.next_attempt_at == before.next_attempt_at,
        )
        values = {name: getattr(after, name) for name in _CHANGING}
        return self._connection.execute(update(deliveries).where(*unchanged).values(**values)).rowcount == 1

    def drop(self, delivery: Delivery) -> None:
        self._connection.execute(delete(deliveries).where(_columns.id == delivery.id))

    def bury_all(self, target: str, *, error: str, now: datetime) -> int:
        pending = (_columns.target == target, _columns.state == DeliveryState.PENDING)
        values = {"state": DeliveryState.DEAD, "last_error": error, "updated_at": now}
        return self._connection.execute(update(deliveries).where(*pending).values(**values)).rowcount

    def drop_all(self, target: str) -> None:
        self._connection.execute(delete(deliveries).where(_columns.target == target))

    def page(self, *, state: DeliveryState | None, target: str | None, after: str | None, limit: int) -> Page[Letter]:
        wanted = _letters().where(_columns.id < before_id(after)).order_by(_columns.id.desc()).limit(limit + 1)
        if state is not None:
            wanted = wanted.where(_columns.state == state)
        if target is not None:
            wanted = wanted.where(_columns.target == target)
        return cut(self._connection.execute(wanted).all(), limit, _letter, lambda row: row.id)

    def purge(self, *, delivered_before: datetime, dead_before: datetime, keep_alerts_of: Collection[str] = ()) -> int:
        removed = 0
        for state, before in ((DeliveryState.DELIVERED, delivered_before), (DeliveryState.DEAD, dead_before)):
            old = delete(deliveries).where(_columns.state == state, _columns.updated_at < before)
            removed += self._connection.execute(old).rowcount
        left = exists().where(_columns.notice_id == notices.c.id)
        key = notices.c.experiment_key
        others = (notices.c.kind != NoticeKind.ALERT) | key.is_(None) | key.not_in(sorted(keep_alerts_of))
        self._connection.execute(delete(notices).where(notices.c.at < delivered_before, ~left, others))
        return removed

    def _add(self, notice: Notice) -> None:
        values = {
            "id": notice.id,
            "kind": notice.kind,
            "experiment_key": notice.experiment,
            "segment": notice.segment,
            "at": notice.at,
            "title": notice.title,
            "payload": dict(notice.payload),
        }
        if not insert_new(self._connection, notices, values):
            raise AlreadyExists("notice", notice.id)


def _new(notice: Notice, target: str) -> dict[str, Any]:
    return {
        "notice_id": notice.id,
        "target": target,
        "state": DeliveryState.PENDING,
        "attempts": 0,
        "next_attempt_at": notice.at,
        "created_at": notice.at,
        "updated_at": notice.at,
    }


def _letters() -> Select[Any]:
    told = (notices.c.kind, notices.c.experiment_key, notices.c.segment, notices.c.at, notices.c.title)
    return select(*_columns, *told, notices.c.payload).join(notices, notices.c.id == _columns.notice_id)


def _letter(row: Row[Any]) -> Letter:
    notice = Notice(
        id=row.notice_id,
        kind=NoticeKind(row.kind),
        experiment=row.experiment_key,
        segment=row.segment,
        at=row.at,
        title=row.title,
        payload=row.payload,
    )
    return Letter(delivery=_delivery(row), notice=notice)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        notice_id=row.notice_id,
        target=row.target,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        last_status=row.last_status,
        last_error=row.last_error,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
