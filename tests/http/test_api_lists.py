"""Lists are walked by cursor."""

from __future__ import annotations

import base64

import pytest

from tests.http.api_client import BANNER, Caller, refusal


@pytest.fixture
def crowd(library: Caller) -> Caller:
    for number in range(120):
        assert library.post("/v1/experiments", {**BANNER, "key": f"e-{number:03}"}).status_code == 201
    return library


def test_a_walk_sees_everything_once_while_others_are_added(crowd: Caller) -> None:
    seen, cursor = [], ""
    while cursor is not None:
        page = crowd.get(f"/v1/experiments?limit=25{cursor and f'&cursor={cursor}'}").json
        seen.append([item["key"] for item in page["items"]])
        cursor = page["next_cursor"]
        if len(seen) == 1:
            crowd.post("/v1/experiments", {**BANNER, "key": "a-before"})
            crowd.post("/v1/experiments", {**BANNER, "key": "e-100-after"})
    assert [len(page) for page in seen] == [25, 25, 25, 25, 21]
    assert [key for page in seen for key in page] == sorted(
        [*(f"e-{number:03}" for number in range(120)), "e-100-after"]
    )


@pytest.mark.parametrize(("query", "length"), [("", 50), ("?limit=1", 1), ("?limit=100", 100)])
def test_a_page_is_as_long_as_asked(crowd: Caller, query: str, length: int) -> None:
    assert len(crowd.get(f"/v1/experiments{query}").json["items"]) == length


def test_the_last_full_page_leads_nowhere(crowd: Caller) -> None:
    first = crowd.get("/v1/experiments?limit=60").json
    last = crowd.get(f"/v1/experiments?limit=60&cursor={first['next_cursor']}").json
    assert (len(last["items"]), last["next_cursor"]) == (60, None)


def test_newest_first_lists_are_walked_too(crowd: Caller) -> None:
    first = crowd.get("/v1/audit?limit=100").json
    second = crowd.get(f"/v1/audit?limit=100&cursor={first['next_cursor']}").json
    ids = [item["id"] for page in (first, second) for item in page["items"]]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == len(set(ids)) == 120 + 3  # the experiments, the segment, the metric and the key


@pytest.mark.parametrize("cursor", ["%25", "a", "====", "ÿ", "_-", base64.urlsafe_b64encode(b"not a key!").decode()])
@pytest.mark.parametrize("path", ["experiments", "segments", "audit", "promotions", "experiments/e-000/snapshots"])
def test_a_cursor_of_nobody_is_refused(library: Caller, path: str, cursor: str) -> None:
    library.post("/v1/experiments", {**BANNER, "key": "e-000"})
    assert refusal(library.get(f"/v1/{path}?cursor={cursor}")) == (422, "cursor_invalid", "/cursor")


@pytest.mark.parametrize("path", ["audit", "promotions", "experiments/banner/snapshots"])
def test_a_number_beyond_the_database_is_no_cursor(running: Caller, path: str) -> None:
    cursor = base64.urlsafe_b64encode(b"9" * 30).decode()
    assert refusal(running.get(f"/v1/{path}?cursor={cursor}")) == (422, "cursor_invalid", "/cursor")
