"""The change streams as an ASGI application: who may open one, what is told, and how one ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from api.streams.app import Streams
from experiments.domain.errors import Unavailable
from experiments.domain.stream_ticket import HOUR, key_of, ticket

SECRET = "s" * 40
NOW = 1_771_622_898.0
SHOP = "https://shop.example"


@dataclass
class House:
    """What the streams look at; each may be replaced."""

    version: int = 1
    allowed: set[str] = field(default_factory=lambda: {"key1"})
    is_away: bool = False
    step: int = 0
    """By how much the version moves at every look."""

    def look(self) -> int:
        self.version += self.step
        return self._or_away(self.version)

    def may(self, key_id: str) -> bool:
        return self._or_away(key_id in self.allowed)

    def _or_away(self, answer: Any) -> Any:
        if self.is_away:
            raise Unavailable("database_unavailable", "Away.")
        return answer


class Client:
    """One request to an ASGI application."""

    def __init__(self, app: Streams, path: str, method: str, headers: dict[str, str]) -> None:
        target, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": target,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_ended = False
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self._heard = asyncio.Event()
        self.task = asyncio.create_task(app(scope, self._incoming.get, self._send))

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message["body"]
            self.is_ended = not message["more_body"]
        self._heard.set()

    def leave(self) -> None:
        self._incoming.put_nowait({"type": "http.disconnect"})

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not is_so():
                self._heard.clear()
                await self._heard.wait()

    @property
    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Ids and data, read as the specification of server-sent events says."""
        found = []
        for block in self.body.decode().split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
            if "data" in lines:
                found.append((lines["id"], json.loads(lines["data"])))
        return found

    def notices(self, count: int) -> Callable[[], bool]:
        return lambda: len(self.events) >= count


@dataclass
class Running:
    house: House
    app: Streams
    clients: list[Client] = field(default_factory=list)

    def get(self, path: str, method: str = "GET", **headers: str) -> Client:
        client = Client(self.app, path, method, {name.replace("_", "-"): value for name, value in headers.items()})
        self.clients.append(client)
        return client

    def open(self, since: object = 1, key_id: str = "key1", **headers: str) -> Client:
        return self.get(f"/ofrep/v1/stream?since={since}&ticket={ticket(SECRET, key_id, NOW)}", **headers)


def play(story: Callable[[Running], Coroutine[Any, Any, None]], **options: Any) -> None:
    """Run a story on an application that is alive."""

    async def told() -> None:
        house = House()
        chosen = {"origins": (SHOP,), "look_every": 0.01, "heartbeat": 60.0, "now": lambda: NOW, **options}
        app = Streams(house.look, house.may, SECRET, **chosen)
        asked: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        said: asyncio.Queue[Any] = asyncio.Queue()
        living = asyncio.create_task(app({"type": "lifespan"}, asked.get, said.put))
        asked.put_nowait({"type": "lifespan.startup"})
        assert (await said.get())["type"] == "lifespan.startup.complete"
        running = Running(house, app)
        try:
            await story(running)
        finally:
            asked.put_nowait({"type": "lifespan.shutdown"})
            assert (await said.get())["type"] == "lifespan.shutdown.complete"
            await living
        for client in running.clients:
            async with asyncio.timeout(5):
                await client.task
            assert client.is_ended

    asyncio.run(told())


def test_a_change_is_told_once_with_what_a_client_repeats() -> None:
    async def story(running: Running) -> None:
        client = running.open(since=1)
        await client.until(lambda: client.status == 200)
        assert client.headers["content-type"] == "text/event-stream"
        assert client.headers["cache-control"] == "no-store"
        await asyncio.sleep(0.1)
        assert client.events == []
        running.house.version = 2
        await client.until(client.notices(1))
        await asyncio.sleep(0.1)
        assert client.events == [
            ("2", {"type": "refetchEvaluation", "etag": "2", "lastModified": int(NOW)}),
        ]
        running.house.version = 5
        await client.until(client.notices(2))
        assert client.events[1][0] == "5"

    play(story)


@pytest.mark.parametrize(
    ("since", "last_event_id", "count"),
    [(1, "", 0), (0, "", 1), ("", "", 1), (0, "1", 0), (1, "0", 1), ("x", "", 1)],
)
def test_who_missed_a_change_hears_of_it_at_once(since: object, last_event_id: str, count: int) -> None:
    async def story(running: Running) -> None:
        await asyncio.sleep(0.05)
        client = running.open(since, **({"Last_Event_ID": last_event_id} if last_event_id else {}))
        await client.until(lambda: client.status == 200)
        await asyncio.sleep(0.1)
        assert len(client.events) == count

    play(story)


