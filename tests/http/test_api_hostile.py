"""Nothing that a caller sends is a failure of ours, on any database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.storage.unit_of_work import open_database
from tests.conftest import POSTGRES, FakeClock
from tests.http.api_client import BANNER, MENS, VISIT, Caller, codes
from tests.http.conftest import caller, run_banner

WRITES = [
    ("POST", "/v1/assignments", {"unit_id": "u", "attributes": {"mens": 1}, "experiment": "banner"}),
    ("POST", "/v1/assignments/batch", {"units": [{"unit_id": "u", "attributes": {}}], "experiment": "banner"}),
    (
        "POST",
        "/v1/events",
        {
            "items": [
                {"type": "event", "event_id": "1", "unit_id": "u", "name": "visit", "value": 1.5},
                {
                    "type": "exposure",
                    "event_id": "2",
                    "unit_id": "u",
                    "experiment": "banner",
                    "version": 1,
                    "segment": "mens",
                    "variant": "a",
                    "occurred_at": "2026-01-05T09:00:00Z",
                },
            ]
        },
    ),
    ("POST", "/v1/experiments", {**BANNER, "key": "other", "forced": {"u": "b"}, "tags": ["t"], "salt": "s"}),
    ("PUT", "/v1/experiments/banner", {**BANNER, "promotion": {"minimum_lift": 0.1, "holdback_bp": 100}}),
    ("POST", "/v1/experiments/banner/promotions", {"segment": "mens", "dry_run": True}),
    ("POST", "/v1/segments", {**MENS, "key": "other"}),
    ("PUT", "/v1/segments/mens", MENS),
    ("POST", "/v1/metrics", {**VISIT, "key": "other", "window_seconds": 60, "cap": 2.5}),
    (
        "POST",
        "/v1/attributes",
        {"key": "a", "name": "A", "type": "text", "sources": [], "allowed": ["x"], "fresh_days": 3, "personal": True},
    ),
    ("POST", "/v1/sources", {"key": "s", "name": "S", "kind": "own", "precedence": 3}),
    ("PATCH", "/v1/units/u1", {"source": "s", "attributes": {"a": ["x"]}, "at": "2026-01-05T09:00:00Z"}),
    ("PUT", "/v1/units/u1/consent", {"granted": False, "at": "2026-01-05T09:00:00Z", "erase": True}),
    ("POST", "/v1/units/consents", {"consents": [{"unit_id": "u", "granted": True, "at": "2026-01-05T09:00:00Z"}]}),
    ("POST", "/v1/units/batch", {"source": "s", "units": [{"unit_id": "u", "attributes": {"a": "x"}}]}),
    ("POST", "/v1/identify", {"anonymous_id": "d", "unit_id": "u"}),
    ("POST", "/v1/layers", {"key": "l", "name": "L", "salt": "s", "holdout_bp": 10}),
    ("POST", "/v1/keys", {"name": "k", "scopes": ["read"]}),
    ("POST", "/v1/webhooks", {"url": "https://example.com/hook", "kinds": ["alert"], "active": True}),
    ("POST", "/v1/promotions/x/revert", {"reason": "why"}),
]
HOSTILE: list[Any] = [
    None, True, 0, -1, 1.5, 2**31, 2**63, 2**64, 10**400, -(10**400), 1e308, "", "x", "a\x00b", "\ud800", "x" * 3_000,
    [], {}, [[]], {"": 1}, {"\x00": 1}, {"\ud800": "\udfff"}, ["\ud800"], {"$and": 1}, {"$where": "x"}, "💥",
    {"a": {"$in": 7}},
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-30T00:00:00Z", "2026-01-05T09:00:00",
]  # fmt: skip


def _deep(levels: int) -> Any:
    document: Any = 1
    for level in range(levels):
        document = {"a": document} if level % 2 else [document]
    return document


def _places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    steps = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for step, below in steps:
        yield from _places(below, (*path, step))


def _with(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = document.copy()
    copy[path[0]] = _with(document[path[0]], path[1:], value)
    return copy


@pytest.fixture(params=["memory", POSTGRES])
def stored(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[Caller]:
    """The banner is running, also on the database that is choosiest about texts and numbers."""
    database = open_database(request.getfixturevalue(f"{request.param}_url"))
    yield run_banner(caller(database.unit_of_work, clock))
    database.close()


@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=[f"{method} {path}" for method, path, _ in WRITES])
def test_no_value_in_no_place_is_a_failure_of_ours(stored: Caller, method: str, path: str, body: Any) -> None:
    etag = stored.get("/v1/experiments/banner").headers["ETag"]
    for place in _places(body):
        for value in (*HOSTILE, _deep(30), _deep(400)):
            answer = stored.send(method, path, _with(body, place, value), If_Match=etag)
            assert answer.status_code < 500, (place, value, answer.text)
            etag = answer.headers.get("ETag", etag) if method == "PUT" and path.endswith("banner") else etag
    for path_read in (
        "/v1/experiments",
        "/v1/segments",
        "/v1/metrics",
        "/v1/layers",
        "/v1/attributes",
        "/v1/sources",
        "/v1/keys",
        "/v1/audit",
        "/v1/webhooks",
    ):
        assert stored.get(path_read).status_code == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=JSON)
def test_any_json_can_be_asked_about_and_written(running: Caller, document: Any) -> None:
    assert running.post("/v1/assignments", {"unit_id": "u", "attributes": {"mens": document}}).status_code in (200, 422)
    body = {**BANNER, "key": "any", "variants": [BANNER["variants"][0], {"key": "b", "name": "B", "content": document}]}
    answer = running.post("/v1/experiments", body)
    assert answer.status_code in (201, 409, 422)
    if answer.status_code == 201:
        read = running.get("/v1/experiments/any").json
        assert read["definition"]["variants"][1]["content"] == document


@pytest.mark.parametrize(
    "content",
    [{"text": "a\x00b"}, {"\ud800": 1}, ["\udfff"], 2**63, -(2**63) - 1, _deep(33)],
    ids=["nul", "surrogate key", "surrogate", "large", "low", "deep"],
)
def test_content_that_cannot_be_kept_is_refused_at_its_place(library: Caller, content: Any) -> None:
    body = {**BANNER, "variants": [BANNER["variants"][0], {"key": "b", "name": "B", "content": content}]}
    assert codes(library.post("/v1/experiments", body)) == [("/variants/1/content", "json_unfit")]
