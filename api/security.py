"""What browsers are told: headers, and who may call across origins."""

from __future__ import annotations

from flask import Flask, Response, request
from flask_cors import CORS
from flask_talisman import DENY, Talisman

from experiments.settings import Settings

CONTENT_SECURITY_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
ONLY_FOR_PAGES = ("Content-Security-Policy", "Permissions-Policy", "Referrer-Policy", "X-Frame-Options")
"""What a browser heeds in a document; data it shows as text at most, and it is told not to guess otherwise."""
READ_ACROSS_ORIGINS = ["ETag", "Location", "Retry-After", "X-Request-Id"]
SENT_ACROSS_ORIGINS = ["Authorization", "Content-Type", "If-Match", "If-None-Match", "X-API-Key", "X-Request-Id"]


def secure(app: Flask, settings: Settings) -> None:
    """Set the headers of every answer. Forms are protected where the forms are: the API knows its callers by key."""
    app.after_request(_only_what_data_needs)  # comes after those below: the last to be named is the first to run
    Talisman(
        app,
        content_security_policy=CONTENT_SECURITY_POLICY,
        force_https=settings.secure_cookies,
        frame_options=DENY,
        session_cookie_secure=settings.secure_cookies,
    )
    if settings.cors_origins and "*" not in settings.cors_origins:
        app.after_request(_differs_by_origin)  # comes after the headers of CORS
    if settings.cors_origins:
        CORS(
            app,
            resources={r"/(?:v1|api|ofrep)/.*": {"origins": list(settings.cors_origins)}},
            allow_headers=SENT_ACROSS_ORIGINS,
            expose_headers=READ_ACROSS_ORIGINS,
            max_age=600,
            send_wildcard=True,  # where all may ask, caches need one answer only
        )


def _differs_by_origin(response: Response) -> Response:
    """Tell caches that what they keep is for one origin, also where it may not ask: only there are answers public."""
    if request.path.startswith("/api/"):
        response.vary.add("Origin")
    return response


def _only_what_data_needs(response: Response) -> Response:
    """Leave out of JSON what is said to pages: frontends ask for it by the million."""
    if response.is_json:
        for name in ONLY_FOR_PAGES:
            response.headers.pop(name, None)
    return response
