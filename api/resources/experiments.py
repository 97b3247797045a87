"""Experiments: write, read, edit, and take through the steps of their life."""

from __future__ import annotations

from typing import Any

from flask import url_for

from api.current import actor, winnow
from api.paging import PageQuery, page_of, paged
from api.preconditions import etag, expected_revision, expected_revision_if_any
from api.routes import IF_MATCH, Routes
from api.schemas.experiment import ExperimentSchema, ExperimentWishSchema, VersionsSchema
from api.schemas.fields import choice
from experiments.domain.experiment import Status
from experiments.services.authoring.author import Step
from experiments.services.authoring.wishes import ExperimentWish
from experiments.services.keys import Scope

routes = Routes("Experiments", "Experiments. The ETag is the revision that an edit has to name in If-Match.")


class ExperimentsQuery(PageQuery):
    status = choice(Status, load_default=None)


@routes.post(
    "/experiments", scope=Scope.WRITE, body=ExperimentWishSchema, out=ExperimentSchema, status=201, refuses=(409,)
)
def create(body: ExperimentWish) -> object:
    """Write a draft."""
    made = winnow().author.create(body, actor=actor())
    location = url_for("Experiments.read", key=made.key)
    return made, 201, {"Location": location, **etag(made.revision)}


@routes.get("/experiments", scope=Scope.READ, query=ExperimentsQuery, out=page_of(ExperimentSchema))
def walk(query: dict[str, Any]) -> object:
    """List in order of key."""
    return paged(query, winnow().author.page, status=query["status"])


@routes.get("/experiments/<key:key>", scope=Scope.READ, out=ExperimentSchema, refuses=(404,))
def read(key: str) -> object:
    """Read one."""
    found = winnow().author.get(key)
    return found, etag(found.revision)


@routes.put(
    "/experiments/<key:key>",
    scope=Scope.WRITE,
    body=ExperimentWishSchema,
    out=ExperimentSchema,
    refuses=(404, 409, 412, 428),
    headers=(IF_MATCH,),
)
def edit(body: ExperimentWish, key: str) -> object:
    """Replace the definition; a running experiment gets a new version, with as few units moved as can be."""
    revision = expected_revision("experiment", key)
    after = winnow().author.edit(key, body, expected_revision=revision, actor=actor())
    return after, etag(after.revision)


@routes.get("/experiments/<key:key>/versions", scope=Scope.READ, out=VersionsSchema, refuses=(404,))
def versions(key: str) -> object:
    """List all versions, oldest first."""
    return {"items": winnow().author.versions(key)}


@routes.post(
    "/experiments/<key:key>/<any(start, pause, stop, archive):step>",
    scope=Scope.WRITE,
    out=ExperimentSchema,
    refuses=(404, 409, 412),
    headers=(IF_MATCH,),
)
def take_step(key: str, step: Step) -> object:
    """Start (also after a pause), pause, stop for good, or archive."""
    revision = expected_revision_if_any("experiment", key)
    after = winnow().author.step(key, step, expected_revision=revision, actor=actor())
    return after, etag(after.revision)
