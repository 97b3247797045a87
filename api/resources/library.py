"""Segments, metrics, layers, attributes and sources: the same four views for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import url_for
from marshmallow import Schema

from api.current import actor, winnow
from api.paging import PageQuery, page_of, paged
from api.preconditions import etag, expected_revision
from api.routes import IF_MATCH, Routes
from api.schemas.library import (
    LayerBodySchema,
    LayerSchema,
    MetricBodySchema,
    MetricSchema,
    SegmentBodySchema,
    SegmentSchema,
)
from api.schemas.registry import AttributeBodySchema, AttributeSchema, SourceBodySchema, SourceSchema
from api.schemas.segment_reports import ReportedSegmentSchema
from experiments.services.authoring.author import Author
from experiments.services.authoring.library import LibraryAuthor
from experiments.services.keys import Scope
from experiments.services.paging import Stored

Choose = Callable[[Author], LibraryAuthor[Any]]


_COPIED = "Experiments keep the copy that they were written with."


def library_routes(
    noun: str,
    choose: Choose,
    body: type[Schema],
    out: type[Schema],
    description: str,
    *,
    edited: str = _COPIED,
    out_one: type[Schema] | None = None,
    told: Callable[[Stored[Any]], object] = lambda stored: stored,
) -> Routes:
    """Return create, list, read and edit for one kind of named thing; of a single one more may be `told`."""
    one_schema = out_one or out
    plural = f"{noun}s"
    routes = Routes(plural.capitalize(), description)
    one = f"/{plural}/<key:key>"

    @routes.post(f"/{plural}", scope=Scope.WRITE, body=body, out=one_schema, status=201, refuses=(409,))
    def create(body: Any) -> object:
        """Add one."""
        made = choose(winnow().author).create(body, actor=actor())
        location = url_for(f"{plural.capitalize()}.read", key=made.value.key)
        return told(made), 201, {"Location": location, **etag(made.revision)}

    @routes.get(f"/{plural}", scope=Scope.READ, query=PageQuery, out=page_of(out))
    def walk(query: dict[str, Any]) -> object:
        """List in order of key."""
        return paged(query, choose(winnow().author).page)

    @routes.get(one, scope=Scope.READ, out=one_schema, refuses=(404,))
    def read(key: str) -> object:
        """Read one."""
        found = choose(winnow().author).get(key)
        return told(found), etag(found.revision)

    def edit(body: Any, key: str) -> object:
        revision = expected_revision(noun, key)
        after = choose(winnow().author).edit(key, body, expected_revision=revision, actor=actor())
        return told(after), etag(after.revision)

    edit.__doc__ = f"Replace one. {edited}"
    editing = routes.put(
        one, scope=Scope.WRITE, body=body, out=one_schema, refuses=(404, 409, 412, 428), headers=(IF_MATCH,)
    )
    editing(edit)
    return routes


def _reported(stored: Stored[Any]) -> object:
    """Return the segment with what is doubtful about it, and whether its report is made."""
    found = replace(winnow().segment_reports.of(stored.value.key), segment=stored)
    return {"segment": found.segment, "report": found.state, "doubts": found.doubts}


segments = library_routes(
    "segment",
    lambda author: author.segments,
    SegmentBodySchema,
    SegmentSchema,
    "Audiences, by a condition on attributes.",
    out_one=ReportedSegmentSchema,
    told=_reported,
)
metrics = library_routes(
    "metric",
    lambda author: author.metrics,
    MetricBodySchema,
    MetricSchema,
    "Rules that turn events into one number per unit.",
)
layers = library_routes(
    "layer", lambda author: author.layers, LayerBodySchema, LayerSchema, "Sets of mutually exclusive experiments."
)
attributes = library_routes(
    "attribute",
    lambda author: author.attributes,
    AttributeBodySchema,
    AttributeSchema,
    "What may be known of units, by the names that conditions use.",
    edited="Its type never changes; values that are stored already are not checked again.",
)
sources = library_routes(
    "source",
    lambda author: author.sources,
    SourceBodySchema,
    SourceSchema,
    "Who says what is known of units. Of two sources the one with the higher precedence counts.",
    edited="A changed precedence counts for all units at once.",
)
