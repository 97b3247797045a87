"""GrowthBook's published vectors of its condition language, which is Winnow's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from documents import ROOT

from winnow_client.condition import compile_condition

VECTORS = ROOT.parent / "shared" / "data" / "growthbook_vectors.json"
CASES = json.loads(VECTORS.read_text(encoding="utf-8"))["evalCondition"] if VECTORS.exists() else []


@pytest.mark.skipif(not CASES, reason="the GrowthBook vectors are not here (../shared/data)")
def test_all_vectors_are_there() -> None:
    assert len(CASES) == 248


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_vector(case: list[Any]) -> None:
    _, document, attributes, expected, *groups = case
    assert compile_condition(document, groups[0] if groups else None)(attributes) is expected


# What Winnow decides where no vector says anything (its ADR 3).
@pytest.mark.parametrize(
    ("condition", "attributes", "expected"),
    [
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": True}, {"a": 1}, False),
        ({"a": {"$in": [1]}}, {"a": True}, False),
        ({"a": {"$gte": 0}}, {}, True),
        ({"a": {"$gt": 1}}, {"a": "10"}, True),
        ({"a": {"$gt": "1"}}, {"a": "10"}, True),
        ({"a": {"$gt": "9"}}, {"a": "10"}, False),
        ({"a": {"$gte": 0}}, {"a": ""}, False),
        ({"a": {"$gte": 0}}, {"a": True}, False),
        ({"a": {"$lt": "𝒳"}}, {"a": "￿"}, True),
        ({"v": {"$vlt": "1.0.0"}}, {}, False),
        ({"v": {"$vgt": "99999999999999999999.0.0"}}, {"v": "100000000000000000000.0.0"}, True),
        ({"a": {"$regex": "null"}}, {}, False),
        ({"a": {"$regex": ".*mail"}}, {"a": "gmail"}, True),
        ({"a": {"$regex": ".+mail"}}, {"a": "mail"}, False),
        ({"a": {"$regex": "x"}}, {"a": "x" * 4_097}, False),
        ({"a": {"$eq": [1, {"b": None}]}}, {"a": [1, {"b": None}]}, True),
        ({"a": {"$eq": {"b": None}}}, {"a": {"c": None}}, False),
        ({"a": {"$nope": 1}}, {"a": 1}, False),
        ({"a.b": 1}, {"a": [1]}, False),
        ({"a": None}, None, True),
    ],
)
def test_what_no_vector_says(condition: dict[str, Any], attributes: Any, expected: bool) -> None:
    assert compile_condition(condition)(attributes) is expected
