"""The web application: settings or services in, a Flask app out."""

from __future__ import annotations

from flask import Flask, Response, request

from api import access_log, errors
from api.dashboard import register as register_dashboard
from api.lane.lane import Lane
from api.lane.stops import stops
from api.logs import logger
from api.metrics import register as register_metrics
from api.openapi import document
from api.resources import (
    access,
    assignments,
    catalog,
    consents,
    events,
    experiments,
    growthbook,
    health,
    identify,
    library,
    metrics,
    ofrep,
    promotions,
    results,
    segment_reports,
    segment_templates,
    studies,
    units,
    webhooks,
)
from api.routes import CONVERTERS
from api.security import secure
from experiments.bootstrap import Winnow, build
from experiments.domain.errors import Unavailable
from experiments.secret import secret_key
from experiments.settings import Settings

ROUTES = (
    assignments.routes,
    catalog.routes,
    growthbook.routes,
    ofrep.routes,
    events.routes,
    identify.routes,
    experiments.routes,
    library.segments,
    segment_reports.routes,
    segment_templates.routes,
    studies.clusterings,
    studies.discoveries,
    library.metrics,
    library.layers,
    library.attributes,
    library.sources,
    units.routes,
    consents.routes,
    results.routes,
    promotions.routes,
    access.audit,
    access.keys,
    webhooks.routes,
    health.routes,
    metrics.routes,
)
_log = logger("winnow.app")


def create_app(settings: Settings | None = None, *, winnow: Winnow | None = None) -> Flask:
    """Return the app on these services, or on services built from the settings (by default, from the environment)."""
    services = winnow or build(settings or Settings.from_environment())
    app = Flask("api", static_folder="static")
    app.extensions["winnow"] = services
    app.config.update(
        SECRET_KEY=secret_key(services.settings),
        MAX_CONTENT_LENGTH=services.settings.max_body_bytes,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined] # Flask's own provider has it
    app.url_map.converters.update(CONVERTERS)
    access_log.register(app)
    register_metrics(app, services.settings)
    document(app, ROUTES)
    secure(app, services.settings)
    app.after_request(_never_stale)
    register_dashboard(app, services)
    errors.register(app)
    _first_look(services)
    _open_lane(app, services)
    return app


def _never_stale(response: Response) -> Response:
    """Let nobody show old states as new; answers to other methods no cache keeps of itself (RFC 9111, section 3)."""
    if request.method in ("GET", "HEAD") and request.path.startswith(("/v1/", "/ofrep/")):
        response.headers.setdefault("Cache-Control", "no-cache")
    return response


def _open_lane(app: Flask, services: Winnow) -> None:
    """Put the fast lane in front; without it everything is answered the same, only slower."""
    app.wsgi_app = Lane(  # type: ignore[method-assign] # this is where Flask wants such layers
        app.wsgi_app,
        services.keys,
        stops(app, services),
        journal=services.assigner.exposures.journal,
        limiter=services.limiter,
        origins=services.settings.cors_origins,
        max_body_bytes=services.settings.max_body_bytes,
    )


def _first_look(services: Winnow) -> None:
    """Read the experiments, and who consents.

    A process may start before its database: it is not ready until a later look succeeds.
    """
    try:
        services.catalog.refresh()
        services.caches.consents.follow()
        services.caches.identities.follow()
    except Unavailable as error:
        _log.warning("catalog_not_loaded", code=error.code, reason=error.message, cause=error.cause)
