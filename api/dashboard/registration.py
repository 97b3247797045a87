"""Put the pages on an app: blueprints, stylesheets, session cookie, protection of forms."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus

from flask import Blueprint, Flask, Response, request
from flask_bootstrap import Bootstrap5
from flask_wtf.csrf import CSRFProtect

from api.dashboard import pages, persona_views, promotion_views, promotions, segment_views, sign_in, study_views
from api.dashboard.blueprint import lost_page
from api.dashboard.code_words import with_code
from api.dashboard.session import PagesOnly, signed_in
from api.dashboard.typed import typed_before
from api.errors import is_api
from experiments.bootstrap import Winnow

SESSION_HOURS = 12
_LOST = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
_TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
"""Unicode's embeddings, overrides and isolates (UAX 9)."""


def register(app: Flask, winnow: Winnow) -> None:
    """Register everything; `app.secret_key` has to be set before the first request."""
    app.jinja_env.finalize = _left_to_right
    app.config.update(
        BOOTSTRAP_SERVE_LOCAL=True,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=SESSION_HOURS),
        SESSION_COOKIE_NAME="winnow_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=winnow.settings.secure_cookies,
        # Only pages act on the strength of a cookie, and their blueprints check every form; the API looks at nothing
        # but the key that comes with each request.
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=SESSION_HOURS * 3600,
    )
    app.session_interface = PagesOnly()
    Bootstrap5(app)
    CSRFProtect(app)
    app.add_template_filter(with_code, "with_code")
    app.add_template_global(signed_in, "viewer")
    app.add_template_global(typed_before)
    app.add_template_global(promotion_views.waiting_count, "waiting_count")
    app.register_blueprint(
        Blueprint("assets", __name__, static_folder="static", static_url_path="/assets", template_folder="templates")
    )
    for blueprint in (
        sign_in.pages,
        pages.pages,
        promotion_views.pages,
        promotions.pages,
        segment_views.pages,
        persona_views.pages,
        study_views.pages,
    ):
        app.register_blueprint(blueprint)
    app.after_request(_page_for_lost)


def _page_for_lost(response: Response) -> Response:
    """Dress the bare 404 or 405 of an address that no view answers; machines get their problem document untouched."""
    lost = response.status_code in _LOST and request.routing_exception is not None
    if lost and response.mimetype == "text/html" and not is_api(request.path):
        response.set_data(lost_page(response.status_code))
    return response


def _left_to_right(value: object) -> object:
    """Take out what turns the writing around: after it in a name, our own sentences and numbers ran backwards.

    Names in Hebrew or Arabic need none of these characters.
    """
    return value.translate(_TURNS) if isinstance(value, str) and not value.isascii() else value
