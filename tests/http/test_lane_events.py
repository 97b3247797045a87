"""Batches through the fast lane and through Flask: the same words, and the same rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from api.app import create_app
from experiments.domain.errors import Unavailable
from tests.conftest import FakeClock
from tests.http.api_client import EVENT, EXPOSURE
from tests.http.spooled import EVENTS, Spooled, spooled_app


@pytest.fixture
def spooled(tmp_path: Path, clock: FakeClock) -> Iterator[Spooled]:
    with spooled_app(tmp_path, clock) as made:
        yield made


@pytest.mark.parametrize(
    "items",
    [
        [EVENT],
        [EVENT | {"event_id": f"e{number}", "value": number} for number in range(1_000)],
        [EVENT | {"value": None}, EVENT | {"event_id": "e2", "value": -0.0}, EVENT | {"event_id": "e3", "value": 1e15}],
        [
            EVENT | {"event_id": "é 😀", "unit_id": 'with "quotes"'},
            EVENT | {"event_id": "back\\slash", "unit_id": "\\N"},
        ],
        [EVENT | {"occurred_at": "2026-01-05T10:30:00.25+02:00"}, EVENT | {"event_id": "e2", "name": "two"}],
        [EVENT | {"event_id": "order:1:a", "unit_id": "crm:7"}, EXPOSURE | {"event_id": "shown:1", "unit_id": "crm:7"}],
        [EVENT, EXPOSURE, EXPOSURE | {"event_id": "x2", "occurred_at": "2026-01-05T09:04:59Z"}],
        [EVENT, EXPOSURE | {"event_id": "e1"}],
        [EVENT | {"event_id": "i" * 512, "unit_id": "u" * 512, "name": "n" * 100}],
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["compact", "spaced"])
@pytest.mark.parametrize("ascii_only", [True, False], ids=["escaped", "utf-8"])
def test_clean_batches_take_the_lane(
    spooled: Spooled, items: list[Any], separators: tuple[str, str], ascii_only: bool
) -> None:
    body = json.dumps({"items": items}, separators=separators, ensure_ascii=ascii_only).encode()
    answer = spooled.same(body)
    assert (answer.status, answer.by_flask) == ("202 ACCEPTED", False)
    assert json.loads(answer.body)["accepted"] == len(items)


@pytest.mark.parametrize(
    "items",
    [
        [],
        [EVENT, EVENT],
        [EXPOSURE, EXPOSURE],
        [EVENT, EVENT | {"event_id": "e2", "occurred_at": "2026-01-05T09:05:01Z"}],
        [EVENT | {"value": 1e15 + 1}],
        [EVENT | {"value": True}],
        [EVENT | {"value": "1"}],
        [EVENT | {"event_id": ""}],
        [EVENT | {"event_id": "i" * 513}],
        [EVENT | {"unit_id": "a\x7fb"}],
        [EVENT | {"unit_id": "a\nb"}],
        [EVENT | {"unit_id": "\ud800"}],
        [EVENT | {"name": "two words"}],
        [EVENT | {"name": "visit\n"}],
        [EVENT | {"colour": "red"}],
        [EVENT | {"occurred_at": None}],
        [EVENT | {"occurred_at": "2026-01-05T09:00:00"}],
        [EXPOSURE | {"variant": "b"}],
        [EXPOSURE | {"version": 2**40}],
        [EXPOSURE | {"version": 2}],
        [EXPOSURE | {"experiment": "none"}],
        ["what", EVENT],
        [EVENT | {"event_id": f"e{number}"} for number in range(1_001)],
    ],
)
def test_what_is_not_clean_is_judged_by_flask(spooled: Spooled, items: list[Any]) -> None:
    assert spooled.same(json.dumps({"items": items}).encode()).by_flask


@pytest.mark.parametrize(
    "body",
    [
        b'{"items":[{"type":"event","event_id":"e","event_id":"f","unit_id":"u","name":"n"}]}',
        b'{"items":[{"type":"event","event_id":"a:b:c","event_id":"e","unit_id":"u","name":"n"}]}',
        b'{"items":[{"type":"event","event_id":"e","event_id":"a:b:c","unit_id":"u:1","name":"n"}]}',
        b'{"items":[{"type":"event", "event_id" : "e", "unit_id":"u" ,"unit_id":":","name":"n"}]}',
        b'{"items":[{"type":"event","event_id":"e","unit_id":"u","name":"n","value":1,"value":2}]}',
        b'{"items":[{"type":"event","event_id":"e","unit_id":"u","name":"n"}],"items":[]}',
        b'{"items":[{"type":"event","event_id":"e","unit_id":"u","name":"n","value":1e400}]}',
        b'{"items":[{"type":"event","event_id":"e","unit_id":"u","name":"n","value":NaN}]}',
        b'{"items":[{"type":"event","event_id":"e","unit_id":"a\\":b","name":"n"}]}',
        b'{"items":[{"type":"event","type":"exposure","event_id":"e","unit_id":"u","name":"n"}]}',
        b'{"items":[{"event_id":"e","unit_id":"u","name":"n"}]}',
        b'{"items":[{"type":"event","event_id":"\xff","unit_id":"u","name":"n"}]}',
        b'{"items":null}',
        b"[]",
        b"{",
        b"",
    ],
)
def test_json_that_readers_disagree_about_is_judged_by_flask(spooled: Spooled, body: bytes) -> None:
    assert spooled.same(body).by_flask


TEXTS = st.text(max_size=6) | st.sampled_from(["u1", "\\", "\\N", "a\tb", '"', "é", "\x7f", "\u2028", "\xa0"])
VALUES = (
    st.none()
    | st.floats(allow_nan=False)
    | st.floats(-1e15, 1e15)
    | st.integers(-(10**16), 10**16)
    | st.sampled_from([-0.0, 0, 5e-324, 0.1, True, "1"])
)
INSTANTS = st.sampled_from(
    [
        "2026-01-05T09:00:00Z",
        "2026-01-05T08:59:59.999999+00:00",
        "2026-01-05 10:00:00+02:00",
        "2026-W02-1T08:00:00Z",
        "20260105T080000Z",
        "2026-01-05T09:05:00Z",
        "2026-01-05T09:05:00.000001Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
        "2026-01-05",
        "soon",
        "",
    ]
)


def _item(required: dict[str, Any], **optional: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with these fields, some of which are something else or more."""
    return st.builds(lambda changed: {**required, **changed}, st.fixed_dictionaries({}, optional=optional))


