"""Segments, metrics and layers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.api_client import BANNER, Caller, refusal

SEGMENT = {
    "key": "new",
    "name": "New",
    "condition": {"recency": {"$lte": 1}},
    "description": "Lately.",
    "kind": "behavioural",
}
METRIC = {
    "key": "basket",
    "name": "Basket",
    "kind": "ratio",
    "event_name": "purchase",
    "denominator_event_name": "order",
    "numerator_counts_events": False,
    "denominator_counts_events": True,
    "direction": "decrease",
    "window_seconds": 86_400,
    "cap": None,
    "description": "Per order.",
    "quantile": None,
    "winsor_quantile": 0.99,
    "covariates": [
        {"key": "before", "event_name": "purchase", "lookback_seconds": 2_592_000, "counts_events": True, "cap": 20.0}
    ],
}
LAYER = {"key": "home", "name": "Home", "salt": "of its own", "holdout_bp": 500, "bucketing": 2}
ATTRIBUTE = {
    "key": "stage",
    "name": "Stage",
    "type": "text",
    "description": "Of the customer's journey.",
    "personal": True,
    "sources": [],
    "allowed": ["new", "loyal"],
    "fresh_days": 30,
}
SOURCE = {"key": "crm", "name": "CRM", "kind": "first_party", "precedence": 20, "description": "Ours."}
KINDS = [
    ("segments", SEGMENT),
    ("metrics", METRIC),
    ("layers", LAYER),
    ("attributes", ATTRIBUTE),
    ("sources", SOURCE),
]


ADDED = {"slots", "report", "doubts"}
"""What a layer and a segment tell beyond what they are; told elsewhere."""


@pytest.mark.parametrize(("noun", "body"), KINDS, ids=[noun for noun, _ in KINDS])
def test_the_four_views_of_a_kind(api: Caller, noun: str, body: dict[str, Any]) -> None:
    one = f"/v1/{noun}/{body['key']}"
    made = api.post(f"/v1/{noun}", body)
    assert (made.status_code, made.headers["Location"], made.headers["ETag"]) == (201, one, '"1"')
    expected = {"key": body["key"], "revision": 1, "updated_at": "2026-01-05T09:00:00+00:00", "definition": body}
    assert {name: value for name, value in made.json.items() if name not in ADDED} == expected
    assert api.get(one).json == made.json
    listed = {name: value for name, value in made.json.items() if name not in {"report", "doubts"}}
    assert api.get(f"/v1/{noun}").json == {"items": [listed], "next_cursor": None}

    changed = {**body, "name": "Changed"}
    assert refusal(api.put(one, changed)) == (428, "revision_required", None)
    assert refusal(api.put(one, changed, If_Match='"2"')) == (412, "revision_mismatch", None)
    edited = api.put(one, changed, If_Match=api.get(one).headers["ETag"])
    assert (edited.status_code, edited.headers["ETag"], edited.json["definition"]) == (200, '"2"', changed)
    assert refusal(api.post(f"/v1/{noun}", body)) == (409, f"{noun[:-1]}_exists", None)
    assert refusal(api.put(one, {**body, "key": "other"}, If_Match='"2"')) == (409, "field_frozen", "/key")
    assert refusal(api.put(f"/v1/{noun}/none", {**body, "key": "none"}, If_Match='"1"'))[0] == 404


@pytest.mark.parametrize(
    ("noun", "body", "code", "path"),
    [
        ("segments", {**SEGMENT, "key": "everyone"}, "key_reserved", "/key"),
        ("segments", {**SEGMENT, "key": "a b"}, "key_invalid", "/key"),
        ("metrics", {**METRIC, "cap": 0}, "cap_invalid", "/cap"),
        ("metrics", {**METRIC, "kind": "mean"}, "denominator_unwanted", "/denominator_event_name"),
        ("metrics", {**METRIC, "cap": 5}, "winsor_unwanted", "/winsor_quantile"),
        ("metrics", {**METRIC, "winsor_quantile": 1}, "winsor_invalid", "/winsor_quantile"),
        ("metrics", {**METRIC, "quantile": 0.5}, "quantile_unwanted", "/quantile"),
        (
            "metrics",
            {**METRIC, "covariates": [{"key": "b", "event_name": "purchase", "lookback_seconds": 0}]},
            "lookback_invalid",
            "/covariates/0/lookback_seconds",
        ),
        ("layers", {**LAYER, "holdout_bp": 10_000}, "holdout_invalid", "/holdout_bp"),
        ("layers", {**LAYER, "bucketing": 3}, "bucketing_unknown", "/bucketing"),
        ("attributes", {**ATTRIBUTE, "key": "a.b"}, "attribute_key_dotted", "/key"),
        ("attributes", {**ATTRIBUTE, "allowed": ["new", 7]}, "attribute_value_invalid", "/allowed/1"),
        ("attributes", {**ATTRIBUTE, "sources": ["nobody"]}, "source_unknown", "/sources/0"),
        ("attributes", {**ATTRIBUTE, "fresh_days": 0}, "fresh_days_invalid", "/fresh_days"),
        ("sources", {**SOURCE, "precedence": -1}, "precedence_invalid", "/precedence"),
    ],
)
def test_what_does_not_hold_is_refused_at_its_place(
    api: Caller, noun: str, body: dict[str, Any], code: str, path: str
) -> None:
    assert refusal(api.post(f"/v1/{noun}", body)) == (422, code, path)


def test_a_condition_is_refused_where_it_does_not_hold(api: Caller) -> None:
    status, _, path = refusal(api.post("/v1/segments", {**SEGMENT, "condition": {"$and": [{"a": {"$near": 1}}]}}))
    assert (status, path) == (422, "/condition/$and/0/a/$near")


def test_the_salt_of_a_layer_defaults_to_its_key_and_never_changes(api: Caller) -> None:
    assert api.post("/v1/layers", {"key": "home", "name": "Home"}).json["definition"]["salt"] == "home"
    answer = api.put("/v1/layers/home", {"key": "home", "name": "Home", "salt": "new"}, If_Match='"1"')
    assert refusal(answer) == (409, "field_frozen", "/salt")


def test_slots_are_no_part_of_the_body(api: Caller) -> None:
    answer = api.post("/v1/layers", {**LAYER, "slots": []})
    assert answer.json["errors"] == [{"path": "/slots", "code": "unknown_field", "message": "There is no such field."}]


def test_an_edited_segment_leaves_running_experiments_alone(running: Caller) -> None:
    running.put("/v1/segments/mens", {"key": "mens", "name": "Men", "condition": {"mens": 2}}, If_Match='"1"')
    assert running.get("/v1/experiments/banner").json["segments"][0]["condition"] == {"mens": 1}
    later = running.post("/v1/experiments", {**BANNER, "key": "later"})
    assert later.json["segments"][0]["condition"] == {"mens": 2}
