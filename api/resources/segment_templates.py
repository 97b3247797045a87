"""Segment templates: the trade's questions about customers, filled in to a condition.

Filling in stores nothing. What comes back is looked at, changed where it has to be, and sent to `/v1/segments`; so a
segment is always its own condition, and a template that is worded anew later changes no audience.
"""

from __future__ import annotations

from typing import Any

from api.routes import Routes
from api.schemas.segment_templates import (
    FilledSchema,
    FillingSchema,
    SegmentTemplateListSchema,
    SegmentTemplateQuery,
    SegmentTemplateSchema,
)
from experiments.domain.condition import attributes_of
from experiments.domain.errors import InvalidInput
from experiments.domain.templates import TEMPLATES, template
from experiments.services.keys import Scope

routes = Routes("Segment templates", "Ready questions about customers; filled in, they are conditions of segments.")


@routes.get("/segment-templates", scope=Scope.READ, query=SegmentTemplateQuery, out=SegmentTemplateListSchema)
def walk(query: dict[str, Any]) -> object:
    """List all templates, kind by kind."""
    kind = query.get("kind")
    return {"items": [one for one in TEMPLATES.values() if kind in (None, one.kind)]}


@routes.get("/segment-templates/<key:key>", scope=Scope.READ, out=SegmentTemplateSchema, refuses=(404,))
def read(key: str) -> object:
    """Read one."""
    return template(key)


@routes.post("/segment-templates/<key:key>", scope=Scope.READ, body=FillingSchema, out=FilledSchema, refuses=(404,))
def fill(body: dict[str, Any], key: str) -> object:
    """Return the condition that these parameters make; nothing is stored."""
    found = template(key)
    try:
        parameters = found.filled(body["parameters"])
        condition = found.condition(body["parameters"])
    except InvalidInput as refusal:
        raise refusal.at("/parameters") from None
    return {
        "template": found.key,
        "kind": found.kind,
        "parameters": parameters,
        "condition": condition,
        "attributes": sorted(attributes_of(condition)),
    }
