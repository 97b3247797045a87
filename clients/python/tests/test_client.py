"""The client against a server that is there, is slow, refuses, loses answers, or is away."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from email.message import Message
from enum import IntEnum
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest
from documents import catalog, experiment
from fake_server import KEY, FakeServer

from winnow_client import Assignment, Client
from winnow_client import backoff as backoff_module
from winnow_client import outbox as outbox_module
from winnow_client.backoff import backoff_seconds
from winnow_client.outbox import Outbox
from winnow_client.transport import Reply, Transport, Unreachable


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff_module, "FIRST_SECONDS", 0.02)


@contextmanager
def made(server: FakeServer, told: list[str] | None = None, **changes: Any) -> Iterator[Client]:
    settings = {"poll_seconds": 0.02, "interval_seconds": 0.02, "close_seconds": 2.0, **changes}
    client = Client(server.url, KEY, on_problem=(told if told is not None else []).append, **settings)
    with client:
        yield client


def until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_it_decides_from_the_catalog_and_follows_it(server: FakeServer) -> None:
    server.catalog = catalog(experiment(forced={"ann": "b"}))
    with made(server) as client:
        assert client.ready()
        assert client.assign("ann", {}, "banner").content == {"text": "new"}
        assert client.stats().catalog_version == 1
        seen: list[int] = []
        client.on_catalog(lambda fresh: seen.append(fresh.version))
        server.catalog = catalog(experiment(forced={"ann": "a"}), version=2)
        until(lambda: client.stats().catalog_version == 2)
        assert client.assign("ann", {}, "banner").content == {"text": "old"}
        assert seen == [2]
    asked = server.requests("/v1/catalog")
    assert asked[0].headers["Authorization"] == f"Bearer {KEY}"
    assert "If-None-Match" not in asked[0].headers
    assert asked[1].headers["If-None-Match"] == '"1"'


def test_the_last_good_catalog_serves_on(server: FakeServer) -> None:
    server.catalog = catalog(experiment(forced={"ann": "b"}))
    told: list[str] = []
    with made(server, told) as client:
        client.ready()
        server.catalog_status = 500
        until(lambda: told)
        server.catalog_status = 200
        server.catalog = {"schema": "winnow.catalog/9"}
        server.catalog["version"] = 7
        until(lambda: len(told) == 2)
        assert client.assign("ann", {}, "banner").variant == "b"
        assert "the last one stays in use: the server answers 500" in told[0]
        assert "winnow.catalog/1" in told[1]


@pytest.mark.parametrize(("status", "said"), [(401, "unknown or revoked"), (403, "may not read"), (500, "500")])
def test_a_first_catalog_that_cannot_be_read(server: FakeServer, status: int, said: str) -> None:
    server.catalog, server.catalog_status = catalog(experiment()), status
    told: list[str] = []
    with made(server, told) as client:
        assert not client.ready()
        until(lambda: told)
        assert "there is none yet" in told[0]
        assert said in told[0]
        assert ("scope `assign`" in told[0]) == (status != 500)


def test_a_stored_catalog_starts_without_a_server(server: FakeServer, tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"
    server.catalog = catalog(experiment(forced={"ann": "b"}))
    with made(server, catalog_file=file) as client:
        client.ready()
        until(file.exists)
    assert json.loads(file.read_bytes()) == server.catalog
    assert file.stat().st_mode & 0o077 == 0
    server.catalog = None
    with made(server, catalog_file=file) as client:
        assert client.ready(0)
        assert client.assign("ann", {}, "banner").variant == "b"
        assert client.stats().catalog_age_seconds is None


def test_an_unreadable_stored_catalog_is_told(server: FakeServer, tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"
    file.write_text("{")
    told: list[str] = []
    with made(server, told, catalog_file=file) as client:
        assert client.assign("ann", {}, "banner").reason == "unknown"
    assert "stored catalog" in told[0]


UNFIT = ["", "a\nb", "\ud800", "x" * 513, 4.5, True, 10**512, 10**9_999, None, b"a"]


@pytest.mark.parametrize("unit_id", UNFIT, ids=lambda unfit: type(unfit).__name__)
def test_an_unfit_id_gets_the_default_and_is_told_once(server: FakeServer, unit_id: Any) -> None:
    server.catalog = catalog(experiment())
    told: list[str] = []
    with made(server, told) as client:
        client.ready()
        assert client.assign(unit_id, {}, "banner").reason == "unknown"
        assert client.assign_all(unit_id) == []
        assert client.content(unit_id, {}, "banner", "mine") == "mine"
        assert not client.expose(unit_id, client.assign("u1", {}, "banner"))
        assert [line for line in told if "a unit id is unfit" in line] == told
        assert len(told) == 1
        assert not client.track(unit_id, "signup")


@pytest.mark.parametrize("number", [12345, 0, -7, 2**70, 10**511, IntEnum("Unit", {"ANN": 12345}).ANN])
def test_a_whole_number_is_its_digits(server: FakeServer, number: int) -> None:
    text = f"{int(number)}"
    server.catalog = catalog(experiment(forced={text: "b"}), experiment(key="two", exposure_policy="on_assignment"))
    told: list[str] = []
    with made(server, told) as client:
        client.ready()
        assert client.assign(number, {}, "banner").reason == "forced"
        assert client.assign_all(number) == client.assign_all(text)
        assert client.expose(number, client.assign(number, {}, "two"))
        assert client.track(number, "signup")
        assert client.flush()
    assert [item["unit_id"] for item in server.stored.values()] == [text] * 3
    assert told == []


def test_running_experiments_answer_together(server: FakeServer) -> None:
    server.catalog = catalog(experiment(), experiment(key="two"), experiment(key="old", status="stopped"))
    with made(server) as client:
        client.ready()
        assert [answer.experiment for answer in client.assign_all("u1")] == ["banner", "two"]
        assert client.assign("u1", {}, "old").reason == "stopped"


def test_events_arrive_as_the_api_wants_them(server: FakeServer) -> None:
    server.catalog = catalog(experiment())
    at = datetime(2026, 1, 5, 10, tzinfo=timezone(timedelta(hours=1)))
    with made(server) as client:
        client.ready()
        shown = client.assign("Müller", {}, "banner")
        assert client.expose("Müller", shown, occurred_at=at)
        assert client.track("Müller", "purchase", 12.5, event_id="order-7", occurred_at=at)
        assert client.flush()
        sent = client.stats().sent
    items = [item for asked in server.requests("/v1/events") for item in asked.body["items"]]
    exposure, event = items
    assert {**exposure, "event_id": "?"} == {
        "type": "exposure", "event_id": "?", "unit_id": "Müller", "experiment": "banner", "version": 3,
        "segment": "everyone", "variant": shown.variant, "occurred_at": "2026-01-05T09:00:00+00:00",
    }  # fmt: skip
    assert event == {
        "type": "event", "event_id": "order-7", "unit_id": "Müller", "name": "purchase", "value": 12.5,
        "occurred_at": "2026-01-05T09:00:00+00:00",
    }  # fmt: skip
    assert (sent.accepted, sent.duplicate, sent.rejected, sent.dropped) == (2, 0, 0, 0)


def test_events_are_batched(server: FakeServer) -> None:
    with made(server, batch_size=10, interval_seconds=60) as client:
        for number in range(25):
            client.track("u1", "view", number)
        until(lambda: len(server.stored) == 20)
        assert [len(asked.body["items"]) for asked in server.requests("/v1/events")] == [10, 10]
        assert client.flush()
        assert len(server.stored) == 25


def test_a_lost_answer_and_refusals_are_retried_with_the_same_ids(server: FakeServer) -> None:
    server.refusals = [(503, {}), (429, {"Retry-After": "0"})]
    server.lost_answers = 1
    with made(server) as client:
        client.track("u1", "view")
        assert client.flush()
        sent = client.stats().sent
    tries = [asked.body["items"] for asked in server.requests("/v1/events")]
    assert tries == [tries[0]] * 4
    assert len(server.stored) == 1
    assert (sent.accepted, sent.duplicate) == (0, 1)


def test_the_servers_wish_is_kept(server: FakeServer) -> None:
    server.refusals = [(503, {"Retry-After": "1"})]
    with made(server) as client:
        started = time.monotonic()
        client.track("u1", "view")
        assert client.flush()
        assert time.monotonic() - started >= 1.0


@pytest.fixture
def long_waits(quick_retries: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff_module, "FIRST_SECONDS", 60.0)


def _wait_for_a_try(server: FakeServer, told: list[str], tries: int = 1) -> None:
    until(lambda: len(server.requests("/v1/events")) == tries and any("events wait" in line for line in told))


@pytest.mark.usefixtures("long_waits")
def test_a_flush_does_not_wait_for_the_next_try(server: FakeServer) -> None:
    server.refusals = [(503, {})] * 2
    told: list[str] = []
    with made(server, told) as client:
        client.track("u1", "view")
        _wait_for_a_try(server, told)
        assert not client.flush(0.3)
        until(lambda: len(server.requests("/v1/events")) == 2)
        # One try for each flush: the server may need its rest.
        time.sleep(0.1)
        assert len(server.requests("/v1/events")) == 2
        assert client.flush()
    assert len(server.stored) == 1


def test_after_a_flush_waits_are_short_again(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.refusals = [(503, {})] * 3
    told: list[str] = []
    failed: list[int] = []

    def wait(failures: int, asked_for: float | None = None) -> float:
        failed.append(failures)
        return 0.05 if failures < 2 else 60.0

    monkeypatch.setattr(outbox_module, "backoff_seconds", wait)
    with made(server, told) as client:
        client.track("u1", "view")
        until(lambda: failed == [1, 2])
        assert client.flush()
    assert failed == [1, 2, 1]


@pytest.mark.usefixtures("long_waits")
@pytest.mark.parametrize("headers", [{}, {"Retry-After": "30"}], ids=["our own wait", "the server's wish"])
def test_the_end_does_not_wait_for_the_next_try(server: FakeServer, headers: dict[str, str]) -> None:
    server.refusals = [(503, headers)]
    told: list[str] = []
    with made(server, told) as client:
        client.track("u1", "view")
        _wait_for_a_try(server, told)
    assert len(server.stored) == 1
    assert client.stats().sent.accepted == 1


def test_the_end_overrides_the_servers_wish_once(server: FakeServer) -> None:
    server.refusals = [(503, {"Retry-After": "30"})] * 9
    told: list[str] = []
    with made(server, told, close_seconds=1.0) as client:
        client.track("u1", "view")
        _wait_for_a_try(server, told)
        assert not client.flush(0.2)
        assert len(server.requests("/v1/events")) == 1
    assert len(server.requests("/v1/events")) == 2


def test_a_batch_that_is_too_large_is_halved(server: FakeServer) -> None:
    server.refusals = [(413, {})]
    with made(server, batch_size=8, interval_seconds=60) as client:
        for _ in range(8):
            client.track("u1", "view")
        assert client.flush()
    assert [len(asked.body["items"]) for asked in server.requests("/v1/events")] == [8, 4, 4]


def test_after_a_batch_that_was_too_large_batches_grow_again(server: FakeServer) -> None:
    server.refusals = [(413, {}), (413, {})]
    with made(server, batch_size=8, interval_seconds=60) as client:
        for _ in range(16):
            client.track("u1", "view")
        assert client.flush()
    assert [len(asked.body["items"]) for asked in server.requests("/v1/events")] == [8, 4, 2, 4, 8, 2]


@pytest.mark.usefixtures("long_waits")
def test_halves_of_a_batch_that_was_too_large_are_no_failures(server: FakeServer) -> None:
    """However many there were, what waits afterwards waits as ever."""
    server.gate.clear()
    server.refusals = [(413, {}), (413, {}), (503, {})]
    told: list[str] = []
    failed: list[int] = []
    with made(server, told, batch_size=8, interval_seconds=60) as client, pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox_module, "backoff_seconds", lambda failures, _: failed.append(failures) or 0.0)
        for _ in range(8):
            client.track("u1", "view")
        server.gate.set()
        assert client.flush()
    assert failed == [1]


def test_batches_stay_below_a_megabyte(server: FakeServer) -> None:
    """500 events may have six: the server cuts the connection then, and its 413 is not always read."""
    with made(server, interval_seconds=60) as client:
        for number in range(500):
            assert client.track("😀" * 512, "view", event_id=f"{number:0>3}".ljust(512, "🎉"))
        assert client.flush(10)
        assert client.stats().sent.accepted == 500
    sizes = [int(asked.headers["Content-Length"]) for asked in server.requests("/v1/events")]
    assert max(sizes) <= 1_001_000
    assert sum(sizes) > 6_000_000
    assert len(sizes) == 7


@pytest.mark.parametrize(
    "unfit",
    [
        *({"name": name} for name in ("", "last words", "-view", "ü", "view\n", "x" * 101, "x" * 6_000_000)),
        *({"event_id": event_id} for event_id in ("a\nb", "\ud800", "x" * 513)),
    ],
    ids=lambda unfit: f"{unfit!r:.20}",
)
def test_what_the_server_takes_of_nobody_is_refused_at_once(server: FakeServer, unfit: dict[str, Any]) -> None:
    told: list[str] = []
    with made(server, told) as client:
        assert not client.track(**{"unit_id": "u1", "name": "view", **unfit})
        assert "its unit id, name, event id, value or time is unfit" in told[-1]
        assert len(told[-1]) < 250
        assert client.track("u1", "A-b._c7", event_id="😀" * 512)
        assert client.flush()
    assert client.stats().sent.accepted == 1


def test_an_exposure_that_no_batch_has_room_for_blocks_nothing(server: FakeServer) -> None:
    told: list[str] = []
    shown = Assignment(experiment="banner", variant="a", segment="x" * 6_000_000, reason="assigned", version=1)
    with made(server, told) as client:
        assert not client.expose("ann", shown)
        assert client.track("u1", "view")
        assert client.flush()
        assert (client.stats().sent.dropped, client.stats().sent.accepted) == (1, 1)
    assert any("an event was dropped, it has 6000" in line for line in told)


def test_a_connection_that_is_cut_halves_the_batch() -> None:
    """As a server may do it that takes smaller bodies than others."""
    tries: list[int] = []

    def post(body: bytes) -> Reply:
        items = json.loads(body)["items"]
        tries.append(len(items))
        if len(items) > 2:
            raise Unreachable("BrokenPipeError", cut_off=True)
        verdicts = {"items": [{"status": "accepted"}] * len(items)}
        return Reply(status=202, headers=Message(), body=json.dumps(verdicts).encode())

    outbox = Outbox(post, lambda _: None, lambda _: None, batch_size=8, interval_seconds=60, capacity=99)
    for _ in range(8):
        outbox.put({"event_id": "e"})
    assert outbox.flush(10)
    outbox.close(1)
    assert (tries[:3], outbox.sent.accepted) == ([8, 4, 2], 8)


def test_a_connection_that_is_reset_was_cut_off(server: FakeServer) -> None:
    server.lost_answers = 1
    with pytest.raises(Unreachable) as problem:
        Transport(server.url, KEY, timeout_seconds=5).post("/v1/events", b'{"items":[]}')
    assert problem.value.cut_off
    with pytest.raises(Unreachable) as problem:
        Transport("http://127.0.0.1:1", KEY, timeout_seconds=5).post("/v1/events", b"{}")
    assert not problem.value.cut_off


def test_a_refused_key_drops_and_says_so(server: FakeServer) -> None:
    server.refusals = [(401, {})]
    told: list[str] = []
    with made(server, told) as client:
        client.track("u1", "view")
        client.flush()
        assert client.stats().sent.dropped == 1
    assert any("1 events were dropped, the server answers 401" in line for line in told)


def test_rejected_items_are_counted_and_told(server: FakeServer) -> None:
    told: list[str] = []
    with made(server, told) as client:
        client.track("u1", "bad")
        client.track("u1", "view")
        client.flush()
        sent = client.stats().sent
    assert (sent.accepted, sent.rejected) == (1, 1)
    assert any("key_invalid" in line for line in told)


def test_the_queue_is_bounded_and_drops_are_told_once(server: FakeServer) -> None:
    server.gate.clear()
    told: list[str] = []
    with made(server, told, capacity=5, close_seconds=0.1) as client:
        taken = [client.track("u1", "view") for _ in range(9)]
        assert taken == [True] * 5 + [False] * 4
        assert client.stats().sent.dropped == 4
        server.gate.set()
        assert client.flush()
        assert client.stats().sent.accepted == 5
    assert [line for line in told if "dropped" in line] == ["events are dropped: 5 wait already"]


def test_what_cannot_be_sent_before_the_end_is_told(server: FakeServer) -> None:
    server.gate.clear()
    told: list[str] = []
    with made(server, told, close_seconds=0.05) as client:
        client.track("u1", "view")
    assert any("1 events could not be sent" in line for line in told)
    assert not client.track("u1", "view")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "12", True, 10**400])
def test_an_unfit_value_is_not_taken(server: FakeServer, value: Any) -> None:
    with made(server) as client:
        assert not client.track("u1", "purchase", value)


@pytest.mark.parametrize("unfit", [{"name": 7}, {"event_id": object()}, {"occurred_at": "now"}])
def test_nothing_that_is_no_event_is_taken(server: FakeServer, unfit: dict[str, Any]) -> None:
    told: list[str] = []
    with made(server, told) as client:
        assert not client.track(**{"unit_id": "u1", "name": "view", **unfit})
        assert client.track("u1", "view")
        assert client.flush()
    assert any("unfit" in line for line in told)


def test_what_cannot_be_written_is_dropped_and_the_rest_goes_on(server: FakeServer) -> None:
    server.catalog = catalog(experiment())
    told: list[str] = []
    with made(server, told, interval_seconds=60) as client:
        client.ready()
        nonsense: Any = object()
        forged = Assignment(experiment="banner", variant="a", segment="everyone", reason="assigned", version=nonsense)
        assert not client.expose("u1", forged)
        client.flush()
        client.track("u1", "view")
        assert client.flush()
        assert (client.stats().sent.dropped, client.stats().sent.accepted) == (1, 1)
    assert any("JSON" in line for line in told)


def test_asking_is_showing_where_the_experiment_says_so(server: FakeServer) -> None:
    """The id is what the server gives to the same exposure: see `experiments/services/assigning/assign.py`."""
    server.catalog = catalog(experiment(exposure_policy="on_assignment"))
    with made(server) as client:
        client.ready()
        for _ in range(3):
            shown = client.assign("ann", {}, "banner")
        client.assign_all("ann")
        client.flush()
    # printf 'banner\x1f2\x1feveryone\x1f<variant>\x1fann' | sha256sum
    hashes = {
        "a": "assigned-" + "4035c5e75c76b28e7021fe8078d333e267fe6ae13c25fab05ce1429a366d9f4e",
        "b": "assigned-" + "c50a1be6b5440c70e65e7b7235d749994efedf0baea81deedf6b342da0b87f16",
    }
    assert list(server.stored) == [hashes[shown.variant or ""]]


def test_an_exposure_that_was_refused_is_reported_when_it_is_implied_again(server: FakeServer) -> None:
    server.catalog = catalog(experiment(exposure_policy="on_assignment"))
    server.unwilling = {"ann"}
    with made(server, interval_seconds=60) as client:
        client.ready()
        for unit in ("bob", "ann", "cay"):
            client.assign(unit, {}, "banner")
        assert client.flush()
        server.unwilling = set()
        # Nothing is sent again by itself.
        assert client.stats().waiting == 0
        for unit in ("bob", "ann", "cay", "ann"):
            client.assign(unit, {}, "banner")
        assert client.flush()
        sent = client.stats().sent
    posted = [[item["unit_id"] for item in asked.body["items"]] for asked in server.requests("/v1/events")]
    assert posted == [["bob", "ann", "cay"], ["ann"]]
    assert (sent.accepted, sent.rejected) == (3, 1)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_exposure_whose_batch_was_dropped_is_reported_when_it_is_implied_again(
    server: FakeServer, status: int
) -> None:
    server.catalog = catalog(experiment(exposure_policy="on_assignment"))
    server.refusals = [(status, {})]
    with made(server, interval_seconds=60) as client:
        client.ready()
        for _ in range(3):
            client.assign("ann", {}, "banner")
            assert client.flush()
        sent = client.stats().sent
    assert (sent.accepted, sent.dropped, sent.duplicate) == (1, 1, 0)


def test_who_is_not_counted_is_not_exposed(server: FakeServer) -> None:
    server.catalog = catalog(experiment(forced={"ann": "b"}))
    with made(server) as client:
        client.ready()
        assert not client.expose("ann", client.assign("ann", {}, "banner"))


def test_a_redirect_is_not_followed(server: FakeServer) -> None:
    """It would carry the key away."""
    server.refusals = [(302, {"Location": f"{server.url}/elsewhere"})]
    with made(server) as client:
        client.track("u1", "view")
        assert client.flush()
    assert {asked.path for asked in server.asked} == {"/v1/catalog", "/v1/events"}


def test_problems_go_to_the_log_by_default(server: FakeServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "winnow_client"), Client(server.url, KEY) as client:
        client.track("u1", "purchase", float("nan"))
    assert "unfit" in caplog.text


def test_a_failing_listener_ends_nothing(server: FakeServer) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("not ours")

    server.catalog = catalog(experiment())
    with Client(server.url, KEY, on_problem=fail, poll_seconds=0.02) as client:
        client.on_catalog(fail)
        client.ready()
        server.catalog = catalog(experiment(), version=2)
        until(lambda: client.stats().catalog_version == 2)
        server.catalog = catalog(experiment(), version=3)
        until(lambda: client.stats().catalog_version == 3)
        assert not client.track("u1", "purchase", float("nan"))


def test_what_nobody_foresaw_ends_no_thread(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them the catalog would stay as it is, and nothing would be sent any more."""
    transport = Transport._ask
    broken = {path: [RuntimeError(f"no luck with {path}")] * 2 for path in ("/v1/catalog", "/v1/events")}

    def ask(self: Transport, request: Request) -> Reply:
        if wrong := broken[request.selector]:
            raise wrong.pop()
        return transport(self, request)

    monkeypatch.setattr(Transport, "_ask", ask)
    server.catalog = catalog(experiment())
    told: list[str] = []
    with made(server, told) as client:
        until(lambda: client.stats().catalog_version == 1)
        client.track("u1", "view")
        until(lambda: client.stats().sent.accepted == 1)
    for path in broken:
        assert any(f"RuntimeError: no luck with {path}" in one for one in told)


