"""Experiments as flags: what OpenFeature's clients ask and get. The forms are those of OFREP 0.3.0."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.ofrep.evaluation import REASONS
from experiments.domain.assignment import Reason
from experiments.services.ports import OpenUnitOfWork
from experiments.settings import Settings
from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock
from tests.http.api_client import BANNER, VISIT, Caller
from tests.http.conftest import SETTINGS, caller, run_banner
from tests.http.test_api_assignments import SEES_A, SEES_B

FLAGS = "/ofrep/v1/evaluate/flags"
SHOP = SETTINGS.cors_origins[0]


def context(unit_id: str = SEES_A, **attributes: Any) -> dict[str, Any]:
    return {"context": {"targetingKey": unit_id, **attributes}}


def evaluation(variant: str, **changes: Any) -> dict[str, Any]:
    return {
        "key": "banner",
        "value": {"a": {"text": "old"}, "b": {"text": "new"}}[variant],
        "reason": "SPLIT",
        "variant": variant,
        "metadata": {
            "experiment": "banner",
            "version": 1,
            "epoch": 1,
            "variant": variant,
            "reason": "assigned",
            "counted": True,
            "exposure_policy": "on_event",
            "segment": "everyone",
        }
        | changes,
    }


def start(api: Caller, key: str, **changes: Any) -> None:
    """Start an experiment where everybody sees the content of its control, unless the weights say otherwise."""
    body = {**BANNER, "key": key, "segments": [], **changes}
    assert api.post("/v1/experiments", body).status_code == 201, key
    assert api.post(f"/v1/experiments/{key}/start").status_code == 200, key


@pytest.mark.parametrize(("unit_id", "variant"), [(SEES_A, "a"), (SEES_B, "b")])
def test_one_flag(running: Caller, unit_id: str, variant: str) -> None:
    given = running.post(f"{FLAGS}/banner", context(unit_id))
    assert (given.status_code, given.mimetype) == (200, "application/json")
    assert given.json == evaluation(variant)


def test_attributes_are_the_context_without_the_targeting_key(running: Caller) -> None:
    given = running.post(f"{FLAGS}/banner", context(SEES_A, mens=1))
    assert given.json == evaluation("a", segment="mens")


def test_the_metadata_are_what_an_exposure_has_to_say(running: Caller) -> None:
    told = running.post(f"{FLAGS}/banner", context()).json["metadata"]
    claim = {name: told[name] for name in ("experiment", "version", "segment", "variant")}
    item = {"type": "exposure", "event_id": "1", "unit_id": SEES_A, **claim}
    assert running.post("/v1/events", {"items": [item]}).json["accepted"] == 1


def test_metadata_are_texts_numbers_and_truths_only(running: Caller) -> None:
    running.post("/v1/experiments/banner/pause")
    told = running.post(f"{FLAGS}/banner", context()).json
    assert told["reason"] == "DISABLED"
    assert {type(value) for value in told["metadata"].values()} <= {str, int, bool}
    assert "segment" not in told["metadata"]


VALUES = [
    ("true", "true"),
    ("false", "false"),
    ('"text"', '"text"'),
    ("7", "7"),
    ("1.0", "1.0"),
    ("0.5", "0.5"),
    ("-0.0", "-0.0"),
    ('{"a":[1,1.0,null]}', '{"a":[1,1.0,null]}'),
    ('["a"]', '["a"]'),
]


@pytest.mark.parametrize(("content", "text"), VALUES, ids=[content for content, _ in VALUES])
@pytest.mark.parametrize("database", ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def test_the_content_is_the_value_and_keeps_its_type(
    request: pytest.FixtureRequest, clock: FakeClock, database: str, content: str, text: str
) -> None:
    api = caller(_opened(request, database), clock)
    api.post("/v1/metrics", VISIT)
    variants = [
        {"key": "a", "name": "A", "content": json.loads(content), "is_control": True},
        {"key": "b", "name": "B", "content": json.loads(content)},
    ]
    start(api, "flag", variants=variants)
    assert api.winnow.catalog.refresh().version >= 0
    assert f'"value":{text},' in api.post(f"{FLAGS}/flag", context()).text


def _opened(request: pytest.FixtureRequest, database: str) -> OpenUnitOfWork:
    from experiments.storage.unit_of_work import open_database  # noqa: PLC0415

    opened = open_database(request.getfixturevalue(f"{database}_url"))
    request.addfinalizer(opened.close)
    return opened.unit_of_work


def test_no_content_is_no_value_so_that_the_default_in_the_code_counts(api: Caller) -> None:
    api.post("/v1/metrics", VISIT)
    start(api, "flag", variants=[{"key": "a", "name": "A", "is_control": True}, {"key": "b", "name": "B"}])
    given = api.post(f"{FLAGS}/flag", context()).json
    assert "value" not in given
    assert given["variant"] in ("a", "b")


def test_every_reason_of_ours_has_a_word_of_theirs() -> None:
    # The enum of evaluationSuccess.reason in OFREP 0.3.0.
    assert set(REASONS) == set(Reason)
    assert set(REASONS.values()) <= {"STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED", "UNKNOWN"}


def test_where_all_see_the_same_chance_has_no_part(api: Caller) -> None:
    api.post("/v1/segments", {"key": "mens", "name": "Men's", "condition": {"mens": 1}})
    api.post("/v1/metrics", VISIT)
    one_for_all = {"a": 0, "b": 1}
    start(api, "static", segments=[{"segment": "everyone", "weights": one_for_all}])
    start(api, "targeted", segments=[{"segment": "mens", "weights": one_for_all}])
    start(api, "partly", segments=[{"segment": "everyone", "weights": one_for_all, "traffic_bp": 5_000}])
    flags = {flag["key"]: flag for flag in api.post(FLAGS, context(mens=1)).json["flags"]}
    assert (flags["static"]["reason"], flags["static"]["variant"]) == ("STATIC", "b")
    assert (flags["targeted"]["reason"], flags["targeted"]["variant"]) == ("TARGETING_MATCH", "b")
    told = {api.post(f"{FLAGS}/partly", context(f"u{number}")).json["reason"] for number in range(40)}
    assert told == {"SPLIT", "STATIC"}


def test_paused_and_stopped_experiments_are_flags_too(api: Caller) -> None:
    api.post("/v1/metrics", VISIT)
    for key in ("going", "resting", "over"):
        start(api, key)
    api.post("/v1/experiments", {**BANNER, "key": "draft", "segments": []})
    api.post("/v1/experiments/resting/pause")
    api.post("/v1/experiments/over/stop")
    flags = api.post(FLAGS, context()).json["flags"]
    assert [(flag["key"], flag["reason"]) for flag in flags] == [
        ("going", "SPLIT"),
        ("over", "STATIC"),
        ("resting", "DISABLED"),
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{}", "TARGETING_KEY_MISSING"),
        ('{"context": {}}', "TARGETING_KEY_MISSING"),
        ('{"context": {"targetingKey": ""}}', "TARGETING_KEY_MISSING"),
        ('{"context": {"plan": "free"}}', "TARGETING_KEY_MISSING"),
        ('{"context": null}', "INVALID_CONTEXT"),
        ('{"context": []}', "INVALID_CONTEXT"),
        ('{"context": {"targetingKey": 7}}', "INVALID_CONTEXT"),
        ('{"context": {"targetingKey": "a\\nb"}}', "INVALID_CONTEXT"),
        ('{"context": {"targetingKey": "u", "big": 123456789012345678901234567890}}', "INVALID_CONTEXT"),
        ("[]", "PARSE_ERROR"),
        ("7", "PARSE_ERROR"),
        ("{", "PARSE_ERROR"),
        ("", "PARSE_ERROR"),
        ('{"context": {"targetingKey": "u", "a": 1, "a": 2}}', "PARSE_ERROR"),
    ],
)
@pytest.mark.parametrize("path", ["/banner", ""])
def test_a_context_that_is_none(running: Caller, path: str, text: str, code: str) -> None:
    given = running.post_text(f"{FLAGS}{path}", text)
    assert (given.status_code, given.mimetype) == (400, "application/json")
    assert given.json["errorCode"] == code
    assert given.json["errorDetails"]
    assert given.json.get("key") == ("banner" if path else None)


def test_what_we_do_not_know_is_left_alone(running: Caller) -> None:
    body = {**context(), "something": "new"}
    assert running.post(f"{FLAGS}/banner?something=new", body).status_code == 200
    assert running.post(f"{FLAGS}?something=new", body).status_code == 200


@pytest.mark.parametrize("key", ["none", "draft", "Ümlaut", "a b", "-", "x" * 300])
def test_a_flag_that_is_not_there(running: Caller, key: str) -> None:
    running.post("/v1/experiments", {**BANNER, "key": "draft"})
    given = running.post(f"{FLAGS}/{key}", context())
    assert (given.status_code, given.json["errorCode"], given.json["key"]) == (404, "FLAG_NOT_FOUND", key)
    assert given.json["errorDetails"]


@pytest.mark.parametrize(
    ("path", "status", "code", "key"),
    [
        ("/ofrep/v1/evaluate/flags/a/b", 404, "FLAG_NOT_FOUND", "a/b"),
        ("/ofrep/v1/configuration", 404, "GENERAL", None),
        ("/ofrep", 404, "GENERAL", None),
    ],
)
def test_nothing_is_there_in_the_same_form(running: Caller, path: str, status: int, code: str, key: str | None) -> None:
    given = running.post(path, context())
    assert (given.status_code, given.json["errorCode"], given.json.get("key")) == (status, code, key)


def test_reading_a_flag_is_not_allowed_in_the_same_form(running: Caller) -> None:
    given = running.get(f"{FLAGS}/banner")
    assert (given.status_code, given.json["errorCode"], given.json["key"]) == (405, "GENERAL", "banner")
    assert "POST" in given.headers["Allow"]


def test_too_large_and_of_another_kind(running: Caller) -> None:
    large = running.post(f"{FLAGS}/banner", context(note="x" * 200_000))
    assert (large.status_code, large.json["errorCode"], large.json["key"]) == (413, "PARSE_ERROR", "banner")
    plain = running.post_text(f"{FLAGS}/banner", "{}", content_type="text/plain")
    assert (plain.status_code, plain.json["errorCode"], plain.json["key"]) == (415, "PARSE_ERROR", "banner")


def test_our_own_failure_has_the_form_too(running: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    running.client.application.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setattr(running.winnow.assigner, "evaluate", lambda *_: 1 / 0)
    one = running.post(f"{FLAGS}/banner", context())
    assert (one.status_code, one.json["errorCode"], one.json["key"]) == (500, "GENERAL", "banner")
    every = running.post(FLAGS, context())
    assert (every.status_code, every.json["errorCode"]) == (500, "GENERAL")
    assert "key" not in every.json


def test_before_the_experiments_were_read_it_is_not_ready(clock: FakeClock) -> None:
    api = caller(MemoryDatabase().unit_of_work, clock)
    from experiments.services.assigning.catalog import EMPTY  # noqa: PLC0415

    api.winnow.catalog.current = EMPTY
    given = api.post(f"{FLAGS}/banner", context())
    assert (given.status_code, given.json["errorCode"], given.json["key"]) == (503, "GENERAL", "banner")
    assert given.headers["Retry-After"] == "1"


@pytest.mark.parametrize("path", ["/banner", ""])
def test_who_may_ask(running: Caller, path: str) -> None:
    assert running.anonymous().post(f"{FLAGS}{path}", context()).status_code == 401
    assert running.with_scopes("read").post(f"{FLAGS}{path}", context()).status_code == 403
    allowed = running.with_scopes("assign")
    assert allowed.post(f"{FLAGS}{path}", context()).status_code == 200
    header = running.client.post(f"{FLAGS}{path}", json=context(), headers={"X-API-Key": str(allowed.key)})
    assert header.status_code == 200


def test_who_has_the_answer_already_is_told_so(running: Caller) -> None:
    first = running.post(FLAGS, context())
    assert first.json == {"flags": [evaluation("a")]}
    tag = first.headers["ETag"]
    assert tag[0] == tag[-1] == '"'
    for held in (tag, f"W/{tag}", f'"other", {tag}', tag.strip('"')):
        again = running.post(FLAGS, context(), If_None_Match=held)
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    assert running.post(FLAGS, context(), If_None_Match='"other"').status_code == 200


def test_the_tag_depends_on_the_context_and_on_the_configuration_where_it_matters(running: Caller) -> None:
    tag = running.post(FLAGS, context()).headers["ETag"]
    assert running.post(FLAGS, context(SEES_B), If_None_Match=tag).status_code == 200
    assert running.post(FLAGS, context(mens=1), If_None_Match=tag).status_code == 200
    running.post("/v1/experiments", {**BANNER, "key": "draft"})
    assert running.post(FLAGS, context(), If_None_Match=tag).status_code == 304
    running.post("/v1/experiments/banner/pause")
    assert running.post(FLAGS, context(), If_None_Match=tag).status_code == 200


def test_where_asking_is_showing_the_exposure_is_stored_once_also_with_304(clock: FakeClock) -> None:
    database = MemoryDatabase()
    api = caller(database.unit_of_work, clock)
    api.post("/v1/metrics", VISIT)
    start(api, "banner", exposure_policy="on_assignment")
    tag = api.post(FLAGS, context()).headers["ETag"]
    assert api.post(FLAGS, context(), If_None_Match=tag).status_code == 304
    assert api.post(f"{FLAGS}/banner", context()).json["metadata"]["exposure_policy"] == "on_assignment"
    with database.unit_of_work() as work:
        (batch,) = work.log.exposures("banner", work.log.watermark(now=clock()))
    assert [row[:4] for row in batch] == [(SEES_A, "a", "everyone", 1)]


def test_a_browser_of_the_shop_may_ask(running: Caller) -> None:
    asked = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,if-none-match,x-api-key",
    }
    preflight = running.client.options(f"{FLAGS}/banner", headers=asked)
    assert preflight.headers["Access-Control-Allow-Origin"] == SHOP
    allowed = {name.strip().lower() for name in preflight.headers["Access-Control-Allow-Headers"].split(",")}
    assert {"authorization", "content-type", "if-none-match", "x-api-key"} <= allowed
    answer = running.post(FLAGS, context(), Origin=SHOP)
    exposed = {name.strip() for name in answer.headers["Access-Control-Expose-Headers"].split(",")}
    assert {"ETag", "Retry-After"} <= exposed


def test_no_streams_are_told_of_where_there_are_none(running: Caller) -> None:
    assert "eventStreams" not in running.post(FLAGS, context()).json


def test_who_heard_of_a_change_gets_it_from_a_process_that_has_not(clock: FakeClock) -> None:
    database = MemoryDatabase()
    here, there = caller(database.unit_of_work, clock), caller(database.unit_of_work, clock)
    run_banner(here)
    version = here.winnow.catalog.refresh().version
    for noticed in ("", str(there.winnow.catalog.current.version), "x", "-1", "9" * 40):
        assert there.post(f"{FLAGS}?flagConfigEtag={noticed}", context()).json["flags"] == []
    told = there.post(f"{FLAGS}?flagConfigEtag={version}&flagConfigLastModified=1771622898", context())
    assert told.json["flags"] == [evaluation("a")]


LIMITED = Settings(
    database_url="memory://", secret_key="s" * 40, rate_limit_per_second=0.5, rate_limit_burst=2, cors_origins=(SHOP,)
)


def test_who_asks_too_often_waits(clock: FakeClock) -> None:
    api = run_banner(caller(MemoryDatabase().unit_of_work, clock, LIMITED))
    often, seldom = api.with_scopes("assign", "ingest"), api.with_scopes("assign")
    assert [often.post(f"{FLAGS}/banner", context()).status_code for _ in range(2)] == [200, 200]
    one = often.post(f"{FLAGS}/banner", context(), Origin=SHOP)
    assert (one.status_code, one.headers["Retry-After"]) == (429, "2")
    assert one.json == {"key": "banner", "errorCode": "GENERAL", "errorDetails": one.json["errorDetails"]}
    assert one.headers["Access-Control-Allow-Origin"] == SHOP
    every = often.post(FLAGS, context())
    assert (every.status_code, every.json["errorCode"], "key" in every.json) == (429, "GENERAL", False)
    for path, body in (("assignments", {"unit_id": "u"}), ("events", {"items": []})):
        refused = often.post(f"/v1/{path}", body)
        assert (refused.status_code, refused.json["code"]) == (429, "rate_limited")
        assert refused.headers["Retry-After"] == "2"
    assert seldom.post(f"{FLAGS}/banner", context()).status_code == 200
    assert [api.get("/v1/experiments").status_code for _ in range(5)] == [200] * 5
