"""For whoever keeps the process alive: it runs; it can work."""

from __future__ import annotations

from marshmallow import fields

from api.current import winnow
from api.routes import Routes
from api.schemas.base import Body
from experiments.domain.errors import Unavailable

routes = Routes("Health", "Probes, without a key.", prefix="")


class HealthSchema(Body):
    status = fields.String()


class ReadinessSchema(HealthSchema):
    catalog_version = fields.Integer()
    database = fields.String(metadata={"enum": ["here", "away"]})


@routes.get("/healthz", scope=None, out=HealthSchema)
def alive() -> object:
    """Say that the process runs."""
    return {"status": "ok"}


@routes.get("/readyz", scope=None, out=ReadinessSchema, refuses=(503,))
def ready() -> object:
    """Say that frontends can be answered: the experiments are in memory, and what is recorded has somewhere to go.

    With a spool that is so without the database, too: a proxy that took the process out would lose what it can do.
    """
    services, database = winnow(), "here"
    try:
        with services.open_unit_of_work(read_only=True) as work:
            work.ping()
    except Unavailable as refusal:
        if services.spool is None or refusal.code != "database_unavailable":
            raise
        database = "away"
    return {"status": "ready", "catalog_version": services.catalog.loaded().version, "database": database}
