"""Webhooks in SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from experiments.domain.errors import AlreadyExists, NotFound, RevisionMismatch
from experiments.domain.notice import NoticeKind
from experiments.domain.webhook import Webhook
from experiments.services.paging import Page, Stored
from experiments.storage.paging import after_key, cut
from experiments.storage.promotions.tables import webhooks
from experiments.storage.statements import insert_new

_columns = webhooks.c


class SqlWebhookStore:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, webhook: Webhook, *, now: datetime) -> Stored[Webhook]:
        if not insert_new(self._connection, webhooks, {**_values(webhook), "revision": 1, "updated_at": now}):
            raise AlreadyExists("webhook", webhook.id)
        return Stored(value=webhook, revision=1, updated_at=now)

    def get(self, webhook_id: str) -> Stored[Webhook]:
        row = self._connection.execute(select(webhooks).where(_columns.id == webhook_id)).one_or_none()
        if row is None:
            raise NotFound("webhook", webhook_id)
        return _stored(row)

    def save(self, webhook: Webhook, *, expected_revision: int, now: datetime) -> Stored[Webhook]:
        revision = expected_revision + 1
        statement = (
            update(webhooks)
            .where(_columns.id == webhook.id, _columns.revision == expected_revision)
            .values(**_values(webhook), revision=revision, updated_at=now)
        )
        if self._connection.execute(statement).rowcount != 1:
            self.get(webhook.id)
            raise RevisionMismatch("webhook", webhook.id)
        return Stored(value=webhook, revision=revision, updated_at=now)

    def remove(self, webhook_id: str) -> None:
        if self._connection.execute(delete(webhooks).where(_columns.id == webhook_id)).rowcount != 1:
            raise NotFound("webhook", webhook_id)

    def page(self, *, after: str | None, limit: int) -> Page[Stored[Webhook]]:
        wanted = select(webhooks).order_by(_columns.id).limit(limit + 1)
        if (key := after_key(after)) is not None:
            wanted = wanted.where(_columns.id > key)
        return cut(self._connection.execute(wanted).all(), limit, _stored, lambda row: row.id)


def _values(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "kinds": sorted(webhook.kinds),
        "active": webhook.active,
        "secret": webhook.secret,
        "retired_secret": webhook.retired_secret,
        "retired_until": webhook.retired_until,
        "created_at": webhook.created_at,
    }


def _stored(row: Row[Any]) -> Stored[Webhook]:
    webhook = Webhook(
        id=row.id,
        url=row.url,
        kinds=frozenset(NoticeKind(kind) for kind in row.kinds),
        active=row.active,
        secret=row.secret,
        retired_secret=row.retired_secret,
        retired_until=row.retired_until,
        created_at=row.created_at,
    )
    return Stored(value=webhook, revision=row.revision, updated_at=row.updated_at)
