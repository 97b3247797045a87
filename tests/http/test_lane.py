"""The fast lane says what Flask says, byte for byte, and whatever it cannot say is Flask's."""

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

ONE, MANY = "/v1/assignments", "/v1/assignments/batch"


@pytest.fixture
def lanes(running: Caller) -> Lanes:
    """Two experiments run, one that exposes as it answers; the headers of all answers are learnt."""
    second = {**BANNER, "key": "offer", "exposure_policy": "on_assignment", "forced": {"ann": "b"}}
    assert running.post("/v1/experiments", second).status_code == 201
    assert running.post("/v1/experiments/offer/start").status_code == 200
    return learnt(running)


def learnt(api: Caller) -> Lanes:
    made = Lanes.of(api)
    for path, body in ((ONE, b'{"unit_id":"u1"}'), (MANY, b'{"units":[{"unit_id":"u1"}]}')):
        made.fast(path, body)
    return made


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (ONE, {"unit_id": "u1"}),
        (ONE, {"unit_id": "ann", "attributes": {}}),
        (ONE, {"unit_id": "u2", "attributes": {"mens": 1, "deep": {"list": [1, {"x": None}]}}, "experiment": "banner"}),
        (ONE, {"unit_id": "Zoë 🛒", "attributes": {"name": 'with "quotes"', "ratio": 1.5, "big": 2**63 - 1}}),
        (ONE, {"unit_id": "u3", "experiment": None}),
        (ONE, {"unit_id": "u3", "attributes": {"least": 1 - 2**63, "none": {}, "yes": True, "no": None, "some": []}}),
        (ONE, {"unit_id": "u:3", "attributes": {"at": "12:30"}}),
        (MANY, {"units": [{"unit_id": "u1"}, {"unit_id": "é", "attributes": {"mens": 1}}], "experiment": "offer"}),
        (MANY, {"units": [{"unit_id": f"u{number}", "attributes": {"mens": number % 2}} for number in range(1_000)]}),
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["compact", "spaced"])
@pytest.mark.parametrize("ascii_only", [True, False], ids=["escaped", "utf-8"])
def test_clean_requests_take_the_lane(
    lanes: Lanes, path: str, body: Any, separators: tuple[str, str], ascii_only: bool
) -> None:
    text = json.dumps(body, separators=separators, ensure_ascii=ascii_only).encode()
    answer = lanes.same(path, text)
    assert (answer.status, answer.by_flask) == ("200 OK", False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"unit_id":"u1"} x',
        b'{"unit_id":"u1","unit_id":"u2"}',
        b'{"unit_id":"u1","attributes":{"a":1,"a":2}}',
        b'{"unit_id":"u1","attributes":{"a":1,"a" :2}}',
        b'{"unit_id":"u1","attributes":{"a":{"b":1,"b":2}}}',
        b'{"unit_id":"u1","attributes":{"a":1,"a":"\\":"}}',
        b'{"unit_id":"u1","attributes":[]}',
        b'{"unit_id":"u1","attributes":null}',
        b'{"unit_id":"u1","other":1}',
        b'{"unit_id":1}',
        b'{"unit_id":""}',
        b'{"unit_id":"a\\u0000b"}',
        b'{"unit_id":"a\\nb"}',
        b'{"unit_id":"\\ud800"}',
        b'{"unit_id":"\xff"}',
        b'\xef\xbb\xbf{"unit_id":"u1"}',
        b'{"unit_id":"%s"}' % (b"x" * 513),
        b'{"unit_id":"u1","attributes":{"a":9223372036854775808}}',
        b'{"unit_id":"u1","attributes":{"a":-9223372036854775808}}',
        b'{"unit_id":"u1","attributes":{"a":{"b":9223372036854775808}}}',
        b'{"unit_id":"u1","attributes":{"a":[9223372036854775808]}}',
        b'{"unit_id":"u1","attributes":{"a":1,"a":{}}}',
        b'{"unit_id":"u1","attributes":{"a":{"b":1},"a":2}}',
        b'{"unit_id":"u1","attributes":{"a":[{"b":1,"b":2}]}}',
        b'{"unit_id":"u1","attributes":{"a":1e400}}',
        b'{"unit_id":"u1","attributes":{"a":NaN}}',
        b'{"unit_id":"u1","attributes":{"a":"\\u0000"}}',
        b'{"unit_id":"u1","attributes":{"a":%s1%s}}' % (b"[" * 40, b"]" * 40),
        b'{"unit_id":"u1","experiment":"unknown"}',
        b'{"unit_id":"u1","experiment":"no key!"}',
        b'{"unit_id":"u1","experiment":7}',
    ],
)
def test_what_is_not_clean_is_judged_by_flask(lanes: Lanes, body: bytes) -> None:
    answer = lanes.same(ONE, body)
    assert answer.by_flask
    many = b'{"units":[{"unit_id":"fine"},%s]}' % body
    assert lanes.same(MANY, many).by_flask


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"HTTP_AUTHORIZATION": "Bearer nobody"}, "401 UNAUTHORIZED"),
        ({"HTTP_AUTHORIZATION": "Basic YTpi"}, "401 UNAUTHORIZED"),
        ({"HTTP_AUTHORIZATION": ""}, "401 UNAUTHORIZED"),
        ({"CONTENT_TYPE": "text/plain"}, "415 UNSUPPORTED MEDIA TYPE"),
        ({"CONTENT_TYPE": "application/json; charset=utf-8"}, "200 OK"),
        ({"QUERY_STRING": "x=1"}, "200 OK"),
        ({"CONTENT_LENGTH": "200000"}, "413 REQUEST ENTITY TOO LARGE"),
        ({"REQUEST_METHOD": "GET"}, "405 METHOD NOT ALLOWED"),
    ],
)
def test_other_kinds_of_requests_are_flask_s(lanes: Lanes, environ: dict[str, str], status: str) -> None:
    answer = lanes.same(ONE, b'{"unit_id":"u1"}', **environ)
    assert (answer.status, answer.by_flask) == (status, True)


