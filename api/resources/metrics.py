"""For Prometheus."""

from __future__ import annotations

from flask import Response, current_app
from prometheus_client import CONTENT_TYPE_LATEST

from api.auth import SECURITY, admit
from api.current import metrics, winnow
from api.metrics.exposition import exposition
from api.routes import Routes
from experiments.services.keys import Scope

routes = Routes("Monitoring", "For Prometheus.", prefix="")
_REFUSALS = {401: "UNAUTHORIZED", 403: "FORBIDDEN"}
_DESCRIBED = {
    "security": SECURITY,
    "responses": {
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **{code: {"$ref": f"#/components/responses/{name}"} for code, name in _REFUSALS.items()},
    },
}


@routes.get("/metrics", scope=None, out=None, described=_DESCRIBED)
def scrape() -> object:
    """Tell requests, decisions, items, catalog and backlog, summed over the processes of this server.

    Wants a key with the scope `read`, unless WINNOW_METRICS_PUBLIC=true.
    """
    if not winnow().settings.metrics_public:
        admit(Scope.READ)
    shared = current_app.extensions["shared_metrics"]
    pictures = [metrics().picture()] if shared is None else shared.pictures()
    return Response(exposition(pictures), content_type=CONTENT_TYPE_LATEST)
