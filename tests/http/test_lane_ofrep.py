"""OFREP through the fast lane and through Flask: the same bytes, tags, refusals and counts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock
from tests.http.api_client import BANNER, Caller
from tests.http.conftest import SETTINGS, caller, run_banner
from tests.http.lanes import Lanes

ALL = "/ofrep/v1/evaluate/flags"
ONE = f"{ALL}/banner"
CONTEXT = b'{"context":{"targetingKey":"u1","mens":1}}'


@pytest.fixture
def lanes(running: Caller) -> Lanes:
    """Two experiments are live, one of them paused; the headers of all answers are learnt."""
    second = {**BANNER, "key": "offer", "exposure_policy": "on_assignment"}
    assert running.post("/v1/experiments", second).status_code == 201
    for step in ("start", "pause"):
        assert running.post(f"/v1/experiments/offer/{step}").status_code == 200
    return learnt(running)


def learnt(api: Caller) -> Lanes:
    made = Lanes.of(api)
    for path in (ALL, ONE):
        made.fast(path, CONTEXT)
    return made


@pytest.mark.parametrize("path", [ALL, ONE, f"{ALL}/offer"])
@pytest.mark.parametrize(
    "context",
    [{"targetingKey": "u1"}, {"mens": 1, "targetingKey": "Zoë 🛒"}, {"targetingKey": "u", "deep": {"x": [{"y": 1.5}]}}],
)
def test_clean_contexts_take_the_lane(lanes: Lanes, path: str, context: dict[str, Any]) -> None:
    answer = lanes.same(path, json.dumps({"context": context}).encode())
    assert (answer.status, answer.by_flask) == ("200 OK", False)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"context":{}}', "400 BAD REQUEST"),
        (b"{}", "400 BAD REQUEST"),
        (b"[]", "400 BAD REQUEST"),
        (b"{", "400 BAD REQUEST"),
        (b'{"context":{"targetingKey":""}}', "400 BAD REQUEST"),
        (b'{"context":{"targetingKey":7}}', "400 BAD REQUEST"),
        (b'{"context":{"targetingKey":"u","targetingKey":"v"}}', "400 BAD REQUEST"),
        (b'{"context":{"targetingKey":"u","a":{"b":1,"b":2}}}', "400 BAD REQUEST"),
        (b'{"context":{"targetingKey":"u"},"more":{"x":1}}', "200 OK"),
    ],
)
def test_other_contexts_are_judged_by_flask(lanes: Lanes, body: bytes, status: str) -> None:
    for path in (ALL, ONE):
        answer = lanes.same(path, body)
        assert (answer.status, answer.by_flask) == (status, True)


def test_an_unknown_flag_is_flask_s_to_refuse(lanes: Lanes) -> None:
    answer = lanes.same(f"{ALL}/unknown", CONTEXT)
    assert (answer.status, answer.by_flask) == ("404 NOT FOUND", True)
    assert lanes.same(f"{ALL}/", CONTEXT).by_flask


def test_a_client_that_has_it_is_told_so(lanes: Lanes) -> None:
    tag = dict(lanes.same(ALL, CONTEXT).headers)["ETag"]
    first = lanes.same(ALL, CONTEXT, HTTP_IF_NONE_MATCH=tag)
    again = lanes.same(ALL, CONTEXT, HTTP_IF_NONE_MATCH=tag)
    assert [(first.status, first.by_flask), (again.status, again.by_flask)] == [
        ("304 NOT MODIFIED", True),
        ("304 NOT MODIFIED", False),
    ]
    for other in ('"other"', f'"x", {tag}', f"W/{tag}", "*"):
        assert lanes.same(ALL, CONTEXT, HTTP_IF_NONE_MATCH=other).by_flask


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
CONTEXTS = st.dictionaries(st.sampled_from(["targetingKey", "mens", ":"]) | st.text(), VALUES | st.lists(VALUES))


@given(context=CONTEXTS, one=st.booleans(), ascii_only=st.booleans())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_context_gets_one_answer(lanes: Lanes, context: Any, one: bool, ascii_only: bool) -> None:
    text = json.dumps({"context": context}, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    lanes.same(ONE if one else ALL, text)


def samples(api: Caller) -> dict[str, int]:
    text = api.get("/metrics").text
    return {
        line.rsplit(" ", 1)[0]: int(float(line.rsplit(" ", 1)[1]))
        for line in text.splitlines()
        if line.startswith(("winnow_decisions_total", "winnow_http_requests_total"))
    }


def test_both_lanes_are_counted_alike(lanes: Lanes, running: Caller) -> None:
    body = b'{"unit_id":"u1"}'
    many = b'{"units":[{"unit_id":"u1"},{"unit_id":"u2"}]}'
    ways = ((ONE, CONTEXT), (ALL, CONTEXT), ("/v1/assignments", body), ("/v1/assignments/batch", many))
    for path, sent in ways:
        lanes.fast(path, sent)
    before = samples(running)
    for path, sent in ways:
        assert lanes.plain(path, sent).by_flask
    middle = samples(running)
    for path, sent in ways:
        assert not lanes.fast(path, sent).by_flask
    after = samples(running)
    by_flask = {name: middle[name] - before.get(name, 0) for name in middle if "/metrics" not in name}
    by_lane = {name: after[name] - middle.get(name, 0) for name in after if "/metrics" not in name}
    assert by_lane == by_flask
    assert sum(by_lane.values()) == 4 + (1 + 2) + (
        1 + 2
    )  # requests; decisions for flags, one and all; for units, one and two


def test_what_flask_compares_is_counted_once(lanes: Lanes, running: Caller) -> None:
    lanes.fast(ALL, CONTEXT)
    before = samples(running)
    assert lanes.fast(ALL, CONTEXT, HTTP_IF_NONE_MATCH='"other"').by_flask
    after = samples(running)
    counted = {name: after[name] - before[name] for name in after if name.startswith("winnow_decisions_total")}
    assert sum(counted.values()) == len(json.loads(lanes.fast(ALL, CONTEXT).body)["flags"])


def test_a_request_counts_against_its_key_s_limit_once(clock: FakeClock) -> None:
    limited = replace(SETTINGS, rate_limit_per_second=0.001, rate_limit_burst=8)
    api = run_banner(caller(MemoryDatabase().unit_of_work, clock, limited))
    lanes = Lanes.of(api.with_scopes("assign"))
    statuses = [lanes.fast("/v1/assignments", b'{"unit_id":"u1"}') for _ in range(4)]
    statuses += [lanes.fast("/v1/assignments", b'{"unit_id":"a\\nb"}') for _ in range(4)]
    over = lanes.fast("/v1/assignments", b'{"unit_id":"u1"}')
    assert [answer.status[:3] for answer in statuses] == ["200"] * 4 + ["422"] * 4
    assert (over.status[:3], over.by_flask, "Retry-After" in dict(over.headers)) == ("429", True, True)
