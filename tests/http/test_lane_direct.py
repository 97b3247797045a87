"""Granian's own way: an answer that waits for the disk holds no thread, and is none before it is stored."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from granian import wsgi
from granian.server import mp

from api.lane.direct import SERVER, WRAPS, answer_directly
from experiments.domain.errors import DomainError, Unavailable
from experiments.services.recording.lines import Lines
from experiments.services.recording.ports import Told
from tests.conftest import FakeClock
from tests.http.api_client import BANNER, EVENT, Caller
from tests.http.lanes import Asked
from tests.http.spooled import EVENTS, Spooled, spooled_app

ONE = "/v1/assignments"
SENT = json.dumps({"items": [EVENT]}).encode()
SECONDS = 20


class Queue:
    """What is to be stored later, and is not yet."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Lines, Told]] = []

    def __call__(self, lines: Lines, told: Told) -> None:
        self.waiting.append((lines, told))

    def end(self, refusal: DomainError | None = None) -> None:
        for _, told in self.waiting:
            told(refusal)


@pytest.fixture
def spooled(tmp_path: Path, clock: FakeClock) -> Iterator[Spooled]:
    with spooled_app(tmp_path, clock) as made:
        yield made


def statuses(asked: Asked) -> list[int]:
    return [status for status, _, _ in asked.answers]


def offered(spooled: Spooled) -> None:
    """Run an experiment where asking is showing."""
    offer = {**BANNER, "key": "offer", "exposure_policy": "on_assignment"}
    assert spooled.caller.post("/v1/experiments", offer).status_code == 201
    assert spooled.caller.post("/v1/experiments/offer/start").status_code == 200


def counted(spooled: Spooled) -> int:
    return sum(spooled.lanes.lane._stops[EVENTS].counts.by_status)


def test_an_answer_that_waits_is_given_when_it_is_stored_and_counted_then(spooled: Spooled) -> None:
    queue, before = Queue(), counted(spooled)
    asked = spooled.lanes.direct(EVENTS, SENT, later=queue)
    [(lines, _)] = queue.waiting
    assert (lines.event_rows, lines.events.split(b"\t")[:3]) == (1, [b"e1", b"u1", b"visit"])
    assert (asked.answers, counted(spooled)) == ([], before)
    queue.end()
    assert (statuses(asked), counted(spooled)) == ([202], before + 1)
    assert json.loads(asked.answers[0][2])["accepted"] == 1


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        (EVENTS, SENT),
        (ONE, b'{"unit_id":"new"}'),
        ("/v1/assignments/batch", b'{"units":[{"unit_id":"new"}]}'),
        ("/ofrep/v1/evaluate/flags/offer", b'{"context":{"targetingKey":"new"}}'),
        ("/ofrep/v1/evaluate/flags", b'{"context":{"targetingKey":"new"}}'),
    ],
    ids=["events", "one", "many", "flag", "flags"],
)
def test_what_is_refused_after_all_is_told_by_flask_which_does_not_try_again(
    spooled: Spooled, monkeypatch: pytest.MonkeyPatch, path: str, sent: bytes
) -> None:
    offered(spooled)
    spooled.lanes.plain(path, sent.replace(b"new", b"somebody"))
    spooled.lanes.fast(path, sent.replace(b"new", b"somebody"))
    tries: list[int] = []

    def full(entries: Sequence[Lines], *, forget: int, above: int) -> int:
        tries.append(len(entries))
        raise Unavailable("spool_full", "No room.")

    monkeypatch.setattr(spooled.spool._file, "write", full)
    asked = spooled.lanes.direct(path, sent, later=spooled.spool.append_lines_later)
    assert asked.came.wait(SECONDS)
    [(status, headers, body)] = asked.answers
    assert tries == [1]
    fast = spooled.lanes.fast(path, sent)
    assert tries == [1, 1]
    plain = spooled.lanes.plain(path, sent)
    assert tries == [1, 1, 1]
    assert (status, plain.status[:3], dict(headers)["Retry-After"]) == (503, "503", "1")
    assert (headers, body) == (plain.headers, plain.body)
    assert (fast.status, fast.headers, fast.body) == (plain.status, plain.headers, plain.body)


