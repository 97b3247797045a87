"""`/v1/identify`, and that both lanes then answer every id of a person alike."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from experiments.cli import main
from tests.golden.reference import bucket
from tests.http.api_client import Caller, refusal
from tests.http.lanes import Lanes

CLIENT = "client"


def device_of(caller: Caller, variant: str, prefix: str = "device-") -> str:
    """An id that the banner's split shows that variant, from the second implementation."""
    salt = caller.winnow.catalog.current.live["banner"].experiment.definition.salt
    wanted = range(5_000) if variant == "a" else range(5_000, 10_000)
    return next(f"{prefix}{n}" for n in range(200) if bucket(f"{salt}/variant", f"{prefix}{n}") in wanted)


def identify(caller: Caller, anonymous_id: str, unit_id: str):
    return caller.post("/v1/identify", {"anonymous_id": anonymous_id, "unit_id": unit_id})


def test_a_visitor_becomes_known_and_keeps_its_variant(running: Caller) -> None:
    browser = running.with_scopes(CLIENT)
    visitor, customer = device_of(running, "b"), device_of(running, "a", "customer-")
    answer = identify(browser, visitor, customer)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.json == {"anonymous_id": visitor, "unit_id": customer, "bucketed_by": "anonymous_id"}
    assert identify(browser, visitor, customer).json == answer.json
    phone = device_of(running, "a", "phone-")
    assert identify(browser, phone, customer).json["bucketed_by"] == "another_id"
    for unit in (visitor, customer, phone):
        asked = browser.post("/v1/assignments", {"unit_id": unit, "attributes": {"mens": 1}})
        assert [(one["variant"], one["counted"]) for one in asked.json["assignments"]] == [("b", True)]


@pytest.mark.parametrize(
    ("body", "status", "code", "path"),
    [
        ({"anonymous_id": "dev", "unit_id": "dev"}, 422, "identity_same", "/anonymous_id"),
        ({"anonymous_id": "", "unit_id": "ann"}, 422, "id_invalid", "/anonymous_id"),
        ({"anonymous_id": "dev", "unit_id": "a\tb"}, 422, "id_invalid", "/unit_id"),
        ({"anonymous_id": "taken", "unit_id": "bob"}, 409, "identity_taken", "/anonymous_id"),
        ({"anonymous_id": "ann", "unit_id": "bob"}, 409, "identity_chain", "/anonymous_id"),
        ({"anonymous_id": "dev", "unit_id": "taken"}, 409, "identity_chain", "/unit_id"),
    ],
)
def test_refusals_name_nobody(api: Caller, body: dict, status: int, code: str, path: str) -> None:
    assert identify(api, "taken", "ann").status_code == 200
    answer = api.post("/v1/identify", body)
    assert refusal(answer) == (status, code, path)
    assert not {"ann", "taken"} & set(answer.json["detail"].replace(".", " ").split())


def test_an_id_that_sources_speak_of_is_for_secret_keys_to_join(api: Caller) -> None:
    api.post("/v1/sources", {"key": "crm", "name": "CRM", "kind": "first_party", "precedence": 1})
    api.post("/v1/attributes", {"key": "city", "name": "City", "type": "text"})
    said = {"source": "crm", "attributes": {"city": "Bonn"}}
    assert api.send("PATCH", "/v1/units/victim", said).status_code == 200
    refused = identify(api.with_scopes(CLIENT), "victim", "attacker")
    assert refusal(refused) == (409, "anonymous_id_known", "/anonymous_id")
    assert identify(api.with_scopes("ingest"), "victim", "known").status_code == 200


def test_both_lanes_say_the_same_before_and_after(running: Caller) -> None:
    visitor, customer = device_of(running, "b"), device_of(running, "a", "customer-")
    lanes = Lanes.of(running)

    def variants() -> list[str]:
        found = []
        for unit in (visitor, customer):
            body = json.dumps({"unit_id": unit, "attributes": {"mens": 1}}).encode()
            lanes.same("/v1/assignments", body)  # the lane learns its headers from Flask
            told = lanes.same("/v1/assignments", body)
            assert not told.by_flask
            found.append(json.loads(told.body)["assignments"][0]["variant"])
            context = json.dumps({"context": {"targetingKey": unit, "mens": 1}}).encode()
            for path in ("/ofrep/v1/evaluate/flags/banner", "/ofrep/v1/evaluate/flags"):
                lanes.same(path, context)
                told = lanes.same(path, context)
                assert not told.by_flask
                found.append(json.loads(told.body).get("variant") or json.loads(told.body)["flags"][0]["variant"])
            evaluated = running.winnow.remote_evaluator.evaluate({"id": unit, "mens": 1}, {}, tags=frozenset())
            found.append(evaluated["features"]["banner"]["rules"][0]["tracks"][0]["result"]["key"])
        many = json.dumps({"units": [{"unit_id": unit, "attributes": {"mens": 1}} for unit in (visitor, customer)]})
        lanes.same("/v1/assignments/batch", many.encode())
        told = lanes.same("/v1/assignments/batch", many.encode())
        assert not told.by_flask
        return found + [one["assignments"][0]["variant"] for one in json.loads(told.body)["results"]]

    assert variants() == ["b"] * 4 + ["a"] * 4 + ["b", "a"]
    assert identify(running, visitor, customer).status_code == 200
    assert variants() == ["b"] * 10


def test_results_tell_of_persons(running: Caller, clock) -> None:
    from experiments.services.analysing.analyse import Analyst  # noqa: PLC0415 - heavy

    visitor, customer = device_of(running, "b"), device_of(running, "a", "customer-")

    def shown(unit: str, variant: str) -> dict:
        said = {"experiment": "banner", "version": 1, "segment": "mens", "variant": variant}
        return {"type": "exposure", "event_id": f"x-{unit}-{variant}", "unit_id": unit, **said}

    running.post("/v1/events", {"items": [shown(visitor, "b"), shown(device_of(running, "a"), "a")]})
    analyst = Analyst(running.winnow.open_unit_of_work, clock)
    analyst.analyse("banner")
    assert running.get("/v1/experiments/banner/results").json["identities"] is None
    identify(running, visitor, customer)
    answer = running.post("/v1/events", {"items": [shown(customer, "b"), shown(customer, "a")]})
    assert answer.json["accepted"] == 2
    analyst.analyse("banner")
    told = running.get("/v1/experiments/banner/results").json
    assert told["identities"] == {"persons": 1, "several_ids_exposed": 1, "contradictions": 0}
    assert (told["report"]["units"], told["report"]["units_mixed"]) == (1, 1)
    assert told["snapshot"]["watermark"]["identity_revision"] > 0


def test_the_command_joins_and_says_who_sees_what(sqlite_url: str, monkeypatch) -> None:
    monkeypatch.setenv("WINNOW_DATABASE_URL", sqlite_url)
    told = [CliRunner().invoke(main, ["customers", "identify", *pair]) for pair in (("dev", "ann"), ("tab", "ann"))]
    assert told[0].output == "dev is ann: what dev saw stays, and ann sees it everywhere.\n"
    assert told[1].output == "tab is ann: what another id of ann saw stays, and tab sees it from now on.\n"
    refused = CliRunner().invoke(main, ["customers", "identify", "dev", "bob"])
    assert (refused.exit_code, refused.output.partition(":")[0]) == (1, "winnow")
    assert "identity_taken" in refused.output
