"""What is known of single units, over HTTP and in both lanes."""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from api.catalog_poller import CatalogPoller
from experiments.domain.errors import Unavailable
from experiments.settings import ROOT
from experiments.storage.experiments.catalog_changes import PolledFeed
from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock
from tests.http.api_client import BANNER, VISIT, Caller, codes, refusal
from tests.http.conftest import caller
from tests.http.lanes import Lanes

SOURCES = [
    {"key": "crm", "name": "CRM", "kind": "first_party", "precedence": 20},
    {"key": "platform", "name": "Platform", "kind": "third_party", "precedence": 10},
]
ATTRIBUTES = [
    {"key": "city", "name": "City", "type": "text", "personal": True},
    {"key": "orders", "name": "Orders", "type": "number", "fresh_days": 30},
    {"key": "channels", "name": "Channels", "type": "texts", "allowed": ["mail", "app"]},
]
LOYAL = {"key": "loyal", "name": "Loyal", "condition": {"orders": {"$gte": 3}}}
NOW = "2026-01-05T09:00:00+00:00"


def registered(api: Caller) -> Caller:
    for noun, bodies in (("sources", SOURCES), ("attributes", ATTRIBUTES)):
        for body in bodies:
            assert api.post(f"/v1/{noun}", body).status_code == 201
    return api


def run_loyal(api: Caller) -> Caller:
    """Run an experiment in which loyal customers see b, and everybody else a."""
    whole = {"segments": [{"segment": "loyal", "weights": {"b": 1}}, {"segment": "everyone", "weights": {"a": 1}}]}
    for path, body in (("segments", LOYAL), ("metrics", VISIT), ("experiments", {**BANNER, **whole})):
        assert api.post(f"/v1/{path}", body).status_code == 201
    assert api.post("/v1/experiments/banner/start").status_code == 200
    return api


@pytest.fixture
def house(api: Caller) -> Caller:
    return run_loyal(registered(api))


def patch(api: Caller, unit_id: str, source: str = "crm", at: str | None = None, **attributes: Any) -> Any:
    body = {"source": source, "attributes": attributes, **({"at": at} if at else {})}
    return api.send("PATCH", f"/v1/units/{unit_id}", body)


def segment(api: Caller, unit_id: str = "u1", **attributes: Any) -> str:
    answer = api.post("/v1/assignments", {"unit_id": unit_id, "attributes": attributes})
    return str(answer.json["assignments"][0]["segment"])


def test_a_profile_is_written_and_read(house: Caller) -> None:
    patch(house, "u1", "platform", city="Köln", channels=["mail"])
    answer = patch(house, "u1", "crm", at="2026-01-04T10:00:00+01:00", city="Bonn", orders=2)
    expected = {
        "unit_id": "u1",
        "attributes": {"channels": ["mail"], "city": "Bonn", "orders": 2},
        "origins": {
            "channels": {"source": "platform", "at": NOW},
            "city": {"source": "crm", "at": "2026-01-04T09:00:00+00:00"},
            "orders": {"source": "crm", "at": "2026-01-04T09:00:00+00:00"},
        },
        "updated_at": NOW,
    }
    assert (answer.status_code, answer.json) == (200, {**expected, "outdated": []})
    read = house.get("/v1/units/u1")
    assert (read.status_code, read.json, read.headers["Cache-Control"]) == (200, expected, "no-store")
    assert patch(house, "u1", "crm", at="2026-01-03T00:00:00Z", city="Ulm").json["outdated"] == ["city"]
    assert patch(house, "u1", "crm", city=None).json["attributes"]["city"] == "Köln"


