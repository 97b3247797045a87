"""Clusterings and discoveries: read, and adopted. `winnow segments` makes them: no request reaches the numbers."""

from __future__ import annotations

from typing import Any

from api.current import actor, winnow
from api.paging import PageQuery, page_of, paged
from api.preconditions import etag
from api.routes import Routes
from api.schemas.studies import (
    AdoptClusterSchema,
    AdoptedSchema,
    AdoptLeafSchema,
    StudySchema,
    StudyVersionsSchema,
)
from experiments.domain.study import StudyKind
from experiments.services.keys import Scope
from experiments.services.studies.studies import AdoptWish

_PAGE = page_of(StudySchema)


def study_routes(kind: StudyKind, plural: str, body: type[AdoptClusterSchema | AdoptLeafSchema], told: str) -> Routes:
    """Return list, read and adopt for one kind of study."""
    routes = Routes(plural.capitalize(), told)
    one = f"/{plural}/<key:name>"

    @routes.get(f"/{plural}", scope=Scope.READ, query=PageQuery, out=_PAGE)
    def walk(query: dict[str, Any]) -> object:
        """List the newest version of each, in order of name."""
        return paged(query, lambda **asked: winnow().studies.page(kind, **asked))

    @routes.get(one, scope=Scope.READ, query=PageQuery, out=StudyVersionsSchema, refuses=(404,))
    def read(query: dict[str, Any], name: str) -> object:
        """Read its versions, newest first, and how the segments that were made of it stand to the newest."""
        studies = winnow().studies
        versions = paged(query, lambda **asked: studies.versions(kind, name, **asked))
        return {**versions, "adopted": studies.adopted(kind, name)}

    @routes.post(f"{one}/adopt", scope=Scope.WRITE, body=body, out=AdoptedSchema, refuses=(404, 409, 412))
    def adopt(body: dict[str, Any], name: str) -> object:
        """Make a segment of what was found, or give the segment that was made of it the present rule."""
        wish = AdoptWish(
            kind=kind,
            name=name,
            group=body[kind.noun],
            segment=body["segment"],
            version=body.get("version"),
            segment_name=body.get("name"),
        )
        made = winnow().studies.adopt(wish, actor=actor())
        return made, etag(made.segment.revision)

    return routes


clusterings = study_routes(
    StudyKind.CLUSTERING,
    "clusterings",
    AdoptClusterSchema,
    "Customers who are alike, each cluster with the rule that stands for it.",
)
discoveries = study_routes(
    StudyKind.DISCOVERY,
    "discoveries",
    AdoptLeafSchema,
    "For whom a treatment did something else: proposals for the next experiment, never winners.",
)
