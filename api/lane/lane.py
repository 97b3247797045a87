"""A thin WSGI layer: clean requests to a few addresses are answered here, all others by Flask, which decides what is
clean, who is refused, and with which headers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from secrets import token_hex
from time import monotonic, perf_counter
from typing import Any, TypeAlias

from api.auth import ADMITTED
from api.lane.asked import Asked, Environ, Handler
from api.lane.callers import Callers
from api.metrics.counts import RouteCounts
from experiments.services.keys import Keys, Scope
from experiments.services.limit import Limiter

StartResponse: TypeAlias = Callable[..., Any]
WsgiApp: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]
Headers: TypeAlias = list[tuple[str, str]]
Place: TypeAlias = tuple[str, str | None, str | None, str]
"""Route, origin, and the scheme before and behind the proxy: with the status, what headers depend on."""

MAX_PLACES = 1_000
MAX_ORIGIN = 300
"""More than any name of a host: longer ones are nobody's."""
ANY_ORIGIN, ELSEWHERE = "*", "elsewhere"
"""Those that may not ask across origins are all told the same."""
_PROTOS = frozenset({None, "http", "https"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TAUGHT = frozenset({"200", "202", "304"})
"""Who is not known, or is sent elsewhere, teaches nothing: strangers cannot fill what is kept."""
_OWN = frozenset({"content-length", "etag", "x-request-id"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A route that the lane knows; a `rule` that ends with a slash stands for all addresses one step below it."""

    rule: str
    scope: Scope
    handler: Handler
    counts: RouteCounts


class Lane:
    """`app.wsgi_app = Lane(app.wsgi_app, …)`, the place that Flask documents for such a layer.

    It knows nothing of security headers and CORS: the first answer of each kind comes from Flask, and its headers are
    learnt.
    """

    def __init__(
        self,
        flask: WsgiApp,
        keys: Keys,
        stops: Iterable[Stop],
        *,
        limiter: Limiter | None,
        origins: Iterable[str],
        max_body_bytes: int,
    ) -> None:
        self._flask = flask
        self._callers = Callers(keys)
        self._stops: Mapping[str, Stop] = {stop.rule: stop for stop in stops}
        self._limiter = limiter
        self._origins = frozenset(origins)
        self._max_body_bytes = max_body_bytes
        self._learnt: dict[Place, dict[str, Headers]] = {}
        self._prefix, self._numbers = token_hex(8), count()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        began, path = perf_counter(), environ["PATH_INFO"]
        stop = self._stops.get(path) or self._stops.get(path[: path.rfind("/") + 1])
        if (
            stop is None
            or environ["REQUEST_METHOD"] != "POST"
            or environ.get("CONTENT_TYPE") != "application/json"
            or environ.get("QUERY_STRING")
            or "HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK" in environ
        ):
            return self._flask(environ, start_response)
        origin, proto = environ.get("HTTP_ORIGIN"), environ.get("HTTP_X_FORWARDED_PROTO")
        if origin is not None and origin not in self._origins:
            origin = origin[:MAX_ORIGIN] if ANY_ORIGIN in self._origins else ELSEWHERE
        if proto not in _PROTOS:
            return self._flask(environ, start_response)
        place = (stop.rule, origin, proto, environ["wsgi.url_scheme"])
        learnt = self._learnt.get(place)
        if learnt is None:
            return self._flask(environ, self._learning(place, start_response))
        principal = self._callers.recognise(environ)
        if principal is None or not principal.may(stop.scope) or not self._admits(environ, principal.key_id):
            return self._flask(environ, start_response)
        body = self._body(environ)
        reply = None if body is None else stop.handler(Asked(environ, body, principal))
        headers = None if reply is None else learnt.get(reply.status)
        if reply is None or headers is None:
            return self._flask(environ, self._learning(place, start_response))
        own = [*headers, *reply.headers, ("X-Request-Id", self._request_id(environ))]
        if reply.body:
            own.append(("Content-Length", str(len(reply.body))))
        start_response(reply.status, own)
        stop.counts.observe(int(reply.status[:3]), perf_counter() - began)
        return (reply.body,)

    def _admits(self, environ: Environ, key_id: str) -> bool:
        """Count the request against its key's limit; what is over the limit Flask refuses, and counts not again."""
        if self._limiter is None:
            return True
        if self._limiter.admit(key_id, monotonic()) is not None:
            return False
        environ[ADMITTED] = True
        return True

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
        return body if len(body) == length else None

    def _learning(self, place: Place, start_response: StartResponse) -> StartResponse:
        def start(status: str, headers: Headers, *more: Any) -> Any:
            if status[:3] in _TAUGHT and (place in self._learnt or len(self._learnt) < MAX_PLACES):
                kept = [(name, value) for name, value in headers if name.lower() not in _OWN]
                self._learnt.setdefault(place, {}).setdefault(status, kept)
            return start_response(status, headers, *more)

        return start

    def _request_id(self, environ: Environ) -> str:
        given = environ.get("HTTP_X_REQUEST_ID")
        if given and _REQUEST_ID.fullmatch(given):
            return str(given)
        return f"{self._prefix}{next(self._numbers):016x}"