@pytest.mark.parametrize("unit_id", ["a/b", "a//b", "Zoë 🛒", "batches", "a%2Fb", "x?y", ".", "a/consents", "consent"])
def test_a_unit_is_called_whatever_others_call_it(house: Caller, unit_id: str) -> None:
    address = quote(unit_id, safe="")
    assert patch(house, address, city="Bonn").json["unit_id"] == unit_id
    assert house.get(f"/v1/units/{address}").json["attributes"] == {"city": "Bonn"}


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        *(("u1/consent", method, {"GET", "HEAD", "PUT", "OPTIONS"}) for method in ("DELETE", "PATCH", "POST")),
        ("u1/consent/consent", "DELETE", {"GET", "HEAD", "PUT", "OPTIONS"}),
        *(("consents", method, {"POST", "OPTIONS"}) for method in ("DELETE", "PATCH", "GET", "PUT")),
        *(("batch", method, {"POST", "OPTIONS"}) for method in ("DELETE", "PATCH", "GET", "PUT")),
    ],
)
def test_what_is_an_address_of_its_own_is_no_unit(house: Caller, path: str, method: str, allowed: set[str]) -> None:
    answer = house.send(method, f"/v1/units/{path}", {"source": "crm", "attributes": {"city": "Bonn"}})
    assert refusal(answer) == (405, "method_not_allowed", None)
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_an_address_that_is_not_utf8_names_nobody(house: Caller) -> None:
    """No receipt for another one's id, and no refusal that counts for nobody: `%FC` is an ü in Latin-1 alone."""
    patch(house, quote("M\ufffdller"), city="Bonn")
    headers, sent = {"Authorization": f"Bearer {house.key}"}, {"granted": False}
    for method, rest, body in (("GET", "", None), ("DELETE", "", None), ("PUT", "/consent", sent)):
        raw = {"PATH_INFO": f"/v1/units/M\xfcller{rest}"}  # as servers hand over the bytes; the test's client cannot
        answer = house.client.open("/", method=method, json=body, headers=headers, environ_overrides=raw)
        assert answer.json["code"] in ("route_not_found", "method_not_allowed")
    assert house.get("/v1/units/M%EF%BF%BDller/consent").json["granted"] is None
    assert house.get("/v1/units/M%EF%BF%BDller").json["attributes"] == {"city": "Bonn"}


def test_what_does_not_hold_is_refused_at_its_place(house: Caller) -> None:
    assert refusal(house.get("/v1/units/nobody")) == (404, "unit_not_found", None)
    assert refusal(patch(house, "u1", shoe=43)) == (422, "attribute_unknown", "/attributes/shoe")
    assert refusal(patch(house, "u1", city=43)) == (422, "attribute_value_invalid", "/attributes/city")
    assert refusal(patch(house, "u1", channels=["sms"])) == (422, "value_not_allowed", "/attributes/channels")
    assert refusal(patch(house, "u1", "shop", city="x")) == (422, "source_unknown", "/source")
    assert refusal(patch(house, "u1")) == (422, "changes_count", "/attributes")
    assert refusal(patch(house, "a%01b", city="x")) == (422, "id_invalid", "/unit_id")
    missing = house.send("PATCH", "/v1/units/u1", {"attributes": []})
    assert sorted(codes(missing)) == [("/attributes", "type"), ("/source", "required")]


@pytest.mark.parametrize("number", ["1e309", "-1e309", "1" * 5_000])
def test_a_number_beyond_all_numbers_is_called_out_of_range(house: Caller, number: str) -> None:
    told = ("attribute_value_invalid", "The number is out of range.", "/attributes/orders")
    headers = {"Authorization": f"Bearer {house.key}", "Content-Type": "application/json"}
    said = f'"attributes": {{"orders": {number}}}'
    one = house.client.patch("/v1/units/u1", data=f'{{"source": "crm", {said}}}', headers=headers)
    assert (refusal(one), one.json["detail"]) == ((422, told[0], told[2]), told[1])
    many = f'{{"source": "crm", "units": [{{"unit_id": "u1", {said}}}]}}'
    (verdict,) = house.client.post("/v1/units/batch", data=many, headers=headers).json["units"]
    assert (verdict["code"], verdict["message"], verdict["path"]) == told
    text = f'{{"source": "crm", "attributes": {{"city": {number}}}}}'
    assert house.client.patch("/v1/units/u1", data=text, headers=headers).status_code == 422


