"""Which variant does this unit see?"""

from __future__ import annotations

from typing import Any

import pytest

from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock
from tests.http.api_client import BANNER, Caller, refusal
from tests.http.conftest import caller, run_banner

# Their buckets for the salt `banner` lie on either side of the middle.
SEES_A, SEES_B = "u1", "u2"
CONTENT = {"a": {"text": "old"}, "b": {"text": "new"}}


def answer(variant: str, **changes: Any) -> dict[str, Any]:
    return {
        "experiment": "banner",
        "version": 1,
        "epoch": 1,
        "segment": "everyone",
        "variant": variant,
        "content": CONTENT[variant],
        "reason": "assigned",
        "counted": True,
    } | changes


@pytest.mark.parametrize(("unit_id", "variant"), [(SEES_A, "a"), (SEES_B, "b")])
@pytest.mark.parametrize(
    ("attributes", "segment"), [({}, "everyone"), ({"mens": 1}, "mens"), ({"mens": 2}, "everyone")]
)
def test_one_unit(running: Caller, unit_id: str, variant: str, attributes: dict[str, Any], segment: str) -> None:
    given = running.post("/v1/assignments", {"unit_id": unit_id, "attributes": attributes})
    assert given.status_code == 200
    assert given.json == {"assignments": [answer(variant, segment=segment)]}


def test_many_units_are_answered_in_their_order(running: Caller) -> None:
    units = [{"unit_id": SEES_B}, {"unit_id": SEES_A, "attributes": {"mens": 1}}, {"unit_id": SEES_B}]
    given = running.post("/v1/assignments/batch", {"units": units})
    assert given.json == {
        "results": [
            {"unit_id": SEES_B, "assignments": [answer("b")]},
            {"unit_id": SEES_A, "assignments": [answer("a", segment="mens")]},
            {"unit_id": SEES_B, "assignments": [answer("b")]},
        ]
    }


def test_without_a_name_all_running_experiments_answer(running: Caller) -> None:
    for key in ("alpha", "zeta", "draft"):
        running.post("/v1/experiments", {**BANNER, "key": key})
    for key in ("alpha", "zeta"):
        running.post(f"/v1/experiments/{key}/start")
    running.post("/v1/experiments/zeta/pause")
    given = running.post("/v1/assignments", {"unit_id": SEES_A}).json["assignments"]
    assert [one["experiment"] for one in given] == ["alpha", "banner"]
    named = running.post("/v1/assignments", {"unit_id": SEES_A, "experiment": "zeta"}).json["assignments"]
    paused = answer("a", experiment="zeta", segment=None, reason="paused", counted=False)
    assert named == [paused | {"version": 2, "epoch": 2}]


@pytest.mark.parametrize("path", ["", "/batch"])
def test_an_experiment_that_is_not_live_is_not_found(running: Caller, path: str) -> None:
    running.post("/v1/experiments", {**BANNER, "key": "draft"})
    for key in ("draft", "none"):
        body = {"units": [{"unit_id": "u"}]} if path else {"unit_id": "u"}
        given = running.post(f"/v1/assignments{path}", {**body, "experiment": key})
        assert refusal(given) == (404, "experiment_not_found", None)


def test_a_forced_tester_is_not_counted(running: Caller) -> None:
    before = running.get("/v1/experiments/banner")
    body = {**before.json["definition"], "forced": {SEES_A: "b"}}
    assert running.put("/v1/experiments/banner", body, If_Match=before.headers["ETag"]).status_code == 200
    given = running.post("/v1/assignments", {"unit_id": SEES_A}).json["assignments"]
    assert given == [answer("b", version=2, segment=None, reason="forced", counted=False)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"unit_id": ""}, (422, "id_invalid", "/unit_id")),
        ({"unit_id": "a\nb"}, (422, "id_invalid", "/unit_id")),
        ({"unit_id": "u" * 513}, (422, "id_invalid", "/unit_id")),
    ],
)
def test_an_id_that_is_none_is_refused(running: Caller, body: object, expected: tuple[int, str, str]) -> None:
    assert refusal(running.post("/v1/assignments", body)) == expected


