"""Clusterings and discoveries over HTTP: read as they are stored, adopted as segments."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.domain.study import Study, StudyKind
from tests.http.api_client import Caller, refusal

SLEEPERS = {"recency_days": {"$gt": 90}}
BUYERS = {"orders": {"$gt": 3}}


def group(key: str, condition: dict[str, Any] | None, refusal: str | None = None) -> dict[str, Any]:
    return {"key": key, "condition": condition, "refusal": refusal, "sentence": f"Cluster {key}."}


def document(*groups: dict[str, Any], outcome: str = "clusters") -> dict[str, Any]:
    return {"outcome": outcome, "message": "Found.", "groups": list(groups), "chart": None, "b": 1, "a": [0.5, None]}


def store(api: Caller, version: int, *groups: dict[str, Any], name: str = "habits", **changes: Any) -> None:
    kind = changes.pop("kind", StudyKind.CLUSTERING)
    told = document(*groups, **changes)
    study = Study(kind=kind, name=name, version=version, made_at=api.winnow.clock(), made_by="ada", document=told)
    with api.winnow.open_unit_of_work() as work:
        work.studies.add(study)
        work.commit()


@pytest.fixture
def habits(api: Caller) -> Caller:
    """Two clusters have a rule, the third has none."""
    store(api, 1, group("c1", SLEEPERS), group("c2", BUYERS), group("c3", None, "No rule stands for it."))
    return api


def adopted(api: Caller) -> dict[str, str]:
    return {one["segment"]: one["standing"] for one in api.get("/v1/clusterings/habits").json["adopted"]}


def test_clusterings_are_listed_and_read(habits: Caller) -> None:
    store(habits, 1, name="other", outcome="no_structure")
    store(habits, 2, group("c1", BUYERS))
    store(habits, 7, group("v7-1", BUYERS), name="banner", kind=StudyKind.DISCOVERY)
    reader = habits.with_scopes("read")
    listed = reader.get("/v1/clusterings").json["items"]
    assert [(one["name"], one["version"], one["outcome"]) for one in listed] == [
        ("habits", 2, "clusters"),
        ("other", 1, "no_structure"),
    ]
    newest = reader.get("/v1/clusterings/habits?limit=1").json
    (item,) = newest["items"]
    assert item["document"] == document(group("c1", BUYERS))
    assert list(item["document"]) == ["outcome", "message", "groups", "chart", "b", "a"]
    assert (item["version"], item["made_by"], item["made_at"]) == (2, "ada", "2026-01-05T09:00:00+00:00")
    rest = reader.get(f"/v1/clusterings/habits?cursor={newest['next_cursor']}").json
    assert ([one["version"] for one in rest["items"]], rest["next_cursor"]) == ([1], None)
    assert [one["name"] for one in reader.get("/v1/discoveries").json["items"]] == ["banner"]


def test_a_cluster_becomes_a_segment_and_follows_when_adopted_again(habits: Caller) -> None:
    body = {"cluster": "c1", "segment": "sleepers", "name": "Sleepers"}
    made = habits.with_scopes("write").post("/v1/clusterings/habits/adopt", body)
    assert (made.status_code, made.json["before"], made.json["version"]) == (200, None, 1)
    expected = {
        "key": "sleepers",
        "name": "Sleepers",
        "condition": SLEEPERS,
        "kind": "learnt",
        "description": "Cluster c1.",
    }
    assert habits.get("/v1/segments/sleepers").json["definition"] == expected
    assert made.headers["ETag"] == habits.get("/v1/segments/sleepers").headers["ETag"]
    assert adopted(habits) == {"sleepers": "current"}
    store(habits, 2, group("c1", BUYERS))
    assert habits.get("/v1/segments/sleepers").json["definition"]["condition"] == SLEEPERS
    (told,) = habits.get("/v1/clusterings/habits").json["adopted"]
    assert (told["standing"], told["condition"], told["rule"], told["version"]) == ("differs", SLEEPERS, BUYERS, 1)
    again = habits.post("/v1/clusterings/habits/adopt", {"cluster": "c1", "segment": "sleepers"}).json
    assert (again["before"], again["segment"]["definition"]) == (SLEEPERS, {**expected, "condition": BUYERS})
    assert adopted(habits) == {"sleepers": "current"}
    trail = habits.get("/v1/audit?subject=sleepers").json["items"]
    assert [one["action"] for one in trail] == ["segment.edit", "segment.create"]


def test_what_is_not_found_any_more_and_what_was_edited(habits: Caller) -> None:
    for cluster in ("c1", "c2"):
        habits.post("/v1/clusterings/habits/adopt", {"cluster": cluster, "segment": f"s-{cluster}"})
    segment = habits.get("/v1/segments/s-c1")
    changed = {**segment.json["definition"], "condition": {"orders": 1}}
    assert habits.put("/v1/segments/s-c1", changed, If_Match=segment.headers["ETag"]).status_code == 200
    store(habits, 2, group("c1", BUYERS), group("c4", SLEEPERS))
    assert adopted(habits) == {"s-c1": "edited", "s-c2": "gone"}
    store(habits, 3, outcome="no_structure")
    assert adopted(habits) == {"s-c1": "edited", "s-c2": "gone"}, "finding nothing takes nothing away"
    late = habits.post("/v1/clusterings/habits/adopt", {"cluster": "c4", "segment": "late"}).json
    assert (late["version"], late["segment"]["definition"]["condition"]) == (2, SLEEPERS)


REFUSALS: list[tuple[dict[str, Any], tuple[int, str, str | None]]] = [
    ({"cluster": "c9", "segment": "s"}, (404, "cluster_not_found", None)),
    ({"cluster": "c3", "segment": "s"}, (422, "cluster_not_adoptable", None)),
    ({"cluster": "c1", "segment": "s", "version": 2}, (404, "clustering_not_found", None)),
    ({"cluster": "c1", "segment": "taken"}, (409, "segment_exists", None)),
    ({"cluster": "c2", "segment": "of-c1"}, (409, "segment_exists", None)),
    ({"cluster": "c1", "segment": "everyone"}, (422, "key_reserved", "/key")),
    ({"leaf": "c1", "segment": "s"}, (422, "invalid_body", None)),
]
"""No such group, no rule, no such version; a segment of somebody else, of another cluster, of our own."""


def test_refusals(habits: Caller) -> None:
    habits.post("/v1/segments", {"key": "taken", "name": "Taken", "condition": SLEEPERS})
    habits.post("/v1/clusterings/habits/adopt", {"cluster": "c1", "segment": "of-c1"})
    told = [refusal(habits.post("/v1/clusterings/habits/adopt", body)) for body, _ in REFUSALS]
    assert told == [expected for _, expected in REFUSALS]
    assert habits.get("/v1/segments/s").status_code == 404


def test_leaves_are_adopted_likewise(api: Caller) -> None:
    leaf = {**group("v1-1", BUYERS), "sentence": "A proposal."}
    store(api, 1, leaf, group("v1-2", SLEEPERS, "Not shown."), name="banner", kind=StudyKind.DISCOVERY)
    assert api.post("/v1/discoveries/banner/adopt", {"leaf": "v1-1", "segment": "s"}).status_code == 200
    assert api.get("/v1/segments/s").json["definition"]["kind"] == "discovered"
    refused = api.post("/v1/discoveries/banner/adopt", {"leaf": "v1-2", "segment": "t"})
    assert refusal(refused) == (422, "leaf_not_adoptable", None)
    assert refusal(api.get("/v1/discoveries/none")) == (404, "discovery_not_found", None)
