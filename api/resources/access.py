"""Who may ask, and who did what."""

from __future__ import annotations

from typing import Any

from api.current import actor, winnow
from api.paging import PageQuery, page_of, paged
from api.routes import Routes
from api.schemas.access import ApiKeySchema, AuditEntrySchema, AuditQuery, NewKeyBodySchema, NewKeySchema
from experiments.services.keys import Scope

keys = Routes("Keys", "API keys. Of a key's secret only the hash is stored.")
audit = Routes("Audit", "Who did what to what, when, and on what evidence.")


@keys.post("/keys", scope=Scope.ADMIN, body=NewKeyBodySchema, out=NewKeySchema, status=201)
def create(body: dict[str, Any]) -> object:
    """Make a key; the answer is the only time it can be seen."""
    made = winnow().keys.create(body["name"], frozenset(body["scopes"]), tags=frozenset(body["tags"]), actor=actor())
    return made, 201, {"Cache-Control": "no-store"}


@keys.get("/keys", scope=Scope.ADMIN, query=PageQuery, out=page_of(ApiKeySchema))
def walk(query: dict[str, Any]) -> object:
    """List keys, without secrets."""
    return paged(query, winnow().keys.page)


@keys.post("/keys/<key:key_id>/revoke", scope=Scope.ADMIN, out=ApiKeySchema, refuses=(404,))
def revoke(key_id: str) -> object:
    """Make a key worthless, within five seconds everywhere."""
    return winnow().keys.revoke(key_id, actor=actor())


@audit.get("/audit", scope=Scope.READ, query=AuditQuery, out=page_of(AuditEntrySchema))
def read(query: dict[str, Any]) -> object:
    """List what was done, newest first."""
    return paged(query, winnow().results.audit, subject=query["subject"])
