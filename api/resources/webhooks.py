"""Webhooks: other systems that are told what happens, and what did not reach them."""

from __future__ import annotations

from typing import Any

from flask import url_for

from api.current import actor, winnow
from api.paging import PageQuery, page_of, paged
from api.preconditions import etag, expected_revision
from api.routes import IF_MATCH, Routes
from api.schemas.webhooks import (
    DeliveriesQuery,
    DeliverySchema,
    NewWebhookSchema,
    WebhookBodySchema,
    WebhookSchema,
)
from experiments.services.keys import Scope
from experiments.services.notices.webhooks import WebhookWish

routes = Routes(
    "Webhooks",
    "Signed notices of promotions, posted to other systems by the convention of Standard Webhooks; at least once each.",
)

_ONE = "/webhooks/<key:webhook_id>"
_UNSTORED = {"Cache-Control": "no-store"}


@routes.post("/webhooks", scope=Scope.ADMIN, body=WebhookBodySchema, out=NewWebhookSchema, status=201)
def create(body: WebhookWish) -> object:
    """Add one; the answer is the only time its secret can be seen. It is told what happens from now on."""
    made = winnow().webhooks.create(body, actor=actor())
    location = url_for("Webhooks.read", webhook_id=made.stored.value.id)
    return made, 201, {"Location": location, **etag(made.stored.revision), **_UNSTORED}


@routes.get("/webhooks", scope=Scope.ADMIN, query=PageQuery, out=page_of(WebhookSchema))
def walk(query: dict[str, Any]) -> object:
    """List in order of id, without secrets."""
    return paged(query, winnow().webhooks.page)


@routes.get("/webhooks/deliveries", scope=Scope.ADMIN, query=DeliveriesQuery, out=page_of(DeliverySchema))
def deliveries(query: dict[str, Any]) -> object:
    """List deliveries newest first, to webhooks and by e-mail; `state=dead` gives the dead letters."""
    return paged(query, winnow().webhooks.deliveries, state=query["state"], target=query["target"])


@routes.post(
    "/webhooks/deliveries/<row_id:delivery_id>/redeliver", scope=Scope.ADMIN, out=DeliverySchema, refuses=(404, 409)
)
def redeliver(delivery_id: int) -> object:
    """Send a dead letter again, with all attempts before it."""
    return winnow().webhooks.redeliver(delivery_id, actor=actor())


@routes.get(_ONE, scope=Scope.ADMIN, out=WebhookSchema, refuses=(404,))
def read(webhook_id: str) -> object:
    """Read one, without its secret."""
    found = winnow().webhooks.get(webhook_id)
    return found, etag(found.revision)


@routes.put(
    _ONE,
    scope=Scope.ADMIN,
    body=WebhookBodySchema,
    out=WebhookSchema,
    refuses=(404, 412, 428),
    headers=(IF_MATCH,),
)
def edit(body: WebhookWish, webhook_id: str) -> object:
    """Replace address, kinds and whether it is active. What waits for one that is switched off becomes dead letters."""
    revision = expected_revision("webhook", webhook_id)
    after = winnow().webhooks.edit(webhook_id, body, expected_revision=revision, actor=actor())
    return after, etag(after.revision)


@routes.view("DELETE", _ONE, scope=Scope.ADMIN, out=None, status=204, refuses=(404,))
def remove(webhook_id: str) -> object:
    """Forget it, and its deliveries."""
    winnow().webhooks.remove(webhook_id, actor=actor())
    return None


@routes.post(f"{_ONE}/rotate", scope=Scope.ADMIN, out=NewWebhookSchema, refuses=(404,))
def rotate(webhook_id: str) -> object:
    """Make another secret, shown this once; for a day everything is signed with the old one too."""
    made = winnow().webhooks.rotate(webhook_id, actor=actor())
    return made, 200, {**etag(made.stored.revision), **_UNSTORED}


@routes.post(f"{_ONE}/test", scope=Scope.ADMIN, out=DeliverySchema, status=202, refuses=(404, 409))
def test(webhook_id: str) -> object:
    """Send a test notice to this webhook alone; the worker does so within seconds."""
    return winnow().webhooks.test(webhook_id, actor=actor())
