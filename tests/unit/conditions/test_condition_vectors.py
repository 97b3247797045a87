"""The published GrowthBook vectors: `[name, condition, attributes, expected, saved groups?]`."""

import json
from pathlib import Path
from typing import Any

import pytest

from experiments.domain.condition import check_condition, compile_condition
from experiments.domain.errors import InvalidInput

VECTORS = Path(__file__).parents[3].parent / "shared" / "data" / "growthbook_vectors.json"
if not VECTORS.exists():
    pytest.skip("the GrowthBook vectors are not here (../shared/data)", allow_module_level=True)

CASES: list[list[Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))["evalCondition"]

REFUSED_TO_AUTHORS = {
    "$groups - match": "condition_unknown_operator",
    "$groups - no match": "condition_unknown_operator",
    "$in - not array": "condition_bad_operand",
    "$nin - not array": "condition_bad_operand",
    "$ini - not array": "condition_bad_operand",
    "$nini - not array": "condition_bad_operand",
    "empty $or - pass": "condition_bad_operand",
    "empty $and - pass": "condition_bad_operand",
    "unknown operator - pass": "condition_unknown_operator",
    "$regex invalid - pass": "condition_regex_invalid",
    "$regex invalid - fail": "condition_regex_invalid",
    "$inGroup fails for unknown group id": "condition_unknown_group",
    "$notInGroup passes for unknown group id": "condition_unknown_group",
}


def _groups(case: list[Any]) -> dict[str, list[object]]:
    return case[4] if len(case) > 4 else {}


def test_all_vectors_are_there() -> None:
    assert len(CASES) == 248


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_evaluation_agrees(case: list[Any]) -> None:
    _, document, attributes, expected, *_ = case
    assert compile_condition(document, _groups(case))(attributes) is expected


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_authoring_refuses_exactly_the_dubious_ones(case: list[Any]) -> None:
    code = None
    try:
        check_condition(case[1], known_groups=_groups(case))
    except InvalidInput as refusal:
        code = refusal.code
    assert code == REFUSED_TO_AUTHORS.get(case[0])
