"""Segment templates: listed, and filled in to a condition that a segment takes as it is."""

from __future__ import annotations

import pytest

from experiments.domain.templates import TEMPLATES
from tests.http.api_client import Caller, refusal


def test_all_templates_are_listed_and_one_is_read(api: Caller) -> None:
    listed = api.get("/v1/segment-templates").json["items"]
    assert [one["key"] for one in listed] == list(TEMPLATES)
    few = api.get("/v1/segment-templates?kind=list").json["items"]
    assert {one["kind"] for one in few} == {"list"}
    one = api.get("/v1/segment-templates/spent_between").json
    assert one == next(item for item in listed if item["key"] == "spent_between")
    assert one["example"]["condition"] == {"history": {"$exists": True, "$gte": 500}}
    assert [(blank["name"], blank["type"], blank["required"], blank["default"]) for blank in one["parameters"]] == [
        ("attribute", "attribute", False, "history"),
        ("least", "number", True, None),
        ("below", "number", False, None),
    ]


def test_what_is_filled_in_is_a_segment(api: Caller) -> None:
    body = {"parameters": {"least": 100, "below": 200}}
    filled = api.with_scopes("read").post("/v1/segment-templates/spent_between", body).json
    assert filled == {
        "template": "spent_between",
        "kind": "behavioural",
        "parameters": {"attribute": "history", "least": 100, "below": 200},
        "condition": {"history": {"$exists": True, "$gte": 100, "$lt": 200}},
        "attributes": ["history"],
    }
    segment = {"key": "band", "name": "Band", "condition": filled["condition"], "kind": filled["kind"]}
    assert api.post("/v1/segments", segment).json["definition"] == {**segment, "description": ""}
    assert [one["key"] for one in api.get("/v1/segments").json["items"]] == ["band"]


def test_defaults_need_no_parameters(api: Caller) -> None:
    assert api.post("/v1/segment-templates/has_app", {}).json["condition"] == {"has_app": {"$in": [True, 1]}}


@pytest.mark.parametrize(
    ("key", "body", "expected"),
    [
        ("nothing", {}, (404, "segment_template_not_found", None)),
        ("countries", {}, (422, "parameter_missing", "/parameters/values")),
        ("countries", {"parameters": {"value": ["DE"]}}, (422, "parameter_unknown", "/parameters/value")),
        ("age_between", {"parameters": {"least": -1}}, (422, "parameter_out_of_range", "/parameters/least")),
        ("age_between", {"parameters": {"least": 9, "most": 8}}, (422, "parameters_contradict", "/parameters")),
    ],
    ids=["no-template", "missing", "unknown", "range", "contradiction"],
)
def test_refusals(api: Caller, key: str, body: dict[str, object], expected: tuple[int, str, str | None]) -> None:
    assert refusal(api.post(f"/v1/segment-templates/{key}", body)) == expected


def test_who_may_ask(api: Caller) -> None:
    assert refusal(api.anonymous().get("/v1/segment-templates"))[:2] == (401, "unauthenticated")
    assert refusal(api.with_scopes("assign").post("/v1/segment-templates/has_app", {}))[:2] == (403, "forbidden")


def test_a_kind_is_one_of_ours(api: Caller) -> None:
    body = {"key": "a", "name": "A", "condition": {"a": 1}, "kind": "astrological"}
    assert api.post("/v1/segments", body).status_code == 422
    assert api.get("/v1/segment-templates?kind=astrological").status_code == 422
