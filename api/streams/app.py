"""The ASGI application: open streams wait in one event loop, and hear when the stored catalog version moves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from api.logs import logger
from api.ofrep.streams import PATH
from experiments.domain.errors import Unavailable, cause_of
from experiments.domain.stream_ticket import key_of

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

HEARTBEAT_SECONDS = 15.0
RETRY_SECONDS = 5
CLOSING_SECONDS = 5.0
_log = logger("winnow.streams")


@dataclass(eq=False, slots=True)
class _Stream:
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: bool = False

    def end(self) -> None:
        self.is_over = True
        self.wake.set()


@dataclass(frozen=True, slots=True)
class _Asked:
    """`known` is the catalog version that the client has seen."""

    ticket: str
    known: str
    shared: Headers
    receive: Receive
    send: Send


class Streams:
    """`look` returns the stored catalog version, `may` says whether a key still opens streams; both may block or fail.

    `origins` may read across origins (`*`: all), `most` streams may be open, and it is looked every `look_every`
    seconds.
    """

    def __init__(
        self,
        look: Callable[[], int],
        may: Callable[[str], bool],
        secret: str,
        *,
        origins: tuple[str, ...] = (),
        most: int = 5_000,
        look_every: float = 0.5,
        heartbeat: float = HEARTBEAT_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._look, self._may, self._secret, self._now = look, may, secret, now
        self._origins, self._most, self._look_every, self._heartbeat = origins, most, look_every, heartbeat
        self._open: set[_Stream] = set()
        self._version: int | None = None
        self._moved_at = int(now())
        self._is_closing = False
        self._watching: asyncio.Task[None] | None = None

    def numbers(self) -> Mapping[str, float]:
        """Return for the metrics how many streams are open."""
        return {"streams": len(self._open)}

    async def close(self) -> None:
        """End every stream, and take no more."""
        self._is_closing = True
        if self._watching is not None:
            self._watching.cancel()
        for stream in self._open:
            stream.end()
        until = time.monotonic() + CLOSING_SECONDS
        while self._open and time.monotonic() < until:
            await asyncio.sleep(0.01)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, or watch from start to end of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            asked: str = (await receive())["type"]
            if asked == "lifespan.startup":
                self._watching = asyncio.create_task(self._watch())
            else:
                await self.close()
            await send({"type": f"{asked}.complete"})
            if asked != "lifespan.startup":
                return

    async def _watch(self) -> None:
        is_failing = False
        while True:
            try:
                version = await asyncio.to_thread(self._look)
            except Exception as error:  # noqa: BLE001 - nothing may end what keeps clients up to date
                if not is_failing:
                    _log.warning("catalog_version_unknown", error=repr(error), cause=cause_of(error))
                is_failing = True
            else:
                is_failing = False
                self._move_to(version)
            await asyncio.sleep(self._look_every)

    def _move_to(self, version: int) -> None:
        if version != self._version:
            self._version, self._moved_at = version, int(self._now())
            for stream in self._open:
                stream.wake.set()

    async def _answer(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        shared = self._shared_with(headers.get("origin", ""))
        method, path = scope["method"], scope["path"]
        if path == "/healthz":
            await _reply(send, 200, {"status": "ok", "streams": len(self._open)}, shared)
        elif path != PATH:
            await _reply(send, 404, {"detail": "There is nothing at this address."}, shared)
        elif method == "OPTIONS":
            allowed = [(b"access-control-allow-headers", b"Authorization, Cache-Control, Last-Event-ID")]
            await _reply(send, 204, None, [*shared, *allowed, (b"access-control-max-age", b"600")])
        elif method != "GET":
            await _reply(send, 405, {"detail": "Streams are read."}, [*shared, (b"allow", b"GET, OPTIONS")])
        else:
            query = parse_qs(scope["query_string"].decode("latin-1"))
            known = headers.get("last-event-id") or _first(query, "since")
            await self._open_stream(_Asked(_first(query, "ticket"), known, shared, receive, send))

    def _shared_with(self, origin: str) -> Headers:
        if "*" in self._origins:
            return [(b"access-control-allow-origin", b"*")]
        vary = [(b"vary", b"Origin")]
        return [*vary, (b"access-control-allow-origin", origin.encode())] if origin in self._origins else vary

    async def _open_stream(self, asked: _Asked) -> None:
        later = [*asked.shared, (b"retry-after", str(RETRY_SECONDS).encode())]
        if self._is_closing or len(self._open) >= self._most:
            await _reply(asked.send, 503, {"detail": "No more streams can be opened here; try later."}, later)
            return
        stream = _Stream()
        self._open.add(stream)
        try:
            key_id = key_of(self._secret, asked.ticket, self._now())
            if key_id is not None and await asyncio.to_thread(self._may, key_id):
                await self._tell(stream, key_id, asked)
            else:
                told = {"detail": "This address is no longer good: evaluate all flags again, the answer has a new one."}
                await _reply(asked.send, 401, told, asked.shared)
        except Unavailable:
            await _reply(asked.send, 503, {"detail": "The database is away; try again later."}, later)
        finally:
            self._open.discard(stream)

    async def _tell(self, stream: _Stream, key_id: str, asked: _Asked) -> None:
        """Tell of the present version where the client does not know it, and of each next one."""
        await _begin(asked)
        known = asked.known
        leaving = asyncio.create_task(_leave(stream, asked.receive))
        checked_again_at = self._next_check()
        try:
            while not stream.is_over:
                stream.wake.clear()
                if self._version is not None and str(self._version) != known:
                    known = str(self._version)
                    await _send(asked.send, self._notice())
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stream.wake.wait(), max(checked_again_at - time.monotonic(), 0))
                # However often the catalog changes meanwhile.
                if time.monotonic() >= checked_again_at:
                    if not await self._is_still_allowed(key_id):
                        break
                    await _send(asked.send, b": still here\n\n")
                    checked_again_at = self._next_check()
            await asked.send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            leaving.cancel()

    def _next_check(self) -> float:
        return time.monotonic() + self._heartbeat * random.uniform(0.8, 1.2)

    def _notice(self) -> bytes:
        told = {"type": "refetchEvaluation", "etag": str(self._version), "lastModified": self._moved_at}
        return f"id: {self._version}\ndata: {json.dumps(told)}\n\n".encode()

    async def _is_still_allowed(self, key_id: str) -> bool:
        try:
            return await asyncio.to_thread(self._may, key_id)
        except Unavailable:
            return True


async def _leave(stream: _Stream, receive: Receive) -> None:
    """Wait until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()


async def _begin(asked: _Asked) -> None:
    headers = [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
        *asked.shared,
    ]
    await asked.send({"type": "http.response.start", "status": 200, "headers": headers})
    # After a restart not all come back in the same moment.
    await _send(asked.send, f"retry: {random.randint(1_000, 4_000)}\n\n".encode())


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _reply(send: Send, status: int, document: object, headers: Headers) -> None:
    body = b"" if document is None else json.dumps(document).encode()
    kind = [(b"content-type", b"application/json")] if body else []
    await send({"type": "http.response.start", "status": status, "headers": [*kind, *headers]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _first(query: Mapping[str, list[str]], name: str) -> str:
    return query.get(name, [""])[0]