def test_a_ticket_is_good_for_its_hour_and_the_next() -> None:
    written = ticket(SECRET, "key1", NOW)
    begin = NOW // HOUR * HOUR
    assert ticket(SECRET, "key1", begin) == written == ticket(SECRET, "key1", begin + HOUR - 1)
    assert [key_of(SECRET, written, begin + hours * HOUR) for hours in (-1, 0, 1, 2)] == [None, "key1", "key1", None]
    assert key_of("t" * 40, written, NOW) is None
    for wrong in ("", ".", "..", "key1", written[:-1], written + "x", "key2" + written[4:], "key1.x.y", "ü.1.ü"):
        assert key_of(SECRET, wrong, NOW) is None


@pytest.mark.parametrize(
    "query", ["", "?ticket=", "?ticket=key1.1.x", f"?ticket={ticket(SECRET, 'key2', NOW)}", "?ticket=%ff.1.%ff"]
)
def test_without_a_good_ticket_of_a_good_key_nothing_opens(query: str) -> None:
    async def story(running: Running) -> None:
        client = running.get(f"/ofrep/v1/stream{query}", Origin=SHOP)
        await client.task
        assert client.status == 401
        assert client.headers["access-control-allow-origin"] == SHOP

    play(story)


def test_streams_of_a_key_that_was_revoked_end_with_the_next_heartbeat() -> None:
    async def story(running: Running) -> None:
        client, other = running.open(), running.open()
        await client.until(lambda: b": still here" in client.body)
        running.house.is_away = True
        before = client.body.count(b": still here")
        await client.until(lambda: client.body.count(b": still here") > before + 1)
        running.house.is_away = False
        running.house.allowed.clear()
        await client.until(lambda: client.is_ended)
        await other.until(lambda: other.is_ended)

    play(story, heartbeat=0.02)


def test_a_catalog_that_keeps_changing_keeps_no_stream_of_a_revoked_key_open() -> None:
    async def story(running: Running) -> None:
        client = running.open()
        running.house.step = 1
        await client.until(lambda: b": still here" in client.body)
        running.house.allowed.clear()
        await client.until(lambda: client.is_ended)
        assert len(client.events) > 2

    play(story, heartbeat=0.1)


def test_there_is_an_end_to_the_streams_and_room_when_one_leaves() -> None:
    async def story(running: Running) -> None:
        first, second = running.open(), running.open()
        await second.until(lambda: second.status == 200)
        refused = running.open()
        await refused.task
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        assert running.app.numbers() == {"streams": 2}
        first.leave()
        await first.task
        third = running.open()
        await third.until(lambda: third.status == 200)

    play(story, most=2)


def test_while_the_database_is_away_streams_stay_and_none_opens() -> None:
    async def story(running: Running) -> None:
        client = running.open()
        await client.until(lambda: client.status == 200)
        running.house.is_away = True
        refused = running.open()
        await refused.task
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        await asyncio.sleep(0.05)
        assert not client.is_ended
        running.house.version, running.house.is_away = 7, False
        await client.until(client.notices(1))

    play(story)


def test_who_may_read_across_origins() -> None:
    async def story(running: Running) -> None:
        for origin, shared in ((SHOP, SHOP), ("https://elsewhere.example", None), ("", None)):
            client = running.open(Origin=origin)
            await client.until(lambda client=client: client.status == 200)  # type: ignore[misc]
            assert client.headers.get("access-control-allow-origin") == shared
        preflight = running.get("/ofrep/v1/stream", "OPTIONS", Origin=SHOP)
        await preflight.task
        assert preflight.status == 204
        assert "Last-Event-ID" in preflight.headers["access-control-allow-headers"]

    play(story)


def test_where_any_page_may_read_streams_are_no_exception() -> None:
    async def story(running: Running) -> None:
        for origin in (SHOP, "https://elsewhere.example", ""):
            client = running.open(Origin=origin)
            await client.until(lambda client=client: client.status == 200)  # type: ignore[misc]
            assert client.headers["access-control-allow-origin"] == "*"
        preflight = running.get("/ofrep/v1/stream", "OPTIONS", Origin="https://elsewhere.example")
        await preflight.task
        assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (204, "*")
        assert "Last-Event-ID" in preflight.headers["access-control-allow-headers"]
        refused = running.get("/ofrep/v1/stream?ticket=none", Origin="https://elsewhere.example")
        await refused.task
        assert (refused.status, refused.headers["access-control-allow-origin"]) == (401, "*")

    play(story, origins=("*",))


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/healthz", "GET", 200), ("/", "GET", 404), ("/v1/experiments", "GET", 404), ("/ofrep/v1/stream", "POST", 405)],
)
def test_there_is_nothing_else(path: str, method: str, status: int) -> None:
    async def story(running: Running) -> None:
        client = running.get(path, method)
        await client.task
        assert client.status == status

    play(story)