ITEMS = _item(
    EVENT, event_id=TEXTS, unit_id=TEXTS, name=TEXTS, value=VALUES, occurred_at=INSTANTS, colour=st.none()
) | _item(
    EXPOSURE,
    event_id=TEXTS,
    unit_id=TEXTS,
    version=st.integers(-1, 3) | st.floats(0, 2),
    variant=st.sampled_from("abc"),
    segment=st.sampled_from(["everyone", "mens", "new"]),
    occurred_at=INSTANTS,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ITEMS | st.sampled_from([EVENT, None, 7]), min_size=1, max_size=4), st.booleans())
@example([EVENT | {"value": -0.0}], True)
def test_any_batch_is_answered_and_stored_alike(spooled: Spooled, items: list[Any], ascii_only: bool) -> None:
    body = json.dumps({"items": items}, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    spooled.same(body)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(-1e15, 1e15) | st.integers(-(10**15), 10**15), min_size=1, max_size=8))
def test_any_number_is_stored_alike(spooled: Spooled, values: list[float]) -> None:
    """Two readers of JSON, one number: the lane's and Python's."""
    items = [EVENT | {"event_id": f"e{place}", "value": value} for place, value in enumerate(values)]
    assert not spooled.same(json.dumps({"items": items}).encode()).by_flask


def test_a_key_with_tags_reports_exposures_of_what_it_sees_only(spooled: Spooled, clock: FakeClock) -> None:
    winnow = spooled.winnow
    key = winnow.keys.create("shop", frozenset({"ingest"}), tags=frozenset({"other"}), actor="test").text
    tagged = replace(spooled, lanes=replace(spooled.lanes, key=key))
    verdict = json.loads(tagged.same(json.dumps({"items": [EXPOSURE]}).encode()).body)["items"][0]
    assert (verdict["status"], verdict["code"]) == ("rejected", "experiment_unknown")
    assert not tagged.same(json.dumps({"items": [EVENT]}).encode()).by_flask


def test_a_full_spool_is_told_with_when_to_come_again(spooled: Spooled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooled.spool, "_max_bytes", 10)
    answer = spooled.same(json.dumps({"items": [EVENT]}).encode())
    assert (answer.status, dict(answer.headers)["Retry-After"]) == ("503 SERVICE UNAVAILABLE", "1")
    assert json.loads(answer.body)["code"] == "spool_full"


def test_while_the_database_is_away_events_and_claims_are_taken(spooled: Spooled) -> None:
    """The recorder's way to the database is closed: what memory knows is enough."""

    def away(*, read_only: bool = False) -> Any:
        raise Unavailable("database_unavailable", "The database does not answer.")

    spooled.lanes.lane._stops[EVENTS].handler.__self__._recorder._open = away
    answer = spooled.same(json.dumps({"items": [EVENT, EXPOSURE]}).encode())
    assert json.loads(answer.body)["accepted"] == 2
    unsure = spooled.same(json.dumps({"items": [EVENT, EXPOSURE | {"version": 2}]}).encode())
    assert unsure.status == "503 SERVICE UNAVAILABLE"


def test_with_a_spool_a_process_is_ready_while_the_database_is_away(spooled: Spooled) -> None:
    def away(*, read_only: bool = False) -> Any:
        raise Unavailable("database_unavailable", "The database does not answer.")

    alone = replace(spooled.winnow, open_unit_of_work=away)
    ready = create_app(winnow=alone).test_client().get("/readyz")
    assert (ready.status_code, ready.get_json()["database"]) == (200, "away")
    without = create_app(winnow=replace(alone, spool=None)).test_client().get("/readyz")
    assert (without.status_code, without.get_json()["code"]) == (503, "database_unavailable")


def test_both_lanes_count_items_alike(spooled: Spooled) -> None:
    items = spooled.lanes.lane._stops[EVENTS].handler.__self__._by_slot
    body = json.dumps({"items": [EVENT, EVENT | {"event_id": "e2"}, EXPOSURE]}).encode()
    for way in (spooled.lanes.plain, spooled.lanes.fast):
        before = list(items)
        assert way(EVENTS, body).by_flask == (way == spooled.lanes.plain)
        assert [after - count for after, count in zip(items, before, strict=True)] == [2, 1]
    before = list(items)
    spooled.lanes.fast(EVENTS, json.dumps({"items": [EXPOSURE]}).encode())
    assert [after - count for after, count in zip(items, before, strict=True)] == [0, 1]