def test_a_key_without_the_scope_is_refused_as_ever(running: Caller) -> None:
    lanes = learnt(running)
    reader = replace(lanes, key=running.with_scopes("read").key)
    assert reader.same(ONE, b'{"unit_id":"u1"}').status == "403 FORBIDDEN"


def test_headers_are_learnt_for_each_origin_that_may_ask_and_once_for_all_others(lanes: Lanes) -> None:
    shop, other, third = "https://shop.example", "https://elsewhere.example", "https://third.example"
    by_flask, allowed = [], []
    for origin in (shop, shop, other, other, third):
        answer = lanes.same(ONE, b'{"unit_id":"u1"}', HTTP_ORIGIN=origin)
        by_flask.append(answer.by_flask)
        allowed.append(dict(answer.headers).get("Access-Control-Allow-Origin"))
    assert by_flask == [True, False, True, False, False]
    assert allowed == [shop, shop, None, None, None]


def test_where_any_page_may_ask_each_is_told_its_own_origin(clock: FakeClock) -> None:
    anybody = replace(SETTINGS, cors_origins=("*",))
    lanes = learnt(run_banner(caller(MemoryDatabase().unit_of_work, clock, anybody)))
    for origin in ("https://one.example", "https://one.example", "https://two.example", "https://two.example"):
        answer = lanes.same(ONE, b'{"unit_id":"u1"}', HTTP_ORIGIN=origin)
        assert dict(answer.headers)["Access-Control-Allow-Origin"] in ("*", origin)


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK": "true"},
        {"HTTP_X_FORWARDED_PROTO": "gopher"},
        {"CONTENT_LENGTH": "17"},
    ],
)
def test_what_is_odd_is_flask_s_and_teaches_nothing(lanes: Lanes, environ: dict[str, str]) -> None:
    assert lanes.same(ONE, b'{"unit_id":"u1"}', **environ).by_flask
    assert not lanes.same(ONE, b'{"unit_id":"u1"}').by_flask


