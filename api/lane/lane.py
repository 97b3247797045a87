"""A thin WSGI layer: clean requests to a few addresses are answered here, all others by Flask, which decides what is
clean, who is refused, and with which headers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from itertools import count
from secrets import token_hex
from typing import Any, TypeAlias

from api.lane.asked import Asked, Environ, Handler
from api.lane.callers import Callers
from experiments.services.keys import Keys, Scope

StartResponse: TypeAlias = Callable[..., Any]
WsgiApp: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]
Headers: TypeAlias = list[tuple[str, str]]
Kind: TypeAlias = tuple[str, str, str | None, str | None, str]
"""Address, status, origin, scheme before and behind the proxy: what the headers of an answer depend on."""

MAX_KINDS = 10_000
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OWN = frozenset({"content-length", "etag", "x-request-id"})


class Lane:
    """`app.wsgi_app = Lane(app.wsgi_app, …)`, the place that Flask documents for such a layer.

    It knows nothing of security headers and CORS: the first answer of each kind comes from Flask, and its headers are
    learnt.
    """

    def __init__(
        self, flask: WsgiApp, keys: Keys, handlers: Mapping[str, tuple[Scope, Handler]], *, max_body_bytes: int
    ) -> None:
        self._flask = flask
        self._callers = Callers(keys)
        self._handlers = handlers
        self._max_body_bytes = max_body_bytes
        self._learnt: dict[Kind, Headers] = {}
        self._prefix, self._numbers = token_hex(8), count()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        found = self._handlers.get(environ["PATH_INFO"])
        if (
            found is None
            or environ["REQUEST_METHOD"] != "POST"
            or environ.get("CONTENT_TYPE") != "application/json"
            or environ.get("QUERY_STRING")
        ):
            return self._flask(environ, start_response)
        scope, handler = found
        principal = self._callers.recognise(environ)
        if principal is None or not principal.may(scope):
            return self._flask(environ, start_response)
        body = self._body(environ)
        if body is None:
            return self._flask(environ, start_response)
        reply = handler(Asked(environ, body, principal))
        if reply is None:
            return self._flask(environ, self._learning(environ, start_response))
        headers = self._learnt.get(_kind(environ, reply.status))
        if headers is None:
            return self._flask(environ, self._learning(environ, start_response))
        start_response(
            reply.status,
            [
                *headers,
                *reply.headers,
                ("Content-Length", str(len(reply.body))),
                ("X-Request-Id", self._request_id(environ)),
            ],
        )
        return (reply.body,)

    def _body(self, environ: Environ) -> bytes | None:
        """Read it, and leave it to be read again."""
        try:
            length = int(environ.get("CONTENT_LENGTH") or -1)
        except ValueError:
            return None
        if not 0 < length <= self._max_body_bytes:
            return None
        body: bytes = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = BytesIO(body)
        return body

    def _learning(self, environ: Environ, start_response: StartResponse) -> StartResponse:
        def start(status: str, headers: Headers, *more: Any) -> Any:
            if len(self._learnt) < MAX_KINDS:
                kept = [(name, value) for name, value in headers if name.lower() not in _OWN]
                self._learnt.setdefault(_kind(environ, status), kept)
            return start_response(status, headers, *more)

        return start

    def _request_id(self, environ: Environ) -> str:
        given = environ.get("HTTP_X_REQUEST_ID")
        if given and _REQUEST_ID.fullmatch(given):
            return str(given)
        return f"{self._prefix}{next(self._numbers):016x}"


def _kind(environ: Environ, status: str) -> Kind:
    return (
        environ["PATH_INFO"],
        status,
        environ.get("HTTP_ORIGIN"),
        environ.get("HTTP_X_FORWARDED_PROTO"),
        environ["wsgi.url_scheme"],
    )
