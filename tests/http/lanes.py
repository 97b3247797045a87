"""The same request through the fast lane and through Flask alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from api.lane.lane import Lane
from tests.http.api_client import Caller


@dataclass(frozen=True)
class Answer:
    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    by_flask: bool


@dataclass(frozen=True)
class Lanes:
    """`fast` is the app as it is served; `plain` is Flask by itself, on the same services."""

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

    def _call(self, app: Any, path: str, body: bytes, environ: dict[str, str], by_flask: Callable[[], bool]) -> Answer:
        started: list[tuple[str, list[tuple[str, str]]]] = []
        asked: dict[str, Any] = {
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
            "wsgi.errors": BytesIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **({"HTTP_AUTHORIZATION": f"Bearer {self.key}"} if self.key else {}),
            **environ,
        }
        chunks = app(asked, lambda status, headers, *_: started.append((status, headers)))
        text = b"".join(chunks)
        if hasattr(chunks, "close"):
            chunks.close()
        ((status, headers),) = started
        return Answer(status=status, headers=tuple(sorted(headers)), body=text, by_flask=by_flask())

    def same(self, path: str, body: bytes, **environ: str) -> Answer:
        """Assert that both say the same, header by header, and return what the fast one says."""
        plain, fast = self.plain(path, body, **environ), self.fast(path, body, **environ)
        assert (fast.status, fast.headers, fast.body) == (plain.status, plain.headers, plain.body)
        return fast
