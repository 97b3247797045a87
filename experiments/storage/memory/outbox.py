"""Webhooks, notices and deliveries in memory."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from experiments.domain.delivery import EMAIL, MOST_DELAY, Delivery, DeliveryState, Letter
from experiments.domain.errors import AlreadyExists, NotFound, RevisionMismatch
from experiments.domain.notice import Notice, NoticeKind
from experiments.domain.webhook import Webhook
from experiments.services.paging import Page, Stored
from experiments.services.ports import CLOCKS_APART
from experiments.storage.memory.journals import as_stored
from experiments.storage.memory.state import State
from experiments.storage.memory.stores import page_by_key, page_newest_first


class MemoryWebhookStore:
    def __init__(self, state: State) -> None:
        self._rows = state.webhooks

    def add(self, webhook: Webhook, *, now: datetime) -> Stored[Webhook]:
        if webhook.id in self._rows:
            raise AlreadyExists("webhook", webhook.id)
        return self._store(webhook, 1, now)

    def get(self, webhook_id: str) -> Stored[Webhook]:
        if webhook_id not in self._rows:
            raise NotFound("webhook", webhook_id)
        return self._rows[webhook_id]

    def save(self, webhook: Webhook, *, expected_revision: int, now: datetime) -> Stored[Webhook]:
        if self.get(webhook.id).revision != expected_revision:
            raise RevisionMismatch("webhook", webhook.id)
        return self._store(webhook, expected_revision + 1, now)

    def remove(self, webhook_id: str) -> None:
        self.get(webhook_id)
        del self._rows[webhook_id]

    def page(self, *, after: str | None, limit: int) -> Page[Stored[Webhook]]:
        return page_by_key(self._rows, after, limit)

    def _store(self, webhook: Webhook, revision: int, now: datetime) -> Stored[Webhook]:
        self._rows[webhook.id] = Stored(value=webhook, revision=revision, updated_at=now)
        return self._rows[webhook.id]


class MemoryNoticeOutbox:
    def __init__(self, state: State) -> None:
        self._state = state
        self._rows = state.deliveries

    def append(self, notice: Notice) -> None:
        self._add(notice)
        webhooks = [stored.value for _, stored in sorted(self._state.webhooks.items())]
        for target in (*(w.id for w in webhooks if w.active and notice.kind in w.kinds), EMAIL):
            self._deliver(notice, target)

    def knows(self, notice_id: str) -> bool:
        return notice_id in self._state.notices

    def append_to(self, notice: Notice, target: str) -> Letter:
        self._add(notice)
        return self._letter(self._deliver(notice, target))

    def claim(self, *, now: datetime, without: Collection[str] = ()) -> Letter | None:
        pending = [row for row in self._rows.values() if row.state is DeliveryState.PENDING]
        void = now + MOST_DELAY + CLOCKS_APART
        due = [row for row in pending if not now < row.next_attempt_at <= void and row.target not in without]
        if not due:
            return None
        first = min(due, key=lambda row: (row.attempts > 0, row.next_attempt_at, row.id))
        self._rows[first.id] = first.begin(now)
        return self._letter(self._rows[first.id])

    def get(self, delivery_id: int) -> Letter:
        if delivery_id not in self._rows:
            raise NotFound("delivery", str(delivery_id))
        return self._letter(self._rows[delivery_id])

    def change(self, before: Delivery, after: Delivery) -> bool:
        found = self._rows.get(before.id)
        if found is None or _moment(found) != _moment(before):
            return False
        self._rows[before.id] = after
        return True

    def drop(self, delivery: Delivery) -> None:
        self._rows.pop(delivery.id, None)

    def bury_all(self, target: str, *, error: str, now: datetime) -> int:
        pending = [row for row in self._to(target) if row.state is DeliveryState.PENDING]
        self._rows.update({row.id: row.bury(error, now) for row in pending})
        return len(pending)

    def drop_all(self, target: str) -> None:
        for row in self._to(target):
            del self._rows[row.id]

    def page(self, *, state: DeliveryState | None, target: str | None, after: str | None, limit: int) -> Page[Letter]:
        found = page_newest_first(
            self._rows, after, limit, lambda row: state in (None, row.state) and target in (None, row.target)
        )
        return Page(items=tuple(self._letter(row) for row in found.items), next_after=found.next_after)

    def purge(self, *, delivered_before: datetime, dead_before: datetime, keep_alerts_of: Collection[str] = ()) -> int:
        limits = {DeliveryState.DELIVERED: delivered_before, DeliveryState.DEAD: dead_before}
        old = [row.id for row in self._rows.values() if row.state in limits and row.updated_at < limits[row.state]]
        for row_id in old:
            del self._rows[row_id]
        left = {row.notice_id for row in self._rows.values()}
        told = self._state.notices
        stale = [one for one in told.values() if one.at < delivered_before and one.id not in left]
        for one in stale:
            if one.kind is not NoticeKind.ALERT or one.experiment not in keep_alerts_of:
                del told[one.id]
        return len(old)

    def _to(self, target: str) -> list[Delivery]:
        return [row for row in self._rows.values() if row.target == target]

    def _letter(self, delivery: Delivery) -> Letter:
        return Letter(delivery=delivery, notice=self._state.notices[delivery.notice_id])

    def _add(self, notice: Notice) -> None:
        if notice.id in self._state.notices:
            raise AlreadyExists("notice", notice.id)
        self._state.notices[notice.id] = replace(notice, payload=as_stored(notice.payload))

    def _deliver(self, notice: Notice, target: str) -> Delivery:
        self._state.last_delivery_id += 1
        made = Delivery(
            id=self._state.last_delivery_id,
            notice_id=notice.id,
            target=target,
            state=DeliveryState.PENDING,
            attempts=0,
            next_attempt_at=notice.at,
            created_at=notice.at,
            updated_at=notice.at,
        )
        self._rows[made.id] = made
        return made


def _moment(delivery: Delivery) -> tuple[DeliveryState, int, datetime]:
    return (delivery.state, delivery.attempts, delivery.next_attempt_at)
