"""What a bulk evaluation says about change streams."""

from __future__ import annotations

import time
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from api.streams.__main__ import may_open
from experiments.domain.stream_ticket import HOUR, key_of
from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock
from tests.http.api_client import BANNER, Caller
from tests.http.conftest import SETTINGS, caller, run_banner
from tests.http.test_api_ofrep import FLAGS, context

STREAMING = replace(SETTINGS, stream_url="https://streams.example")


@pytest.fixture
def streaming(clock: FakeClock) -> Caller:
    return run_banner(caller(MemoryDatabase().unit_of_work, clock, STREAMING)).with_scopes("admin")


def test_the_address_opens_a_stream_for_this_key_from_this_version_on(streaming: Caller) -> None:
    (stream,) = streaming.post(FLAGS, context()).json["eventStreams"]
    assert (stream["type"], stream["inactivityDelaySec"]) == ("sse", 120)
    parts = urlsplit(stream["url"])
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "streams.example", "/ofrep/v1/stream")
    query = parse_qs(parts.query)
    assert query["since"] == [str(streaming.winnow.catalog.current.version)]
    principal = streaming.winnow.keys.authenticate(str(streaming.key))
    assert key_of(str(STREAMING.secret_key), query["ticket"][0], time.time()) == principal.key_id
    assert str(streaming.key) not in stream["url"]


@pytest.mark.parametrize(
    ("scope", "is_open"), [("client", True), ("assign", True), ("admin", True), ("ingest", False), ("read", False)]
)
def test_who_may_ask_may_open_the_stream_that_the_answer_names(streaming: Caller, scope: str, is_open: bool) -> None:
    asking = streaming.with_scopes(scope)
    answer = asking.post(FLAGS, context())
    assert answer.status_code == (200 if is_open else 403)
    principal = asking.winnow.keys.authenticate(str(asking.key))
    assert may_open(asking.winnow, principal.key_id) is is_open
    asking.winnow.keys.revoke(principal.key_id, actor="test")
    assert not may_open(asking.winnow, principal.key_id)


def test_a_change_for_others_leaves_the_tag_and_a_new_ticket_does_not(
    streaming: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = streaming.post(FLAGS, context())
    tag = first.headers["ETag"]
    streaming.post("/v1/experiments", {**BANNER, "key": "draft"})
    streaming.winnow.catalog.refresh()
    assert streaming.post(FLAGS, context(), If_None_Match=tag).status_code == 304
    now = time.time()
    monkeypatch.setattr("api.ofrep.streams.time.time", lambda: now + HOUR)
    later = streaming.post(FLAGS, context(), If_None_Match=tag)
    assert later.status_code == 200
    assert later.json["flags"] == first.json["flags"]
    assert later.json["eventStreams"] != first.json["eventStreams"]