def test_in_a_batch_the_place_of_the_bad_id_is_told(running: Caller) -> None:
    given = running.post("/v1/assignments/batch", {"units": [{"unit_id": "u"}, {"unit_id": ""}]})
    assert refusal(given) == (422, "id_invalid", "/units/1/unit_id")


@pytest.mark.parametrize(("count", "status"), [(0, 422), (1, 200), (1_000, 200), (1_001, 422)])
def test_a_batch_holds_up_to_a_thousand_units(running: Caller, count: int, status: int) -> None:
    given = running.post("/v1/assignments/batch", {"units": [{"unit_id": f"u{number}"} for number in range(count)]})
    assert given.status_code == status
    assert status == 422 or len(given.json["results"]) == count


def test_where_asking_is_showing_the_exposure_is_stored(api: Caller) -> None:
    database = MemoryDatabase()
    shown = caller(database.unit_of_work, FakeClock())
    for path, body in (("metrics", {"key": "visit", "name": "V", "kind": "conversion", "event_name": "visit"}),):
        shown.post(f"/v1/{path}", body)
    shown.post("/v1/experiments", {**BANNER, "segments": [], "exposure_policy": "on_assignment"})
    shown.post("/v1/experiments/banner/start")
    for _ in range(2):
        assert shown.post("/v1/assignments", {"unit_id": SEES_A}).status_code == 200
    with database.unit_of_work() as work:
        mark = work.log.watermark(now=shown.winnow.clock())
        (batch,) = work.log.exposures("banner", mark)
    assert [row[:4] for row in batch] == [(SEES_A, "a", "everyone", 1)]


def test_another_process_sees_a_start_after_its_next_look(clock: FakeClock) -> None:
    database = MemoryDatabase()
    here, there = caller(database.unit_of_work, clock), caller(database.unit_of_work, clock)
    run_banner(here)
    assert there.post("/v1/assignments", {"unit_id": SEES_A}).json == {"assignments": []}
    there.winnow.catalog.refresh()
    assert there.post("/v1/assignments", {"unit_id": SEES_A}).json == {"assignments": [answer("a")]}


def test_a_key_with_tags_sees_only_experiments_that_have_one_of_them(running: Caller) -> None:
    for key, tags in (("mail", ["mail"]), ("shop", ["shop", "web"]), ("both", ["mail", "web"])):
        assert running.post("/v1/experiments", {**BANNER, "key": key, "tags": tags}).status_code == 201
        assert running.post(f"/v1/experiments/{key}/start").status_code == 200

    def seen(*tags: str, scope: str = "assign") -> list[str]:
        answers = running.with_scopes(scope, tags=tags).post("/v1/assignments", {"unit_id": "u1"})
        return [one["experiment"] for one in answers.json["assignments"]]

    assert seen() == ["banner", "both", "mail", "shop"]
    assert seen("mail") == ["both", "mail"]
    assert seen("shop", "mail") == ["both", "mail", "shop"]
    assert seen("shop", scope="client") == ["shop"]
    assert seen("nothing") == []


@pytest.mark.parametrize("path", ["/v1/assignments", "/v1/assignments/batch"])
def test_what_a_key_may_not_see_answers_like_what_does_not_exist(running: Caller, path: str) -> None:
    limited = running.with_scopes("assign", tags=("shop",))
    units = {"unit_id": "u1"} if path.endswith("assignments") else {"units": [{"unit_id": "u1"}]}
    hidden = limited.post(path, {**units, "experiment": "banner"})
    absent = limited.post(path, {**units, "experiment": "no-such"})
    assert refusal(hidden) == refusal(absent) == (404, "experiment_not_found", None)
    assert hidden.text.replace("banner", "no-such") == absent.text


def test_a_tag_given_to_a_running_experiment_opens_it_at_once(running: Caller) -> None:
    limited = running.with_scopes("assign", tags=("shop",))
    asked = {"unit_id": "u1", "experiment": "banner"}
    assert limited.post("/v1/assignments", asked).status_code == 404
    held = running.get("/v1/experiments/banner")
    changed = running.put("/v1/experiments/banner", {**BANNER, "tags": ["shop"]}, If_Match=held.headers["ETag"])
    assert changed.status_code == 200
    assert limited.post("/v1/assignments", asked).status_code == 200
