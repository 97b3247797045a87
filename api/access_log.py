"""A name and one line of log for every request, without the secrets and the people that an address may name."""

from __future__ import annotations

import re
import time
import uuid

import structlog
from flask import Flask, Response, g, request

from api.logs import logger

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KEY_IN_PATH = re.compile(r"(wk_[^/_]*_)[^/]+")
_UNIT_IN_PATH = re.compile(r"(units?/*).+", re.DOTALL | re.IGNORECASE)
_AFTER_TWO_PARTS = re.compile(r"((?:/+[^/]+){2}/+).+", re.DOTALL)
_PROBES = frozenset({"/healthz", "/readyz"})
_log = logger("winnow.http")


def register(app: Flask) -> None:
    """Take over the caller's request id, or make one; answer with it and log with it."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)


def _begin() -> None:
    g.began = time.perf_counter()
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    principal = g.get("principal")
    tell = _log.debug if request.path in _PROBES else _log.info
    tell(
        "request",
        method=request.method,
        path=_path(),
        status=response.status_code,
        duration_ms=round(1_000 * (time.perf_counter() - g.began), 1),
        key=principal.name if principal else None,
    )
    return response


def _path() -> str:
    """Return the path without what names a key or a unit; what a terminal would obey is written out.

    Where no route takes it, only its beginning: people misspell routes, and what follows may be anybody's name.
    """
    asked = request.path if request.path.isprintable() else ascii(request.path)[1:-1]
    path = _KEY_IN_PATH.sub(r"\1…", asked)
    rule = request.url_rule
    if rule is not None and "unit_id" not in rule.arguments:
        return path
    path = _UNIT_IN_PATH.sub(r"\1…", path)
    return path if rule is not None else _AFTER_TWO_PARTS.sub(r"\1…", path)


def _forget(_error: BaseException | None) -> None:
    structlog.contextvars.unbind_contextvars("request_id")
