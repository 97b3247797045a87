"""The queue on its way to a server that is there, is slow, refuses, loses answers, or is away."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from email.message import Message
from typing import Any
from urllib.request import Request

import pytest
from documents import catalog, experiment
from fake_server import KEY, FakeServer
from harness import made, until

from winnow_client import Assignment, Client
from winnow_client import backoff as backoff_module
from winnow_client import outbox as outbox_module
from winnow_client.backoff import backoff_seconds
from winnow_client.outbox import Outbox, Sent
from winnow_client.transport import Reply, Transport, Unreachable


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


def test_an_exposure_that_no_batch_has_room_for_blocks_nothing(server: FakeServer) -> None:
    told: list[str] = []
    shown = Assignment(experiment="banner", variant="a", segment="x" * 6_000_000, reason="assigned", version=1)
    with made(server, told) as client:
        assert not client.expose("ann", shown)
        assert client.track("u1", "view")
        assert client.flush()
        assert (client.stats().sent.dropped, client.stats().sent.accepted) == (1, 1)
    assert any("an event was dropped, it has 6000" in line for line in told)


def sent(count: int, verdicts_of: Callable[[int], list[str]]) -> Sent:
    """What becomes of so many items, where so many in a batch get these verdicts."""

    def post(body: bytes) -> Reply:
        verdicts = [{"status": status} for status in verdicts_of(len(json.loads(body)["items"]))]
        return Reply(status=202, headers=Message(), body=json.dumps({"items": verdicts}).encode())

    outbox = Outbox(post, lambda _: None, lambda _: None, batch_size=8, interval_seconds=60, capacity=99)
    for _ in range(count):
        outbox.put({"event_id": "e"})
    assert outbox.flush(20)
    outbox.close(1)
    return outbox.sent


def test_a_connection_that_is_cut_halves_the_batch() -> None:
    """As a server may do it that takes smaller bodies than others."""
    tries: list[int] = []

    def verdicts_of(count: int) -> list[str]:
        tries.append(count)
        if count > 2:
            raise Unreachable("BrokenPipeError", cut_off=True)
        return ["accepted"] * count

    assert sent(8, verdicts_of) == Sent(accepted=8)
    assert tries == [8, 4, 2, 2, 2, 2], "larger ones are not tried at once again"


def test_without_a_verdict_nothing_is_taken_for_sent() -> None:
    answers: list[list[str]] = [[], ["accepted"], ["accepted", "duplicate"]]
    assert sent(3, lambda count: answers.pop(0)) == Sent(accepted=2, duplicate=1)
    assert answers == []


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
