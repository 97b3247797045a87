"""The catalog for clients that assign by themselves: its form is frozen, and a second reader reads it as we do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.schemas.catalog import CatalogSchema
from experiments.domain.assignment import compile_experiment
from experiments.services.assigning.catalog import Catalog, LiveExperiment
from experiments.services.publishing.published import catalog_document
from tests.golden.reference import IDS, assign
from tests.http.api_client import Caller, refusal
from tests.http.catalog_house import fill
from tests.unit.builders import NOW, plan, running

GOLDEN = Path(__file__).parents[1] / "golden" / "catalog_v1.json"
UNITS = [*IDS.values(), "tester/1", "Jürgen", *(f"customer-{number}" for number in range(200))]
# Which segment these attributes are in, as one reads the conditions of the house.
SEGMENTS: list[tuple[dict[str, Any], str]] = [
    ({}, "new"),  # a missing number of orders counts as 0
    ({"mens": 1, "orders": 5}, "mens"),
    ({"mens": True, "orders": 5}, "everyone"),
    ({"orders": 5, "plan": {"tier": "trial"}}, "new"),
    ({"orders": 5, "plan": "trial"}, "everyone"),
]


@pytest.fixture
def house(api: Caller) -> Caller:
    return fill(api)


def test_the_document_is_the_golden_one(house: Caller) -> None:
    answer = house.get("/v1/catalog")
    assert answer.content_type == "application/json"
    assert answer.json == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_a_second_reader_assigns_from_it_what_we_assign(house: Caller) -> None:
    """The reference of tests/golden shares no code with us; it is told the segment, and reads all else."""
    document = json.loads(GOLDEN.read_text(encoding="utf-8"))
    reasons = set()
    for experiment in document["experiments"]:
        for attributes, segment in SEGMENTS:
            named = {part["key"] for part in experiment["segments"]}
            wanted = segment if segment in named else "everyone"
            asked = {
                "units": [{"unit_id": unit, "attributes": attributes} for unit in UNITS],
                "experiment": experiment["key"],
            }
            for result in house.post("/v1/assignments/batch", asked).json["results"]:
                (answer,) = result["assignments"]
                read = _read(experiment, result["unit_id"], wanted)
                assert {key: answer[key] for key in read} == read
                assert (answer["version"], answer["epoch"]) == (experiment["version"], experiment["epoch"])
                reasons.add(answer["reason"])
    assert reasons == {
        "assigned", "forced", "holdout", "other_experiment", "not_in_traffic", "paused", "stopped"
    }  # fmt: skip


def _read(experiment: dict[str, Any], unit_id: str, segment: str) -> dict[str, Any]:
    part = next(part for part in experiment["segments"] if part["key"] == segment)
    contents = {variant["key"]: variant["content"] for variant in experiment["variants"]}
    if unit_id in experiment["forced"] or experiment["status"] == "running":
        segments = [{**one, "segment": one["key"]} for one in experiment["segments"]]
        read = assign({**experiment, "segments": segments}, unit_id, segment)
    elif experiment["status"] == "paused":
        read = {"variant": experiment["control"], "reason": "paused"}
    else:
        read = {"variant": part["after_stop"], "reason": "stopped"}
    return {**read, "content": contents[read["variant"]]}


def test_after_a_stop_promoted_segments_keep_their_winner() -> None:
    stopped = running(segments=(plan(promoted="b"),)).stop(NOW)
    entry = LiveExperiment(experiment=stopped, layer=None, assign=compile_experiment(stopped))
    (experiment,) = catalog_document(Catalog(version=7, live={"banner": entry}, running=()))["experiments"]
    assert (experiment["status"], experiment["segments"][0]["after_stop"]) == ("stopped", "b")


def test_what_is_documented_is_what_is_sent(house: Caller) -> None:
    document = house.get("/v1/catalog").json
    assert CatalogSchema().validate(document) == {}
    for place in (document, document["experiments"][0], document["experiments"][0]["segments"][0]):
        place["more"] = 1
        assert CatalogSchema().validate(document) != {}
        del place["more"]
    assert CatalogSchema().validate({**document, "schema": "winnow.catalog/2"}) != {}


def test_nothing_new_is_not_sent_again(house: Caller) -> None:
    first = house.get("/v1/catalog")
    again = house.get("/v1/catalog", If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert first.headers["Cache-Control"] == again.headers["Cache-Control"] == "private, no-cache"
    house.post("/v1/experiments/resting/start")
    changed = house.get("/v1/catalog", If_None_Match=first.headers["ETag"])
    assert (changed.status_code, changed.json["version"]) == (200, first.json["version"] + 1)


def test_a_key_gets_the_experiments_of_its_tags_and_nothing_about_others(house: Caller) -> None:
    seen = house.with_scopes("assign", tags=("web",)).get("/v1/catalog")
    assert [one["key"] for one in seen.json["experiments"]] == ["front"]
    assert seen.json["experiments"][0]["layer"]["slots"] == [{"start": 0, "end": 4_000}]
    for hidden in ("banner", "rival", "tester/1", "Jürgen"):
        assert hidden not in seen.text
    assert house.with_scopes("assign", tags=("none",)).get("/v1/catalog").json["experiments"] == []


@pytest.mark.parametrize("scope", ["client", "ingest", "read", "write"])
def test_only_who_is_trusted_to_assign_gets_it(house: Caller, scope: str) -> None:
    assert refusal(house.with_scopes(scope).get("/v1/catalog")) == (403, "forbidden", None)