def test_it_follows_the_catalog_at_once(lanes: Lanes, running: Caller) -> None:
    assert lanes.same(ONE, b'{"unit_id":"u1","experiment":"banner"}').body.count(b'"assigned"') == 1
    assert running.post("/v1/experiments/banner/pause").status_code == 200
    paused = lanes.same(ONE, b'{"unit_id":"u1","experiment":"banner"}')
    assert (paused.by_flask, b'"paused"' in paused.body) == (False, True)


def test_a_key_that_this_process_revokes_is_refused_at_once(lanes: Lanes, running: Caller) -> None:
    key = running.winnow.keys.create("frontend", frozenset({"assign"}), actor="test")
    frontend = replace(lanes, key=key.text)
    assert frontend.same(ONE, b'{"unit_id":"u1"}').status == "200 OK"
    running.winnow.keys.revoke(key.key.id, actor="test")
    assert frontend.same(ONE, b'{"unit_id":"u1"}').status == "401 UNAUTHORIZED"


def test_asking_is_showing_where_the_experiment_says_so(clock: FakeClock) -> None:
    api = run_banner(caller(MemoryDatabase().unit_of_work, clock))
    assert (
        api.post("/v1/experiments", {**BANNER, "key": "offer", "exposure_policy": "on_assignment"}).status_code == 201
    )
    assert api.post("/v1/experiments/offer/start").status_code == 200
    lanes = learnt(api)
    for path, body in ((ONE, b'{"unit_id":"u2"}'), (MANY, b'{"units":[{"unit_id":"u3"},{"unit_id":"u2"}]}')):
        assert not lanes.fast(path, body).by_flask
    with api.winnow.open_unit_of_work(read_only=True) as work:
        watermark = work.log.watermark(now=clock.now)
        shown = sorted(row[0] for batch in work.log.exposures("offer", watermark) for row in batch)
        others = list(work.log.exposures("banner", watermark))
    assert (shown, others) == (["u1", "u2", "u3"], [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3),
    max_leaves=6,
)
BODIES = st.fixed_dictionaries(
    {"unit_id": st.text(max_size=20) | JSON},
    optional={
        "attributes": st.dictionaries(st.sampled_from(["mens", "recency", "a.b", '":']) | st.text(), JSON, max_size=4),
        "experiment": st.sampled_from(["banner", "offer", "unknown", ""]) | st.none(),
        "more": JSON,
    },
)


@given(body=BODIES, many=st.booleans(), written=st.tuples(st.booleans(), st.booleans()), cut=st.integers(0, 20))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_body_gets_one_answer(lanes: Lanes, body: Any, many: bool, written: tuple[bool, bool], cut: int) -> None:
    compact, ascii_only = written
    if many:
        experiment = {"experiment": body.pop("experiment")} if "experiment" in body else {}
        body = {"units": [body, {"unit_id": "u9"}], **experiment}
    separators = (",", ":") if compact else (", ", ": ")
    text = json.dumps(body, separators=separators, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    if cut == 1:
        text = text.replace(b'"a', b'"mens')
    lanes.same(MANY if many else ONE, text[: len(text) - (cut == 2)])


@pytest.mark.parametrize("scope", ["assign", "client"])
@pytest.mark.parametrize(("tags", "seen"), [((), 2), (("shop",), 1), (("mail", "shop"), 1), (("mail",), 0)])
def test_a_key_sees_by_tag_in_the_lane_as_well(running: Caller, scope: str, tags: tuple[str, ...], seen: int) -> None:
    tagged = {**BANNER, "key": "offer", "tags": ["shop"]}
    assert running.post("/v1/experiments", tagged).status_code == 201
    assert running.post("/v1/experiments/offer/start").status_code == 200
    lanes = learnt(running.with_scopes(scope, tags=tags))
    one, many = lanes.same(ONE, b'{"unit_id":"u1"}'), lanes.same(MANY, b'{"units":[{"unit_id":"u1"}]}')
    assert (one.by_flask, many.by_flask) == (False, False)
    assert len(json.loads(one.body)["assignments"]) == len(json.loads(many.body)["results"][0]["assignments"]) == seen
    hidden = lanes.same(ONE, b'{"unit_id":"u1","experiment":"banner"}')
    assert hidden.status.startswith("404" if tags else "200")