def test_one_bad_unit_never_fails_its_batch(house: Caller) -> None:
    units: list[Any] = [
        {"unit_id": "u1", "attributes": {"city": "Bonn", "orders": 5}},
        {"unit_id": "u2", "attributes": {"orders": "five"}},
        {"unit_id": 7, "attributes": {"orders": 5}},
        None,
        {"unit_id": "u3", "attributes": {"orders": 1}, "source": "platform"},
        {"unit_id": "u4", "attributes": {"orders": 1}, "at": "yesterday"},
        {"unit_id": "u1", "attributes": {"city": "Bonn"}},
        {"unit_id": "u1", "attributes": {"city": "Ulm"}, "at": "2026-01-01T00:00:00Z"},
    ]
    answer = house.post("/v1/units/batch", {"source": "crm", "units": units})
    told = [(one["unit_id"], one["status"], one["code"], one["path"]) for one in answer.json["units"]]
    assert answer.status_code == 200
    assert told == [
        ("u1", "accepted", None, None),
        ("u2", "rejected", "attribute_value_invalid", "/attributes/orders"),
        (None, "rejected", "invalid", "/unit_id"),
        (None, "rejected", "type", ""),
        ("u3", "rejected", "unknown_field", "/source"),
        ("u4", "rejected", "invalid", "/at"),
        ("u1", "unchanged", None, None),
        ("u1", "outdated", None, None),
    ]
    assert {name: answer.json[name] for name in ("accepted", "unchanged", "outdated", "rejected")} == {
        "accepted": 1,
        "unchanged": 1,
        "outdated": 1,
        "rejected": 5,
    }
    assert house.get("/v1/units/u1").json["attributes"] == {"city": "Bonn", "orders": 5}
    assert house.get("/v1/units/u4").status_code == 404


def test_the_documented_batch_sent_again_stores_nothing_and_without_its_instants_says_it_anew(
    house: Caller, clock: FakeClock
) -> None:
    text = (ROOT / "docs" / "profiles.md").read_text(encoding="utf-8")
    batch = json.loads(text.partition("POST /v1/units/batch\n")[2].partition("```")[0])
    assert [house.post("/v1/units/batch", batch).json["unchanged"] for _ in range(2)] == [0, 2]
    for unit in batch["units"]:
        del unit["at"]
    clock.advance(seconds=1)
    assert house.post("/v1/units/batch", batch).json["accepted"] == 2


@pytest.mark.parametrize(("count", "status"), [(0, 422), (1_000, 200), (1_001, 422)])
def test_a_batch_has_a_size(house: Caller, count: int, status: int) -> None:
    units = [{"unit_id": f"u{number}", "attributes": {"orders": 1}} for number in range(count)]
    assert house.post("/v1/units/batch", {"source": "crm", "units": units}).status_code == status


@pytest.mark.parametrize("scope", ["client", "assign", "read", "write"])
def test_only_keys_for_profiles_read_or_write_them(house: Caller, scope: str) -> None:
    other = house.with_scopes(scope)
    assert patch(other, "u1", city="Bonn").status_code == 403
    assert other.get("/v1/units/u1").status_code == 403
    assert other.post("/v1/units/batch", {"source": "crm", "units": []}).status_code == 403
    keeper = house.with_scopes("profiles")
    assert patch(keeper, "u1", city="Bonn").status_code == 200
    assert keeper.get("/v1/attributes").status_code == 403


def test_a_key_for_browsers_can_be_no_key_for_profiles(house: Caller) -> None:
    body = {"name": "both", "scopes": ["client", "profiles"]}
    assert refusal(house.post("/v1/keys", body)) == (422, "scope_client_alone", "/scopes")


def test_logs_name_neither_units_nor_what_is_known_of_them(
    house: Caller, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        patch(house, "ada@example.com", city="Bonn")
        patch(house, "ada@example.com", city=["Bonn"])
        house.get("/v1/units/ada@example.com")
        house.get("/v1/units/nobody@example.com")
    printed = capsys.readouterr()
    assert caplog.text.count("'/v1/units/…'") == 4
    told = caplog.text + printed.out + printed.err
    assert "example.com" not in told
    assert "Bonn" not in told


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1//units/customer-SECRET", "/v1//units/…"),
        ("/v1/units//customer-SECRET", "/v1/units//…"),
        ("/V1/units/customer-SECRET", "/V1/units/…"),
        ("/v1/UNITS/customer-SECRET", "/v1/UNITS/…"),
        ("/v1/%75nits/customer-SECRET", "/v1/units/…"),
        ("/v1/units;a/customer-SECRET", "/v1/units…"),
        ("/v1/units%2Fcustomer-SECRET", "/v1/units/…"),
        ("/v1/units/customer%2FSECRET/", "/v1/units/…"),
        ("/v1/unit/customer-SECRET", "/v1/unit/…"),
        ("/api/v1/units/customer-SECRET", "/api/v1/…"),
        ("/v1/units/batch/customer-SECRET", "/v1/units/…"),
        ("/v1/customers/customer-SECRET", "/v1/customers/…"),
        ("/v1//customers//customer-SECRET/x", "/v1//customers//…"),
        ("/v1/events/customer-SECRET", "/v1/events/…"),
    ],
)
def test_no_spelling_of_an_address_brings_a_unit_into_the_log(
    house: Caller, caplog: pytest.LogCaptureFixture, path: str, told: str
) -> None:
    with caplog.at_level(logging.INFO):
        for method in ("GET", "PATCH", "PUT"):
            caplog.clear()
            house.client.open(path, method=method, headers={"Authorization": f"Bearer {house.key}"})
            assert f"'{told}'" in caplog.text
            assert "SECRET" not in caplog.text


