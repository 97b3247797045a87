"""Who is who: a visitor who becomes known."""

from __future__ import annotations

from typing import Any

from api.current import principal, winnow
from api.routes import Routes
from api.schemas.identity import IdentifySchema, JoinedSchema
from experiments.services.keys import Scope

routes = Routes("Identity", "Ids of one person: answered as one, and counted as one.")


@routes.post("/identify", scope=Scope.INGEST, body=IdentifySchema, out=JoinedSchema, refuses=(409, 503))
def identify(body: dict[str, Any]) -> object:
    """Join an anonymous id to a known unit, once and for good; asked again, nothing changes.

    A person who was exposed by its own id keeps its variants; otherwise what the anonymous visitor saw stays, on every
    device. An id that is somebody else's already is refused. A key for browsers can join no id that a first-party
    source speaks of.
    """
    joined = winnow().identifier.identify(body["anonymous_id"], body["unit_id"], trusted=not principal().is_public)
    return joined, {"Cache-Control": "no-store"}
