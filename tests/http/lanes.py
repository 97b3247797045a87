"""The same request through the fast lane, by WSGI and by Granian's own way, and through Flask alone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from granian.wsgi import _callback_wrapper

from api.lane.direct import Later, direct
from api.lane.lane import Lane
from experiments.services.recording.lines import Lines
from experiments.services.recording.ports import Told
from tests.http.api_client import Caller


@dataclass(frozen=True)
class Answer:
    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    by_flask: bool


class Asked:
    """Granian's side of one request, which may be answered later and by another thread."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, tuple[tuple[str, str], ...], bytes]] = []
        self.came = threading.Event()

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.answers.append((status, tuple(sorted(headers)), body))
        self.came.set()

    def response_iter(self, status: int, headers: list[tuple[str, str]], body: Any) -> None:
        chunks = []
        with contextlib.suppress(StopIteration):
            while True:
                chunks.append(body.__next__())
        body.close()
        self.response_bytes(status, headers, b"".join(chunks))


@dataclass(frozen=True)
class Lanes:
    """`fast` is the app as any WSGI server serves it, `direct` as Granian does; `plain` is Flask by itself."""

    lane: Lane
    key: str | None

    @classmethod
    def of(cls, caller: Caller) -> Lanes:
        lane: Any = caller.client.application.wsgi_app
        return cls(lane=lane, key=caller.key)

    def fast(self, path: str, body: bytes, **environ: str) -> Answer:
        seen: list[None] = []
        flask = self.lane._flask

        def noticed(*arguments: Any) -> Any:
            seen.append(None)
            return flask(*arguments)

        self.lane._flask = noticed
        try:
            return self._call(self.lane, path, body, environ, lambda: bool(seen))
        finally:
            self.lane._flask = flask

    def plain(self, path: str, body: bytes, **environ: str) -> Answer:
        return self._call(self.lane._flask, path, body, environ, lambda: True)

    def direct(self, path: str, body: bytes, *, later: Later | None = None, **environ: str) -> Asked:
        """`later`: what stores; by default at once, as the journal does."""
        asked = Asked()
        plain = _callback_wrapper(self.lane, {})
        direct(self.lane, plain, later or self._at_once)(asked, self._environ(path, body, environ))
        return asked

    def _at_once(self, lines: Lines, told: Told) -> None:
        self.lane.journal.append_lines(lines)
        told(None)

    def _environ(self, path: str, body: bytes, environ: dict[str, str]) -> dict[str, Any]:
        return {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_X_REQUEST_ID": "one-request",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
            "wsgi.input_terminated": True,  # as Granian says
            "wsgi.errors": BytesIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **({"HTTP_AUTHORIZATION": f"Bearer {self.key}"} if self.key else {}),
            **environ,
        }

    def _call(self, app: Any, path: str, body: bytes, environ: dict[str, str], by_flask: Callable[[], bool]) -> Answer:
        started: list[tuple[str, list[tuple[str, str]]]] = []
        asked = self._environ(path, body, environ)
        chunks = app(asked, lambda status, headers, *_: started.append((status, headers)))
        text = b"".join(chunks)
        if hasattr(chunks, "close"):
            chunks.close()
        ((status, headers),) = started
        return Answer(status=status, headers=tuple(sorted(headers)), body=text, by_flask=by_flask())

    def same(self, path: str, body: bytes, **environ: str) -> Answer:
        """Assert that all say the same, header by header, and return what the fast one says."""
        plain, fast = self.plain(path, body, **environ), self.fast(path, body, **environ)
        assert (fast.status, fast.headers, fast.body) == (plain.status, plain.headers, plain.body)
        [(status, *rest)] = self.direct(path, body, **environ).answers
        assert (status, *rest) == (int(plain.status[:3]), plain.headers, plain.body)
        return fast