def test_addresses_that_name_no_unit_are_logged_whole(house: Caller, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        house.post("/v1/units/batch", {})
        house.get("/v1/segments/units-abroad")
    assert "'/v1/units/batch'" in caplog.text
    assert "'/v1/segments/units-abroad'" in caplog.text


def learnt(api: Caller) -> Lanes:
    made = Lanes.of(api)
    made.fast("/v1/assignments", b'{"unit_id":"first"}')
    made.fast("/v1/assignments/batch", b'{"units":[{"unit_id":"first"}]}')
    made.fast("/ofrep/v1/evaluate/flags", b'{"context":{"targetingKey":"first"}}')
    return made


WAYS = {
    "/v1/assignments": ({"unit_id": "u1"}, {"unit_id": "u1", "attributes": {"orders": 1}}),
    "/v1/assignments/batch": (
        {"units": [{"unit_id": "u1"}, {"unit_id": "u2"}]},
        {"units": [{"unit_id": "u1", "attributes": {"orders": 1}}, {"unit_id": "u2"}]},
    ),
    "/ofrep/v1/evaluate/flags": (
        {"context": {"targetingKey": "u1"}},
        {"context": {"targetingKey": "u1", "orders": 1}},
    ),
}


@pytest.mark.parametrize("path", WAYS)
def test_both_lanes_lay_the_profile_under_the_request(house: Caller, path: str) -> None:
    lanes = learnt(house)
    plain, own = (json.dumps(body).encode() for body in WAYS[path])
    before = lanes.same(path, plain)
    patch(house, "u1", orders=3)
    known, wins = lanes.same(path, plain), lanes.same(path, own)
    assert [answer.by_flask for answer in (before, known, wins)] == [False] * 3
    assert (b'"loyal"' in before.body, b'"loyal"' in known.body, b'"loyal"' in wins.body) == (False, True, False)
    patch(house, "u1", orders=None)
    assert b'"loyal"' not in lanes.same(path, plain).body


def test_a_null_of_the_request_wins_as_well(house: Caller) -> None:
    patch(house, "u1", orders=3)
    assert segment(house, city="anywhere") == "loyal"
    assert segment(house, orders=None) == "everyone"


def test_browsers_that_ask_get_the_profile_s_segment_too(house: Caller) -> None:
    patch(house, "u1", orders=3)
    assert segment(house.with_scopes("client")) == "loyal"
    features = "/api/eval/" + str(house.with_scopes("client").key)
    told = house.anonymous().post(features, {"attributes": {"id": "u1"}})
    assert told.json["features"]["banner"]["defaultValue"] == {"text": "new"}


def test_a_value_counts_until_it_lapses_and_not_longer(house: Caller, clock: FakeClock) -> None:
    patch(house, "u1", orders=3)
    patch(house, "u1", "platform", orders=1)
    assert segment(house) == "loyal"
    clock.advance(days=29, hours=23)
    assert segment(house) == "loyal"
    clock.advance(hours=1)
    assert segment(house) == "everyone"


def test_a_new_registration_and_another_precedence_are_seen_at_once(api: Caller) -> None:
    run_loyal(api)
    assert segment(api) == "everyone"
    registered(api)
    patch(api, "u1", "crm", orders=1)
    patch(api, "u1", "platform", orders=3)
    assert segment(api) == "everyone"
    assert api.put("/v1/sources/platform", {**SOURCES[1], "precedence": 30}, If_Match='"1"').status_code == 200
    assert segment(api) == "loyal"


def test_while_the_database_is_away_the_request_is_all_there_is(clock: FakeClock) -> None:
    database, away = MemoryDatabase(), []

    def opened(*, read_only: bool = False) -> Any:
        if away:
            away.append(None)
            raise Unavailable("database_unavailable", "Gone.")
        return database.unit_of_work(read_only=read_only)

    house = run_loyal(registered(caller(opened, clock)))
    lanes = learnt(house)
    for unit_id in ("u1", "u2"):
        patch(house, unit_id, orders=3)
    assert b'"loyal"' in lanes.same("/v1/assignments", b'{"unit_id":"u1"}').body
    away.append(None)
    assert b'"loyal"' in lanes.same("/v1/assignments", b'{"unit_id":"u1"}').body
    asked = len(away)
    assert b'"loyal"' not in lanes.same("/v1/assignments", b'{"unit_id":"u2"}').body
    assert len(away) == asked + 1, "a database that is away is not asked again by every request"
    assert b'"loyal"' in lanes.same("/v1/assignments", b'{"unit_id":"u2","attributes":{"orders":4}}').body
    away.clear()
    house.winnow.caches.profiles.follow()
    assert b'"loyal"' in lanes.same("/v1/assignments", b'{"unit_id":"u2"}').body


def test_exposures_of_a_profile_s_segment_are_believed(house: Caller) -> None:
    patch(house, "u1", orders=3)
    shown = house.post("/v1/assignments", {"unit_id": "u1"}).json["assignments"][0]
    item = {name: shown[name] for name in ("experiment", "version", "segment", "variant")}
    answer = house.post("/v1/events", {"items": [{"type": "exposure", "event_id": "x", "unit_id": "u1", **item}]})
    assert (answer.json["accepted"], shown["variant"]) == (1, "b")


def test_a_key_s_tags_hide_experiments_and_not_what_is_known(house: Caller) -> None:
    patch(house, "u1", orders=3)
    tagged = replace(house, key=house.with_scopes("assign", tags=("shop",)).key)
    assert tagged.post("/v1/assignments", {"unit_id": "u1"}).json == {"assignments": []}


def test_the_examples_of_the_docs_work(api: Caller) -> None:
    """In their order, as printed, answered with success."""
    told = (ROOT / "docs" / "profiles.md").read_text(encoding="utf-8")
    examples = re.findall(r"```http\n(POST|PATCH) (\S+)\n(.*?)\n```", told, re.DOTALL)
    statuses = [api.send(method, path, json.loads(body)).status_code for method, path, body in examples]
    assert statuses == [201, 201, 200, 200]
    assert api.get("/v1/units/customer-42").json["attributes"] == {"orders": 3}


def test_the_poller_brings_what_another_process_wrote(clock: FakeClock) -> None:
    opened = MemoryDatabase().unit_of_work
    here = run_loyal(registered(caller(opened, clock)))
    there = caller(opened, clock)
    profiles = there.winnow.caches.profiles
    poller = CatalogPoller(there.winnow.catalog, PolledFeed(), every_seconds=60, caches=(profiles,))
    poller.look()
    for orders, seen in ((3, "loyal"), (1, "everyone")):
        before = segment(there)
        patch(here, "u1", orders=orders)
        assert segment(there) == before
        poller.look()
        assert segment(there) == seen


@pytest.mark.parametrize("sent", ["%1b[31m", "%9b31m", "%e2%80%a8", "%c2%9b", "%0a"])
def test_nothing_that_a_terminal_obeys_reaches_the_log(
    house: Caller, caplog: pytest.LogCaptureFixture, sent: str
) -> None:
    with caplog.at_level(logging.INFO):
        house.client.get(f"/nowhere{sent}end")
    [record] = [one for one in caplog.records if "nowhere" in str(one.msg)]
    found = record.msg["path"] if isinstance(record.msg, dict) else ""
    assert found.startswith("/nowhere")
    assert found.endswith("end")
    assert not {unicodedata.category(character) for character in found} & {"Cc", "Cf", "Zl", "Zp"}