def test_only_http_addresses() -> None:
    with pytest.raises(ValueError, match="http://"):
        Client("file:///etc", KEY)


def test_backoff_doubles_up_to_a_minute() -> None:
    assert [backoff_seconds(1, 7.0), backoff_seconds(1_000) <= 60] == [7.0, True]
    assert backoff_seconds(1_000) >= 30


AT_EXIT = """
import sys
from winnow_client import Assignment, Client
client = Client(sys.argv[1], sys.argv[2], interval_seconds=60)
client.track("u1", "last_words")
"""


def test_the_end_of_the_process_flushes(server: FakeServer) -> None:
    _run(server, AT_EXIT)
    assert [item["name"] for item in server.stored.values()] == ["last_words"]


FORKED = """
import os, sys
from winnow_client import Assignment, Client
client = Client(sys.argv[1], sys.argv[2], interval_seconds=60)
client.ready()
client.track("u1", "parent")
if os.fork() == 0:
    client.track("u1", "child_" + client.assign("ann", {}, "banner").variant)
    client.flush()
    os._exit(0)
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_sends_its_own(server: FakeServer) -> None:
    server.catalog = catalog(experiment(forced={"ann": "b"}))
    _run(server, FORKED)
    posted = [[item["name"] for item in asked.body["items"]] for asked in server.requests("/v1/events")]
    assert posted == [["child_b"], ["parent"]]


REQUESTS = """
import sys
from winnow_client.transport import Transport
transport = Transport(sys.argv[1], sys.argv[2], timeout_seconds=5)
before = set(sys.modules)
for reply in (transport.get("/v1/catalog", {}), transport.post("/v1/events", b'{"items":[]}')):
    assert (reply.document(), reply.retry_after_seconds) != (None, None)
