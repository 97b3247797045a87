"""Webhooks: who is told, what did not arrive, and sending it again."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from experiments.domain.delivery import EMAIL, DeliveryState, Letter
from experiments.domain.errors import NotFound, RevisionMismatch, StateConflict
from experiments.domain.notice import Notice, NoticeKind
from experiments.domain.signature import secret_of
from experiments.domain.webhook import DISABLED, Webhook
from experiments.services.paging import Page, Stored
from experiments.services.ports import AuditEntry, Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.retry import retried

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookWish:
    """What an administrator may say of a webhook."""

    url: str
    kinds: frozenset[NoticeKind]
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """The only time the secret can be seen."""

    stored: Stored[Webhook]
    secret: str = field(repr=False)


class Webhooks:
    def __init__(self, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._open = open_unit_of_work
        self._clock = clock

    def create(self, wish: WebhookWish, *, actor: str) -> NewSecret:
        """Raise InvalidInput. What was said before is not told to it."""
        now = self._clock()
        webhook = Webhook(
            id=secrets.token_hex(8),
            url=wish.url,
            kinds=wish.kinds,
            active=wish.active,
            secret=_new_secret(),
            created_at=now,
        )
        with self._open() as work:
            stored = work.webhooks.add(webhook, now=now)
            work.audit.append(_entry(webhook, "webhook.create", actor, now))
            work.commit()
        return NewSecret(stored=stored, secret=webhook.secret)

    def page(self, *, after: str | None, limit: int) -> Page[Stored[Webhook]]:
        """List in order of id."""
        with self._open(read_only=True) as work:
            return work.webhooks.page(after=after, limit=limit)

    def get(self, webhook_id: str) -> Stored[Webhook]:
        """Raise NotFound."""
        with self._open(read_only=True) as work:
            return work.webhooks.get(webhook_id)

    def edit(self, webhook_id: str, wish: WebhookWish, *, expected_revision: int, actor: str) -> Stored[Webhook]:
        """Raise NotFound, InvalidInput, RevisionMismatch."""

        def wished(before: Stored[Webhook]) -> Webhook:
            if before.revision != expected_revision:
                raise RevisionMismatch("webhook", webhook_id)
            return replace(before.value, url=wish.url, kinds=wish.kinds, active=wish.active)

        return self._change(webhook_id, wished, "webhook.edit", actor)

    def set_active(self, webhook_id: str, active: bool, *, actor: str) -> Stored[Webhook]:
        """Switch on or off. Raises NotFound. What waits for one that is switched off is given up."""
        action = "webhook.enable" if active else "webhook.disable"
        return retried(
            lambda: self._change(webhook_id, lambda before: replace(before.value, active=active), action, actor)
        )

    def rotate(self, webhook_id: str, *, actor: str) -> NewSecret:
        """Make another secret; for a day we sign with both. Raises NotFound."""
        secret = _new_secret()

        def rotated(before: Stored[Webhook]) -> Webhook:
            return before.value.rotate(secret, now=self._clock())

        stored = retried(lambda: self._change(webhook_id, rotated, "webhook.rotate", actor))
        return NewSecret(stored=stored, secret=secret)

    def remove(self, webhook_id: str, *, actor: str) -> None:
        """Forget it, and all that was sent or was to be sent to it. Raises NotFound."""
        now = self._clock()
        with self._open() as work:
            webhook = work.webhooks.get(webhook_id).value
            work.webhooks.remove(webhook_id)
            work.notices.drop_all(webhook_id)
            work.audit.append(_entry(webhook, "webhook.remove", actor, now))
            work.commit()

    def test(self, webhook_id: str, *, actor: str) -> Letter:
        """Put a notice into the outbox for this webhook alone. Raises NotFound, StateConflict where it is off."""
        now = self._clock()
        notice = Notice(id=str(uuid.uuid4()), kind=NoticeKind.TEST, at=now, title="A test notice from Winnow")
        with self._open() as work:
            webhook = work.webhooks.get(webhook_id).value
            _refuse_disabled(webhook)
            letter = work.notices.append_to(notice, webhook_id)
            work.audit.append(_entry(webhook, "webhook.test", actor, now))
            work.commit()
        return letter

    def deliveries(
        self, *, state: DeliveryState | None = None, target: str | None = None, after: str | None, limit: int
    ) -> Page[Letter]:
        """List deliveries newest first."""
        with self._open(read_only=True) as work:
            return work.notices.page(state=state, target=target, after=after, limit=limit)

    def redeliver(self, delivery_id: int, *, actor: str) -> Letter:
        """Send a dead letter again. Raises NotFound, StateConflict where it is not dead or its webhook is off."""
        now = self._clock()
        with self._open() as work:
            letter = work.notices.get(delivery_id)
            _refuse_unreachable(work, letter)
            after = letter.delivery.revive(now)
            if not work.notices.change(letter.delivery, after):
                raise StateConflict("delivery_not_dead", f"Delivery {delivery_id} is being sent again already.")
            detail = {"delivery": delivery_id, "notice": letter.notice.id}
            work.audit.append(
                AuditEntry(at=now, actor=actor, action="delivery.redeliver", subject=after.target, detail=detail)
            )
            work.commit()
        return replace(letter, delivery=after)

    def _change(
        self, webhook_id: str, change: Callable[[Stored[Webhook]], Webhook], action: str, actor: str
    ) -> Stored[Webhook]:
        now = self._clock()
        with self._open() as work:
            before = work.webhooks.get(webhook_id)
            after = work.webhooks.save(change(before), expected_revision=before.revision, now=now)
            if not after.value.active:
                work.notices.bury_all(webhook_id, error=DISABLED, now=now)
            work.audit.append(_entry(after.value, action, actor, now))
            work.commit()
        return after


def _refuse_unreachable(work: UnitOfWork, letter: Letter) -> None:
    target = letter.delivery.target
    if target == EMAIL:
        return
    try:
        _refuse_disabled(work.webhooks.get(target).value)
    except NotFound:  # removed in the moment when this was stored
        raise NotFound("delivery", str(letter.delivery.id)) from None


def _refuse_disabled(webhook: Webhook) -> None:
    if not webhook.active:
        raise StateConflict(DISABLED, f"Webhook {webhook.id!r} is switched off; switch it on first.")


def _new_secret() -> str:
    return secret_of(secrets.token_bytes(SECRET_BYTES))


def _entry(webhook: Webhook, action: str, actor: str, at: datetime) -> AuditEntry:
    """Who may read the trail need not know more of the address than its host."""
    detail = {"host": webhook.host, "kinds": sorted(webhook.kinds), "active": webhook.active}
    return AuditEntry(at=at, actor=actor, action=action, subject=webhook.id, detail=detail)
