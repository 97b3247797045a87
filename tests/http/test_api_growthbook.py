"""What GrowthBook's SDKs ask. That the SDKs then do as we would is shown in tests/clients, with the SDKs themselves."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from api.logs import configure
from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock
from tests.http.api_client import BANNER, Caller, refusal
from tests.http.catalog_house import fill
from tests.http.conftest import SETTINGS, caller

SHOP = "https://shop.example"


@pytest.fixture
def house(api: Caller) -> Caller:
    return fill(api)


def features(api: Caller, *tags: str, **headers: str) -> Any:
    return api.client.get(f"/api/features/{_key(api, *tags)}", headers=headers)


def evaluated(api: Caller, body: dict[str, Any], *tags: str) -> Any:
    return api.client.post(f"/api/eval/{_key(api, *tags)}", json=body)


def _key(api: Caller, *tags: str) -> str:
    return str(api.with_scopes("client", tags=tags).key)


def test_an_experiment_is_a_feature_with_a_rule_per_segment(house: Caller) -> None:
    payload = features(house, "web").json
    layer = {"attribute": "id", "seed": "home, salted", "hashVersion": 2, "ranges": [[0.0, 0.4]]}
    traffic = {"attribute": "id", "seed": "front, sälted/traffic", "hashVersion": 2, "ranges": [[0.0, 0.5]]}
    common = {
        "key": "front",
        "phase": "1",
        "hashAttribute": "id",
        "seed": "front, sälted/variant",
        "hashVersion": 2,
        "disableStickyBucketing": True,
        "variations": [{"text": "old"}, {"text": "new"}],
        "meta": [{"key": "a", "name": "A"}, {"key": "b", "name": "B"}],
    }
    mens = {"mens": {"$eq": 1}}
    new = {
        "$or": [
            {"$or": [{"orders": {"$type": "number", "$lte": 1}}, {"orders": {"$exists": False}}]},
            {"plan.tier": {"$in": ["trial"]}},
        ]
    }
    not_mens = {"$nor": [mens]}  # half of them are in no traffic, and must not fall through to the next segments
    assert payload["features"] == {
        "front": {
            "defaultValue": {"text": "old"},
            "rules": [
                {"id": "mens", "name": "mens", "condition": mens, "filters": [layer, traffic],
                 "ranges": [[0.0, 0.25], [0.25, 1.0]], **common},
                {"id": "new", "name": "new", "condition": {"$and": [not_mens, new]}, "filters": [layer],
                 "ranges": [[0.0, 0.0], [0.0, 1.0]], **common},
                {"id": "everyone", "name": "everyone", "condition": not_mens, "filters": [layer],
                 "ranges": [[0.0, 0.6667], [0.6667, 1.0]], **common},
            ],
        }
    }  # fmt: skip
    assert (payload["status"], payload["winnow"]) == (200, {"left_out": {}})


def test_what_sdks_cannot_decide_is_left_out_with_the_reason(house: Caller) -> None:
    api = house
    segment = {"key": "listed", "name": "Listed", "condition": {"colours": ["red", "blue"]}}
    assert api.post("/v1/segments", segment).status_code == 201
    by_list = {
        **BANNER,
        "key": "by-list",
        "bucketing": 2,
        "segments": [{"segment": "listed", "weights": {"a": 1, "b": 1}}],
    }
    in_mail = {**BANNER, "key": "in-home", "bucketing": 2, "exposure_policy": "on_assignment"}
    for body in (by_list, in_mail):
        assert api.post("/v1/experiments", body).status_code == 201
        assert api.post(f"/v1/experiments/{body['key']}/start").status_code == 200
    payload = features(api).json
    assert sorted(payload["features"]) == ["front", "over", "resting", "rival"]
    assert payload["winnow"]["left_out"] == {
        "banner": "its bucketing is version 1, not 2",
        "by-list": "'colours' is compared with a list or an object",
        "elsewhere": "somebody else splits its units",
        "in-home": "its exposures are stored when the server is asked",
        "letter": "its exposures are stored when the server is asked",
    }


def test_a_layer_of_version_1_keeps_its_experiments_from_sdks(house: Caller) -> None:
    held = {**BANNER, "key": "held", "bucketing": 2, "layer": {"layer": "old", "share_bp": 100}, "tags": ["x"]}
    assert house.post("/v1/layers", {"key": "old", "name": "Old", "salt": "old"}).status_code == 201
    assert house.post("/v1/experiments", held).status_code == 201
    assert house.post("/v1/experiments/held/start").status_code == 200
    payload = features(house, "x").json
    assert payload["winnow"]["left_out"] == {"held": "the bucketing of its layer is version 1, not 2"}


def test_paused_and_stopped_ones_are_the_control(house: Caller) -> None:
    shown = features(house).json["features"]
    assert shown["resting"] == shown["over"] == {"defaultValue": {"text": "old"}, "rules": []}


@pytest.mark.parametrize("path", ["features", "eval"])
def test_no_tester_and_nothing_hidden_is_told(house: Caller, path: str) -> None:
    secret = {**BANNER, "key": "covert", "bucketing": 2, "tags": ["staff"], "forced": {"agent-7": "b"}}
    secret["variants"] = [BANNER["variants"][0], {"key": "b", "name": "B", "content": "classified"}]
    assert house.post("/v1/experiments", secret).status_code == 201
    assert house.post("/v1/experiments/covert/start").status_code == 200

    def told(*tags: str) -> str:
        if path == "features":
            return str(features(house, *tags).text)
        return str(evaluated(house, {"attributes": {"id": "u1"}}, *tags).text)

    assert "covert" in told()
    for tester in ("agent-7", "tester/1", "Jürgen", "J\\u00fcrgen"):
        assert tester not in told()
        assert tester not in told("shop")
    for hidden in ("covert", "classified", "rival", "staff"):
        assert hidden not in told("shop")
    assert "front" in told("shop")


def test_nothing_new_is_not_sent_again(house: Caller, clock: FakeClock) -> None:
    key = _key(house, "shop")
    first = house.client.get(f"/api/features/{key}")
    kept = "public, max-age=5, stale-while-revalidate=30, stale-if-error=86400"
    assert first.headers["Cache-Control"] == kept
    held = {"If-None-Match": first.headers["ETag"]}
    again = house.client.get(f"/api/features/{key}", headers=held)
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", first.headers["ETag"])

    clock.advance(seconds=60)
    house.post("/v1/experiments/rival/pause")  # which this key does not see
    assert house.client.get(f"/api/features/{key}", headers=held).status_code == 304
    house.post("/v1/experiments/front/pause")
    changed = house.client.get(f"/api/features/{key}", headers=held)
    assert changed.status_code == 200
    assert first.json["dateUpdated"].startswith("2026-01-05T09:00:00.")
    assert changed.json["dateUpdated"].startswith("2026-01-05T09:01:00.")


def test_the_date_differs_whenever_the_features_do(house: Caller) -> None:
    """SDKs in JavaScript take a payload of the date they know for the one they have; here the clock stands still."""
    told = [features(house, "web").json]
    for step in ("pause", "start", "stop"):
        assert house.post(f"/v1/experiments/front/{step}").status_code == 200
        told.append(features(house, "web").json)
    running, paused, resumed, stopped = ((one["features"], one["dateUpdated"]) for one in told)
    assert paused == stopped  # both show the control
    assert len({date for _, date in (running, paused, resumed)}) == 3


def test_remote_evaluation_decides_any_experiment_and_says_what_to_track(house: Caller) -> None:
    unit = {"id": "tester/2", "mens": 1, "orders": 5}
    told = evaluated(house, {"attributes": unit, "url": "https://shop.example/?banner=1", "forcedFeatures": []})
    assert (told.status_code, told.headers["Cache-Control"]) == (200, "no-store")
    assert sorted(told.json["features"]) == ["banner", "elsewhere", "front", "letter", "over", "resting", "rival"]
    for key, feature in told.json["features"].items():
        asked = {"unit_id": "tester/2", "attributes": unit, "experiment": key}
        (answer,) = house.post("/v1/assignments", asked).json["assignments"]
        assert feature["defaultValue"] == answer["content"]
        assert ("rules" in feature) == answer["counted"]
        if answer["counted"]:
            (rule,) = feature["rules"]
            (track,) = rule["tracks"]
            index = ["a", "b"].index(answer["variant"])
            assert (rule["id"], rule["force"]) == (answer["segment"], answer["content"])
            assert track["experiment"] == {
                "key": key,
                "name": answer["segment"],
                "phase": str(answer["version"]),
                "hashAttribute": "id",
                "variations": [answer["content"] if place == index else None for place in (0, 1)],
            }
            assert track["result"] == {
                "featureId": key,
                "inExperiment": True,
                "hashUsed": True,
                "stickyBucketUsed": False,
                "hashAttribute": "id",
                "hashValue": "tester/2",
                "variationId": index,
                "key": answer["variant"],
                "name": answer["variant"].upper(),
                "value": answer["content"],
            }


def exposed(api: Caller) -> list[tuple[str, str]]:
    with api.winnow.open_unit_of_work() as work:
        watermark = work.log.watermark(now=api.winnow.clock())
        return [(row[0], row[1]) for rows in work.log.exposures("letter", watermark) for row in rows]


def test_asking_is_showing_where_the_experiment_says_so_but_not_for_forced_variations(house: Caller) -> None:
    variant = house.post("/v1/assignments", {"unit_id": "u9", "experiment": "front"})
    assert variant.status_code == 200
    evaluated(house, {"attributes": {"id": "u1"}, "forcedVariations": {"letter": 1}})
    assert exposed(house) == []
    evaluated(house, {"attributes": {"id": "u1"}})
    evaluated(house, {"attributes": {"id": "u1"}})
    assert [unit for unit, _ in exposed(house)] == ["u1"]


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [(0, "old"), (1, "new"), (2, None), (-1, None), (True, None), ("1", None), (1.0, None), (None, None)],
    ids=repr,
)
def test_a_variation_is_forced_by_an_index_that_there_is(house: Caller, wanted: object, shown: str | None) -> None:
    plain = evaluated(house, {"attributes": {"id": "u1"}}).json["features"]
    forced = evaluated(house, {"attributes": {"id": "u1"}, "forcedVariations": {"banner": wanted}}).json["features"]
    expected = plain["banner"] if shown is None else {"defaultValue": {"text": shown}}
    assert forced == {**plain, "banner": expected}


def test_a_hidden_experiment_cannot_be_forced(house: Caller) -> None:
    asked = {"attributes": {"id": "u1"}, "forcedVariations": {"rival": 1}}
    assert sorted(evaluated(house, asked, "web").json["features"]) == ["front"]


@pytest.mark.parametrize("attributes", [{}, {"id": ""}, {"id": 0}, {"id": None}, {"id": True}, {"id": 1.5}, {"id": []}])
def test_without_an_id_everybody_sees_the_control(house: Caller, attributes: dict[str, Any]) -> None:
    told = evaluated(house, {"attributes": {**attributes, "mens": 1}}).json["features"]
    assert set(map(json.dumps, told.values())) == {json.dumps({"defaultValue": {"text": "old"}})}
    assert len(told) == 7


def test_a_number_is_an_id_as_javascript_writes_it(house: Caller) -> None:
    by_text = evaluated(house, {"attributes": {"id": "12345"}}).json["features"]
    for number in (12_345, 12_345.0):
        assert evaluated(house, {"attributes": {"id": number}}).json["features"] == by_text


@pytest.mark.parametrize("unit_id", ["x" * 513, "a\nb"], ids=["long", "line break"])
def test_an_unfit_id_is_refused(house: Caller, unit_id: str) -> None:
    assert refusal(evaluated(house, {"attributes": {"id": unit_id}})) == (422, "id_invalid", "/unit_id")


def test_what_other_sdks_send_besides_is_left_unread(house: Caller) -> None:
    body = {"attributes": {"id": "u1"}, "forcedFeatures": {"x": 1}, "url": None, "stickyBuckets": {}, "sdk": "kotlin"}
    assert evaluated(house, body).json == evaluated(house, {"attributes": {"id": "u1"}}).json
    assert evaluated(house, {}).status_code == 200
    assert evaluated(house, {"attributes": []}).status_code == 422


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("scope", ["assign", "ingest", "read", "write", "admin"])
def test_a_secret_key_is_refused_in_an_address(house: Caller, method: str, scope: str) -> None:
    key = house.with_scopes(scope).key
    path = "features" if method == "GET" else "eval"
    assert refusal(house.client.open(f"/api/{path}/{key}", method=method, json={})) == (403, "forbidden", None)


@pytest.mark.parametrize("key", ["sdk-abc123", "wk_0000000000000000_x", "wk_", "x" * 400])
def test_what_is_no_key_is_refused(api: Caller, key: str) -> None:
    for answer in (api.client.get(f"/api/features/{key}"), api.client.post(f"/api/eval/{key}", json={})):
        assert refusal(answer) == (401, "unauthenticated", None)


def test_a_revoked_key_is_refused(api: Caller) -> None:
    key = _key(api)
    assert api.client.get(f"/api/features/{key}").status_code == 200
    assert api.post(f"/v1/keys/{key.split('_')[1]}/revoke").status_code == 200
    assert api.client.get(f"/api/features/{key}").status_code == 401


def test_the_log_does_not_repeat_the_secret_of_a_key_in_an_address(
    api: Caller, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    configure(level="info", as_json=True)
    key = _key(api)
    for asked in (key, str(api.key), f"%20{key}", f"key={key}"):
        api.client.get(f"/api/features/{asked}")
    written = capsys.readouterr().err
    first, *_ = (json.loads(line) for line in written.splitlines())
    assert (first["path"], first["key"]) == (f"/api/features/wk_{key.split('_')[1]}_…", "client")
    assert key.split("_", 2)[2] not in written
    assert str(api.key).split("_", 2)[2] not in written


def test_a_page_of_the_shop_may_ask(api: Caller) -> None:
    key = _key(api)
    asked = {"Origin": SHOP, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    preflight = api.client.options(f"/api/eval/{key}", headers=asked)
    assert preflight.headers["Access-Control-Allow-Origin"] == SHOP
    assert preflight.headers["Access-Control-Allow-Headers"] == "content-type"
    answer = api.client.get(f"/api/features/{key}", headers={"Origin": SHOP})
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    elsewhere = api.client.get(f"/api/features/{key}", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in elsewhere.headers


@pytest.mark.parametrize("origins", [(SHOP,), (SHOP, "https://www.shop.example")], ids=["one", "two"])
def test_what_is_kept_for_one_origin_is_given_to_no_other(clock: FakeClock, origins: tuple[str, ...]) -> None:
    """A content delivery network that keeps what a stranger was answered must not give it to a page of the shop."""
    api = caller(MemoryDatabase().unit_of_work, clock, replace(SETTINGS, cors_origins=origins))
    key = _key(api)
    for headers in ({"Origin": SHOP}, {"Origin": "https://evil.example"}, {}):
        answer = api.client.get(f"/api/features/{key}", headers=headers)
        unchanged = api.client.get(f"/api/features/{key}", headers={**headers, "If-None-Match": answer.headers["ETag"]})
        unknown = api.client.get("/api/features/wk_none", headers=headers)
        assert [one.status_code for one in (answer, unchanged, unknown)] == [200, 304, 401]
        for one in (answer, unchanged, unknown):
            assert one.headers.getlist("Vary") == ["Origin"]


@pytest.mark.parametrize("origins", [("*",), ()], ids=["all", "none"])
def test_where_all_may_ask_or_none_one_answer_is_for_all(clock: FakeClock, origins: tuple[str, ...]) -> None:
    api = caller(MemoryDatabase().unit_of_work, clock, replace(SETTINGS, cors_origins=origins))
    for headers in ({"Origin": SHOP}, {}):
        answer = features(api, **headers)
        assert answer.headers.get("Access-Control-Allow-Origin") == (origins[0] if origins else None)
        assert "Vary" not in answer.headers


def test_nothing_at_all_is_an_empty_payload(api: Caller) -> None:
    payload = features(api).json
    assert (payload["features"], payload["winnow"]) == ({}, {"left_out": {}})
    assert evaluated(api, {"attributes": {"id": "u1"}}).json["features"] == {}
