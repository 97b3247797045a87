"""The whole catalog, for clients that assign by themselves."""

from __future__ import annotations

from api.current import principal, winnow
from api.preconditions import published
from api.routes import IF_NONE_MATCH, Routes
from api.schemas.catalog import CatalogSchema
from experiments.services.keys import Scope

routes = Routes(
    "Catalog",
    "All that assigning needs, for trusted clients that assign by themselves. It names testers and holds all contents, "
    "so keys for browsers do not get it.",
)


@routes.get(
    "/catalog",
    scope=Scope.ASSIGN,
    out=CatalogSchema,
    also={304: None},
    refuses=(503,),
    headers=(IF_NONE_MATCH,),
)
def read() -> object:
    """Read the catalog; ask again with its ETag, and nothing new answers 304."""
    who = principal()
    who.require_secret(Scope.ASSIGN)
    return published(winnow().publisher.catalog(who.tags), cache_control="private, no-cache")
