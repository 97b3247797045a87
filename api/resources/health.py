"""For whoever keeps the process alive: it runs; it can work."""

from __future__ import annotations

from marshmallow import fields

from api.current import winnow
from api.routes import Routes
from api.schemas.base import Body

routes = Routes("Health", "Probes, without a key.", prefix="")


class HealthSchema(Body):
    status = fields.String()


class ReadinessSchema(HealthSchema):
    catalog_version = fields.Integer()


@routes.get("/healthz", scope=None, out=HealthSchema)
def alive() -> object:
    """Say that the process runs."""
    return {"status": "ok"}


@routes.get("/readyz", scope=None, out=ReadinessSchema, refuses=(503,))
def ready() -> object:
    """Say that the database answers and that the experiments are in memory."""
    with winnow().open_unit_of_work(read_only=True) as work:
        work.ping()
    return {"status": "ready", "catalog_version": winnow().catalog.loaded().version}
