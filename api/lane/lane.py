"""A thin WSGI layer: clean requests to a few addresses are answered here, all others by Flask, which decides what is
clean, who is refused, and with which headers."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import product
from secrets import token_hex
from time import monotonic, perf_counter
from typing import Any, TypeAlias

from api.auth import ADMITTED
from api.lane.asked import Environ, Handler
from api.lane.passages import Headers, Passages
from api.metrics.counts import BOUNDS, RouteCounts
from experiments.services.keys import Keys, Scope
from experiments.services.limit import Limiter

StartResponse: TypeAlias = Callable[..., Any]
WsgiApp: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAX_DIGITS = 18
_SIZES = {str(size): size for size in range(1, 2_049)}
"""Of most bodies: to look a number up is quicker than to read it."""
_SOON = BOUNDS[0]
_THREE_DIGITS = tuple(f"{number:03x}" for number in range(4_096))
"""Four of these count to 10^14 without a number being written; nobody comes to their end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A route that the lane knows; a `rule` that ends with a slash stands for all addresses one step below it."""

    rule: str
    scope: Scope
    handler: Handler
    counts: RouteCounts


class Lane:
    """`app.wsgi_app = Lane(app.wsgi_app, …)`, the place that Flask documents for such a layer."""

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
        self._keys = keys
        self._passages = Passages(keys, origins)
        self._stops: Mapping[str, Stop] = {stop.rule: stop for stop in stops}
        self._limiter = limiter
        self._max_body_bytes = max_body_bytes
        self._ids = map("".join, product((token_hex(10),), *[_THREE_DIGITS] * 4))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        began, path, get = perf_counter(), environ["PATH_INFO"], environ.get
        stop = self._stops.get(path) or self._stops.get(path[: path.rfind("/") + 1])
        if (
            stop is None
            or environ["REQUEST_METHOD"] != "POST"
            or get("CONTENT_TYPE") != "application/json"
            or get("QUERY_STRING")
            or "HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK" in environ
            or "HTTP_TRANSFER_ENCODING" in environ
        ):
            return self._flask(environ, start_response)
        sent = (
            stop.rule,
            get("HTTP_AUTHORIZATION"),
            get("HTTP_X_API_KEY"),
            get("HTTP_ORIGIN"),
            get("HTTP_X_FORWARDED_PROTO"),
            environ["wsgi.url_scheme"],
        )
        passage = self._passages.remembered.get(sent)
        if passage is None or began >= passage.until or passage.revocations != self._keys.revocations:
            passage = self._passages.look_up(sent, stop.scope)
        said: str = get("CONTENT_LENGTH") or ""
        size = _SIZES.get(said) or _size(said)
        if (
            passage is None
            or not 0 < size <= self._max_body_bytes
            or (self._limiter is not None and not self._admits(self._limiter, environ, passage.principal.key_id))
        ):
            return self._by_flask(stop, environ, start_response)
        body = environ["wsgi.input"].read(size)
        reply = stop.handler(environ, body, passage.principal) if len(body) == size else None
        learnt = None if reply is None else passage.learnt.get(reply.status)
        if reply is None or learnt is None:
            environ["wsgi.input"] = BytesIO(body)  # to be read again
            return self._by_flask(stop, environ, start_response)
        request_id = get("HTTP_X_REQUEST_ID")
        if request_id is None or not _REQUEST_ID.fullmatch(request_id):
            request_id = next(self._ids)
        start_response(reply.status, [*learnt.headers, *reply.headers, ("X-Request-Id", request_id)])
        counts, seconds = stop.counts, perf_counter() - began
        counts.by_status[learnt.code] += 1
        counts.by_bucket[0 if seconds <= _SOON else bisect_left(BOUNDS, seconds)] += 1
        counts.seconds += seconds
        return (reply.body,)

    def _admits(self, limiter: Limiter, environ: Environ, key_id: str) -> bool:
        """Count the request against its key's limit; what is over the limit Flask refuses, and counts not again."""
        if limiter.admit(key_id, monotonic()) is not None:
            return False
        environ[ADMITTED] = True
        return True

    def _by_flask(self, stop: Stop, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Let Flask answer, and learn the headers of its answer."""
        place = self._passages.place(stop.rule, environ)

        def start(status: str, headers: Headers, *more: Any) -> Any:
            if place is not None:
                self._passages.learn(place, status, headers)
            return start_response(status, headers, *more)

        return self._flask(environ, start)


def _size(said: str) -> int:
    """Return how long a body is, 0 where that is not said plainly."""
    return int(said) if said.isdigit() and said.isascii() and len(said) <= _MAX_DIGITS else 0
