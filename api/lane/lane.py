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

import msgspec

from api.auth import ADMITTED, REFUSED
from api.lane.asked import Environ, Handler, Held, Reply
from api.lane.passages import Headers, Learnt, Passages
from api.metrics.counts import BOUNDS, RouteCounts
from experiments.domain.errors import DomainError
from experiments.services.keys import Keys, Scope
from experiments.services.limit import Limiter
from experiments.services.recording.ports import Journal

StartResponse: TypeAlias = Callable[..., Any]
WsgiApp: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAX_DIGITS = 18
_SIZES = {str(size): size for size in range(1, 2_049)}
"""Of most bodies: to look a number up is quicker than to read it."""
LEFT = "winnow.left"
"""In the environment of a request that the lane has seen and does not answer: its stop, if it has one."""
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


class Taken(msgspec.Struct, frozen=True, gc=False):
    """A request that the lane answers, `held` or at once."""

    reply: Reply
    held: Held | None
    stop: Stop
    learnt: Learnt
    began: float
    body: bytes


class Lane:
    """`app.wsgi_app = Lane(app.wsgi_app, …)`, the place that Flask documents for such a layer."""

    def __init__(
        self,
        flask: WsgiApp,
        keys: Keys,
        stops: Iterable[Stop],
        *,
        journal: Journal,
        limiter: Limiter | None,
        origins: Iterable[str],
        max_body_bytes: int,
    ) -> None:
        self.journal = journal
        self._flask = flask
        self._keys = keys
        self._passages = Passages(keys, origins)
        self._stops: Mapping[str, Stop] = {stop.rule: stop for stop in stops}
        self._limiter = limiter
        self._max_body_bytes = max_body_bytes
        self._ids = map("".join, product((token_hex(10),), *[_THREE_DIGITS] * 4))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        taken = None if LEFT in environ else self.take(environ)
        if taken is None or not self._stores(taken, environ):
            stop = environ[LEFT]
            return self._flask(environ, start_response) if stop is None else self._teach(stop, environ, start_response)
        start_response(taken.reply.status, self.finish(taken, environ))
        return [taken.reply.body]  # a list: servers send it in one go

    def take(self, environ: Environ) -> Taken | None:
        """Answer; None: this is for Flask, as `environ` says from now on.

        What is `held` has to be stored before `finish`; where it cannot be, `leave` leaves it to Flask after all.
        """
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
            environ[LEFT] = None
            return None
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
            environ[LEFT] = stop
            return None
        body = environ["wsgi.input"].read(size)
        found = stop.handler(environ, body, passage.principal) if len(body) == size else None
        if found is not None:
            reply, held = (found.reply, found) if isinstance(found, Held) else (found, None)
            learnt = passage.learnt.get(reply.status)
            if learnt is not None:
                return Taken(reply, held, stop, learnt, began, body)
        _leave(environ, stop, body)
        return None

    def _stores(self, taken: Taken, environ: Environ) -> bool:
        """Store what the answer waits for, if it waits; False: that failed, and it is Flask's to say why."""
        if taken.held is not None:
            try:
                self.journal.append_lines(taken.held.lines)
            except DomainError as refusal:
                self.leave(taken, environ, refusal)
                return False
        return True

    def leave(self, taken: Taken, environ: Environ, refusal: DomainError) -> None:
        """Leave to Flask what could not be stored: it says why, and does not try again."""
        _leave(environ, taken.stop, taken.body)
        environ[REFUSED] = refusal

    def finish(self, taken: Taken, environ: Environ) -> Headers:
        """Count what is answered now, and return the headers."""
        if taken.held is not None:
            taken.held.stored()
        request_id = environ.get("HTTP_X_REQUEST_ID")
        if request_id is None or not _REQUEST_ID.fullmatch(request_id):
            request_id = next(self._ids)
        counts, seconds = taken.stop.counts, perf_counter() - taken.began
        counts.by_status[taken.learnt.code] += 1
        counts.by_bucket[0 if seconds <= _SOON else bisect_left(BOUNDS, seconds)] += 1
        counts.seconds += seconds
        return [*taken.learnt.headers, *taken.reply.headers, ("X-Request-Id", request_id)]

    def _admits(self, limiter: Limiter, environ: Environ, key_id: str) -> bool:
        """Count the request against its key's limit; what is over the limit Flask refuses, and counts not again."""
        if limiter.admit(key_id, monotonic()) is not None:
            return False
        environ[ADMITTED] = True
        return True

    def _teach(self, stop: Stop, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Let Flask answer, and learn the headers of its answer."""
        place = self._passages.place(stop.rule, environ)

        def start(status: str, headers: Headers, *more: Any) -> Any:
            if place is not None:
                self._passages.learn(place, status, headers)
            return start_response(status, headers, *more)

        return self._flask(environ, start)


def _leave(environ: Environ, stop: Stop, body: bytes) -> None:
    environ["wsgi.input"] = BytesIO(body)  # to be read again
    environ[LEFT] = stop


def _size(said: str) -> int:
    """Return how long a body is, 0 where that is not said plainly."""
    return int(said) if said.isdigit() and said.isascii() and len(said) <= _MAX_DIGITS else 0