def test_what_is_refused_at_once_is_told_at_once(spooled: Spooled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooled.spool, "_max_bytes", 10)
    asked = spooled.lanes.direct(EVENTS, SENT, later=spooled.spool.append_lines_later)
    assert statuses(asked) == [503]
    assert json.loads(asked.answers[0][2])["code"] == "spool_full"


def test_a_disk_that_does_not_answer_holds_nobody_who_needs_none(spooled: Spooled) -> None:
    start = spooled.spool._file.last_id
    with sqlite3.connect(spooled.spool._file.hold.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = [
            spooled.lanes.direct(
                EVENTS,
                json.dumps({"items": [EVENT | {"event_id": f"e{number}"}]}).encode(),
                later=spooled.spool.append_lines_later,
            )
            for number in range(50)
        ]
        assert statuses(spooled.lanes.direct(ONE, b'{"unit_id":"u1"}', later=Queue())) == [200]
        assert not any(asked.answers for asked in waiting)
        other.execute("COMMIT")
    assert all(asked.came.wait(SECONDS) for asked in waiting)
    assert {status for asked in waiting for status in statuses(asked)} == {202}
    stored = b"\n".join(line for events, _ in spooled.rows(start) for line in events if line)
    assert sorted(line.split(b"\t")[0].decode() for line in stored.split(b"\n")) == sorted(f"e{n}" for n in range(50))


def test_an_exposure_is_stored_before_it_is_told_and_asked_for_once(spooled: Spooled) -> None:
    api = spooled.lanes
    offered(spooled)
    body, queue = b'{"unit_id":"new","experiment":"offer"}', Queue()
    api.fast(ONE, b'{"unit_id":"somebody"}')
    asked = api.direct(ONE, body, later=queue)
    assert (asked.answers, queue.waiting[0][0].exposure_rows) == ([], 1)
    queue.end()
    assert statuses(asked) == [200]
    assert statuses(api.direct(ONE, body, later=Queue())) == [200]


class TestHookingIn:
    """`answer_directly` changes one name of Granian's, and only where it knows what that is."""

    @pytest.fixture(autouse=True)
    def _restore(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mp, WRAPS, wsgi._callback_wrapper)

    def test_granian_is_one_that_is_known(self, running: Caller) -> None:
        app = running.client.application
        assert answer_directly(app, Queue())
        made = getattr(mp, WRAPS)(app, {}, None)
        asked = Asked()
        made(asked, {"PATH_INFO": "/healthz", "REQUEST_METHOD": "GET", "wsgi.url_scheme": "http", **SERVED})
        assert statuses(asked) == [200]
        assert made.__qualname__.startswith("direct.")

    @pytest.mark.parametrize(
        ("callback", "options", "log_format"),
        [(lambda *_: [], {}, None), (None, {}, "%(addr)s"), (None, {"url_path_prefix": "/below"}, None)],
        ids=["another app", "a log of accesses", "a prefix"],
    )
    def test_what_is_served_otherwise_goes_as_it_went(
        self, running: Caller, callback: Any, options: dict[str, Any], log_format: str | None
    ) -> None:
        app = running.client.application
        assert answer_directly(app, Queue())
        made = getattr(mp, WRAPS)(callback or app, options, log_format)
        assert not made.__qualname__.startswith("direct.")

    @pytest.mark.parametrize("wraps", [None, lambda callback, *_: callback, dict], ids=["gone", "other", "a class"])
    def test_a_server_that_is_not_known_is_left_alone(
        self, running: Caller, monkeypatch: pytest.MonkeyPatch, wraps: Any
    ) -> None:
        unknown = ModuleType(SERVER)
        if wraps:
            setattr(unknown, WRAPS, wraps)
        monkeypatch.setitem(sys.modules, SERVER, unknown)
        assert not answer_directly(running.client.application, Queue())
        assert getattr(unknown, WRAPS, None) is wraps


SERVED = {
    "QUERY_STRING": "",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
}