assert set(sys.modules) == before, set(sys.modules) - before
"""


def test_requests_import_nothing(server: FakeServer) -> None:
    """What a thread is importing while another one forks cannot be imported in the child."""
    _run(server, REQUESTS)


CHILDREN = """
import multiprocessing, sys
from winnow_client import Client
context = multiprocessing.get_context("fork")
old = Client(sys.argv[1], sys.argv[2], interval_seconds=60)

def grandchild():
    old.track("u1", "grandchild")

def child():
    fresh = Client(sys.argv[1], sys.argv[2], interval_seconds=60)
    old.track("u1", "old")
    fresh.track("u1", "fresh")
    below = context.Process(target=grandchild)
    below.start()
    below.join()

below = context.Process(target=child)
below.start()
below.join()
assert below.exitcode == 0
old.track("u1", "parent")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_the_end_of_a_child_of_multiprocessing_flushes(server: FakeServer) -> None:
    _run(server, CHILDREN)
    names = [item["name"] for asked in server.requests("/v1/events") for item in asked.body["items"]]
    assert sorted(names[:3]) == ["fresh", "grandchild", "old"]
    assert names[3:] == ["parent"]


COLLECTED = """
import gc, multiprocessing, sys, time, weakref
from winnow_client import Client

def ends():
    client = Client(sys.argv[1], sys.argv[2])
    client.close()
    gone = weakref.ref(client)
    del client
    deadline = time.monotonic() + 10
    while gone() is not None:
        assert time.monotonic() < deadline
        gc.collect()
        time.sleep(0.01)

ends()
below = multiprocessing.get_context("fork").Process(target=ends)
below.start()
below.join()
assert below.exitcode == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_closed_client_is_collected_in_children_too(server: FakeServer) -> None:
    _run(server, COLLECTED)


def _run(server: FakeServer, program: str) -> None:
    here = Path(__file__).resolve().parents[1]
    subprocess.run(
        [sys.executable, "-c", program, server.url, KEY],
        check=True, timeout=60, env={**os.environ, "PYTHONPATH": str(here)},
    )  # fmt: skip


def test_many_threads_lose_nothing(server: FakeServer) -> None:
    with made(server, batch_size=50) as client:
        work = [
            threading.Thread(target=lambda: [client.track("u1", "view", number) for number in range(250)])
            for _ in range(8)
        ]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        assert client.flush(30)
        assert client.stats().sent.accepted == 2_000
    assert len(server.stored) == 2_000


def test_instants_are_of_now_in_utc(server: FakeServer) -> None:
    with made(server) as client:
        client.track("u1", "view")
        client.flush()
    (item,) = server.stored.values()
    assert abs(datetime.fromisoformat(item["occurred_at"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_channel_goes_on_all_that_is_reported(server: FakeServer) -> None:
    server.catalog = catalog(experiment(forced={}))
    with made(server, channel="store") as client:
        assert client.ready()
        shown = client.assign("ann", {}, "banner")
        assert shown.counted
        client.expose("ann", shown)
        client.track("ann", "visit")
        assert client.flush()
    items = [item for asked in server.requests("/v1/events") for item in asked.body["items"]]
    assert len(items) >= 2
    assert {item["type"] for item in items} == {"exposure", "event"}
    assert {item["channel"] for item in items} == {"store"}
    with pytest.raises(ValueError, match="call_centre"):
        Client(server.url, KEY, channel="fax")
