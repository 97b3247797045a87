"""Events and exposures, item by item."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pytest

from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock
from tests.http.api_client import BANNER, EVENT, EXPOSURE, Caller, codes, refusal
from tests.http.conftest import caller, run_banner


def verdict(running: Caller, item: object) -> tuple[str, str | None, str | None]:
    (one,) = running.post("/v1/events", {"items": [item]}).json["items"]
    return one["status"], one["code"], one["path"]


def test_a_mixed_batch_has_a_verdict_for_each_item_in_its_place(running: Caller) -> None:
    items = [
        EVENT,
        EXPOSURE,
        {**EVENT, "event_id": "e2", "value": "3"},
        EVENT,
        {**EXPOSURE, "event_id": "x2", "variant": "b"},
        "what",
        {**EVENT, "event_id": "e3", "value": 3},
    ]
    answer = running.post("/v1/events", {"items": items})
    assert answer.status_code == 202
    assert {name: answer.json[name] for name in ("accepted", "duplicate", "rejected")} == {
        "accepted": 3,
        "duplicate": 1,
        "rejected": 3,
    }
    assert [(one["event_id"], one["status"], one["code"], one["path"]) for one in answer.json["items"]] == [
        ("e1", "accepted", None, None),
        ("x1", "accepted", None, None),
        ("e2", "rejected", "invalid", "/value"),
        ("e1", "duplicate", None, None),
        ("x2", "rejected", "exposure_mismatch", "/variant"),
        (None, "rejected", "type", ""),
        ("e3", "accepted", None, None),
    ]
    assert answer.json["items"][4]["message"] == "In segment 'everyone' this unit sees 'a'."


def test_sent_again_nothing_is_stored_twice(clock: FakeClock) -> None:
    database = MemoryDatabase()
    running = run_banner(caller(database.unit_of_work, clock))
    batch = {"items": [EXPOSURE, EVENT, {**EVENT, "event_id": "e2"}]}
    assert running.post("/v1/events", batch).json["accepted"] == 3
    again = running.post("/v1/events", batch).json
    assert (again["accepted"], again["duplicate"], again["rejected"]) == (0, 3, 0)
    with database.unit_of_work() as work:
        mark = work.log.watermark(now=clock())
        assert work.log.counts("banner", ["visit"], mark) == (1, 2)


def test_an_event_and_an_exposure_may_share_an_id(running: Caller) -> None:
    answer = running.post("/v1/events", {"items": [EVENT, {**EXPOSURE, "event_id": "e1"}]})
    assert answer.json["accepted"] == 2


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({}, "2026-01-05T09:00:00+00:00"),
        ({"occurred_at": "2026-01-05T08:00:00Z"}, "2026-01-05T08:00:00+00:00"),
        ({"occurred_at": "2026-01-05T10:30:00.25+02:00"}, "2026-01-05T08:30:00.250000+00:00"),
    ],
    ids=["left out", "utc", "with an offset"],
)
def test_when_it_happened(clock: FakeClock, sent: dict[str, str], stored: str) -> None:
    database = MemoryDatabase()
    running = run_banner(caller(database.unit_of_work, clock))
    running.post("/v1/events", {"items": [EXPOSURE, {**EVENT, "value": 2, **sent}]})
    with database.unit_of_work() as work:
        mark = work.log.watermark(now=clock())
        (batch,) = work.log.events("banner", ["visit"], mark)
    assert [(unit, name, value, at.isoformat()) for unit, name, value, at in batch] == [("u1", "visit", 2.0, stored)]


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"type": "click"}, "type_unknown", "/type"),
        ({"type": ["event"]}, "type_unknown", "/type"),
        ({"unit_id": ""}, "id_invalid", "/unit_id"),
        ({"unit_id": 7}, "invalid", "/unit_id"),
        ({"unit_id": "a\x00"}, "text_invalid", "/unit_id"),
        ({"name": "two words"}, "key_invalid", "/name"),
        ({"name": None}, "null", "/name"),
        ({"value": True}, "invalid", "/value"),
        ({"value": 10**400}, "special", "/value"),
        ({"colour": "red"}, "unknown_field", "/colour"),
        ({"experiment": "banner"}, "unknown_field", "/experiment"),
        ({"occurred_at": "yesterday"}, "invalid", "/occurred_at"),
        ({"occurred_at": 1767603600}, "invalid", "/occurred_at"),
        ({"occurred_at": None}, "null", "/occurred_at"),
        ({"occurred_at": "2026-01-05T09:00:00"}, "instant_without_zone", "/occurred_at"),
        ({"occurred_at": "2026-01-05"}, "instant_without_zone", "/occurred_at"),
        ({"occurred_at": "1969-12-31T23:59:59Z"}, "out_of_range", "/occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "out_of_range", "/occurred_at"),
        ({"occurred_at": "2026-01-05T09:05:01Z"}, "occurred_in_future", "/occurred_at"),
    ],
)
def test_an_unfit_event_is_rejected_with_the_reason_and_its_place(
    running: Caller, change: dict[str, Any], code: str, path: str
) -> None:
    assert verdict(running, {**EVENT, **change}) == ("rejected", code, path)


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"experiment": "none"}, "experiment_unknown", "/experiment"),
        ({"version": 2}, "version_unknown", "/version"),
        ({"version": 0}, "version_invalid", "/version"),
        ({"version": 1.0}, "invalid", "/version"),
        ({"version": 2**31}, "out_of_range", "/version"),
        ({"segment": "new"}, "segment_unknown", "/segment"),
        ({"variant": "c"}, "variant_unknown", "/variant"),
        ({"variant": "b"}, "exposure_mismatch", "/variant"),
        ({"name": "visit"}, "unknown_field", "/name"),
    ],
)
def test_an_unfit_exposure_is_rejected_with_the_reason_and_its_place(
    running: Caller, change: dict[str, Any], code: str, path: str
) -> None:
    assert verdict(running, {**EXPOSURE, **change}) == ("rejected", code, path)


@pytest.mark.parametrize("name", ["event_id", "unit_id", "name"])
def test_what_is_missing_is_named(running: Caller, name: str) -> None:
    item = {key: value for key, value in EVENT.items() if key != name}
    assert verdict(running, item) == ("rejected", "required", f"/{name}")


@pytest.mark.parametrize("item", [None, 1, "x", [], [EVENT]], ids=repr)
def test_what_is_no_object_is_rejected_alone(running: Caller, item: object) -> None:
    assert verdict(running, item) == ("rejected", "type", "")


@pytest.mark.parametrize(("count", "status"), [(0, 422), (1, 202), (1_000, 202), (1_001, 422)])
def test_a_batch_holds_up_to_a_thousand_items(running: Caller, count: int, status: int) -> None:
    items = [{**EVENT, "event_id": f"e{number}"} for number in range(count)]
    answer = running.post("/v1/events", {"items": items})
    assert answer.status_code == status
    if status == 202:
        assert answer.json["accepted"] == count
    else:
        assert codes(answer) == [("/items", "invalid")]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, [("/items", "required")]),
        ({"items": None}, [("/items", "null")]),
        ({"items": {}}, [("/items", "invalid")]),
        ({"items": [EVENT], "more": 1}, [("/more", "unknown_field")]),
    ],
)
def test_a_body_that_is_no_batch_is_refused(running: Caller, body: object, found: list[tuple[str, str]]) -> None:
    answer = running.post("/v1/events", body)
    assert refusal(answer) == (422, "invalid_body", None)
    assert codes(answer) == found


GOOD = b'{"type": "event", "event_id": "good", "unit_id": "u1", "name": "visit"}'


@pytest.mark.parametrize(
    ("bad", "code", "path"),
    [
        (b'{"type": "event", "event_id": "bad", "unit_id": "u", "name": "visit", "value": 1e400}', "invalid", "/value"),
        (
            b'{"type": "event", "event_id": "bad", "unit_id": "u", "name": "visit", "value": ' + b"9" * 5_000 + b"}",
            "invalid",
            "/value",
        ),
        (b'{"type": "event", "event_id": "bad", "event_id": "worse", "unit_id": "u", "name": "visit"}', "type", ""),
    ],
    ids=["beyond any number", "beyond any digits", "a name twice"],
)
def test_json_that_readers_disagree_about_fails_its_item_only(
    running: Caller, bad: bytes, code: str, path: str
) -> None:
    answer = running.client.post(
        "/v1/events",
        data=b'{"items": [' + bad + b", " + GOOD + b"]}",
        content_type="application/json",
        headers={"Authorization": f"Bearer {running.key}"},
    )
    assert answer.status_code == 202
    told = [(one["status"], one["code"], one["path"]) for one in answer.json["items"]]
    assert told == [("rejected", code, path), ("accepted", None, None)]


def test_a_chunked_body_that_reaches_the_limit_is_refused_not_cut(running: Caller) -> None:
    """Valid up to the limit and longer than it: whoever reads only so far would accept half a request."""
    limit = running.winnow.settings.max_body_bytes
    whole = (b'{"items": [' + GOOD + b"]}").ljust(limit) + b"and more"
    answer = running.client.post(
        "/v1/events",
        input_stream=io.BytesIO(whole),
        content_type="application/json",
        headers={"Authorization": f"Bearer {running.key}", "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == 413
    assert running.post("/v1/events", {"items": [EVENT | {"event_id": "good"}]}).json["accepted"] == 1


def test_a_key_with_tags_reports_only_what_it_may_see(running: Caller) -> None:
    tagged = {**BANNER, "key": "offer", "tags": ["shop"]}
    for key in ("offer", "idea"):
        assert running.post("/v1/experiments", {**tagged, "key": key}).status_code == 201
    assert running.post("/v1/experiments/offer/start").status_code == 200
    shop = running.with_scopes("client", tags=("shop",))

    def shown(experiment: str) -> dict[str, Any]:
        asked = {"unit_id": "u1", "experiment": "offer" if experiment == "offer" else "banner"}
        (answer,) = running.post("/v1/assignments", asked).json["assignments"]
        said = {key: answer[key] for key in ("version", "segment", "variant")}
        return {"type": "exposure", "event_id": experiment, "unit_id": "u1", "experiment": experiment, **said}

    event = {"type": "event", "event_id": "e", "unit_id": "u1", "name": "visit"}
    items = [shown(key) for key in ("offer", "banner", "no-such", "idea")]
    told = shop.post("/v1/events", {"items": [*items, event]}).json
    assert (told["accepted"], told["rejected"]) == (2, 3)
    assert [one["status"] for one in told["items"]] == ["accepted", "rejected", "rejected", "rejected", "accepted"]
    hidden, absent, draft = ({**one, "event_id": None} for one in told["items"][1:4])
    assert hidden["code"] == "experiment_unknown"
    for other, key in ((absent, "no-such"), (draft, "idea")):
        assert {**other, "message": other["message"].replace(key, "banner")} == hidden
    assert running.post("/v1/events", {"items": items[1:2]}).json["accepted"] == 1


def test_nobody_can_take_the_place_of_an_exposure_that_an_assignment_implies(running: Caller) -> None:
    """The id is the SHA-256 of experiment, epoch, segment, variant and unit, with unit separators between them."""
    exposing = {**BANNER, "key": "offer", "exposure_policy": "on_assignment"}
    assert running.post("/v1/experiments", exposing).status_code == 201
    assert running.post("/v1/experiments/offer/start").status_code == 200

    def claim(of: str) -> dict[str, Any]:
        (answer,) = running.post("/v1/assignments", {"unit_id": "mine", "experiment": "banner"}).json["assignments"]
        parts = ("banner", str(answer["epoch"]), answer["segment"], answer["variant"], of)
        implied = "assigned-" + hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
        said = {key: answer[key] for key in ("experiment", "version", "segment", "variant")}
        return {"type": "exposure", "event_id": implied, "unit_id": "mine", **said}

    squatted, own = claim("victim"), claim("mine")
    told = running.post("/v1/events", {"items": [squatted, own]}).json["items"]
    assert [(one["status"], one["code"]) for one in told] == [("rejected", "event_id_reserved"), ("accepted", None)]


def test_a_batch_about_one_thing_that_is_not_there_asks_the_database_once(
    running: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[None] = []
    recorder: Any = running.winnow.recorder
    original = recorder._open

    def counted(**how: Any) -> Any:
        opened.append(None)
        return original(**how)

    monkeypatch.setattr(recorder, "_open", counted)
    claim = {"type": "exposure", "unit_id": "u", "experiment": "gone", "version": 1, "segment": "s", "variant": "a"}
    known = {**claim, "experiment": "banner", "version": 77}
    items = [
        {**one, "event_id": f"{place}-{number}"} for place, one in enumerate((claim, known)) for number in range(300)
    ]
    told = running.post("/v1/events", {"items": items}).json
    assert (told["rejected"], len(opened)) == (600, 2)
    assert {one["code"] for one in told["items"]} == {"experiment_unknown", "version_unknown"}
