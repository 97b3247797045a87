"""What units were shown, and what they did."""

from __future__ import annotations

from collections import Counter
from typing import Any

from api.body import ItemParser
from api.current import metrics, principal, winnow
from api.routes import Routes
from api.schemas.record import BatchSchema, VerdictsSchema, read_item
from experiments.domain.event import ItemStatus
from experiments.services.keys import Scope
from experiments.services.recording.claims import seen_only

routes = Routes(
    "Events",
    "Events and exposures: durable before they are acknowledged, idempotent on `event_id`.",
    parser=ItemParser,
)


@routes.post("/events", scope=Scope.INGEST, body=BatchSchema, out=VerdictsSchema, status=202, refuses=(503,))
def record(body: dict[str, Any]) -> object:
    """Record a batch; every item has a verdict of its own, and a bad one never fails the others.

    An item that is sent again may be told `accepted` or `duplicate`: it is stored once. On 503 nothing of the batch was
    stored; send it again after the seconds in `Retry-After`.
    """
    services = winnow()
    now = services.clock()
    items = [read_item(item, now) for item in body["items"]]
    if tags := principal().tags:
        live = services.sight.of(tags).live
        items = [seen_only(item, live) for item in items]
    verdicts = services.recorder.record(items)
    metrics().items.count(body["items"], verdicts)
    counts = Counter(verdict.status for verdict in verdicts)
    return {"items": verdicts, **{status.value: counts[status] for status in ItemStatus}}
