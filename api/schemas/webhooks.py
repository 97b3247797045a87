"""Webhooks and what was sent to them."""

from __future__ import annotations

from collections.abc import Iterable

from marshmallow import fields

from api.paging import PageQuery
from api.schemas.base import Body, Built
from api.schemas.fields import Flag, Instant, Key, Several, Text, Whole, choice
from experiments.domain.delivery import DeliveryState
from experiments.domain.notice import NoticeKind
from experiments.services.notices.webhooks import WebhookWish


def _wish(url: str, kinds: Iterable[NoticeKind], active: bool) -> WebhookWish:
    return WebhookWish(url=url, kinds=frozenset(kinds), active=active)


class WebhookBodySchema(Built):
    builds = _wish

    url = Text(required=True, metadata={"format": "uri", "example": "https://example.com/hook"})
    kinds = Several(
        choice(NoticeKind),
        required=True,
        metadata={"description": "Which notices are posted. A `test` cannot be asked for: it comes when you send one."},
    )
    active = Flag(load_default=True)


class WebhookSchema(Body):
    """Without its secret, which is shown when it is made and never again."""

    id = Key(attribute="value.id")
    url = Text(attribute="value.url")
    kinds = fields.Function(
        lambda stored: sorted(stored.value.kinds), metadata={"type": "array", "items": {"type": "string"}}
    )
    active = Flag(attribute="value.active")
    created_at = Instant(attribute="value.created_at")
    updated_at = Instant()
    revision = Whole()


class NewWebhookSchema(Body):
    """`secret` is shown this once: keep it where the receiver finds it."""

    secret = Text()
    webhook = fields.Nested(WebhookSchema, attribute="stored")


class NoticeSchema(Body):
    id = Text(metadata={"description": "The `webhook-id` that the receiver sees."})
    kind = choice(NoticeKind)
    at = Instant()
    title = Text()
    experiment = Key(allow_none=True)
    segment = Key(allow_none=True)


class DeliverySchema(Body):
    """`target` is the id of a webhook, or `email`; `attempts` counts those that were begun."""

    id = fields.Integer(attribute="delivery.id")
    target = Text(attribute="delivery.target")
    state = choice(DeliveryState, attribute="delivery.state")
    attempts = Whole(attribute="delivery.attempts")
    next_attempt_at = Instant(attribute="delivery.next_attempt_at")
    last_status = fields.Integer(attribute="delivery.last_status", allow_none=True)
    last_error = Text(attribute="delivery.last_error", allow_none=True)
    created_at = Instant(attribute="delivery.created_at")
    updated_at = Instant(attribute="delivery.updated_at")
    notice = fields.Nested(NoticeSchema)


class DeliveriesQuery(PageQuery):
    state = choice(DeliveryState, load_default=None)
    target = Text(load_default=None, metadata={"description": "The id of a webhook, or `email`."})
