import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.domain.condition import check_condition, compile_condition
from experiments.domain.condition.check import OPERANDS
from experiments.domain.condition.compile import NESTING_OPERATORS
from experiments.domain.condition.operators import SIMPLE_OPERATORS
from experiments.domain.errors import InvalidInput


@pytest.mark.parametrize(
    ("document", "code", "path"),
    [
        pytest.param([], "condition_bad_operand", "", id="not-an-object"),
        pytest.param({"a": {"$regx": "x"}}, "condition_unknown_operator", "/a/$regx", id="misspelt"),
        pytest.param({"$xor": []}, "condition_unknown_operator", "/$xor", id="unknown-logic"),
        pytest.param({"$gt": 5}, "condition_misplaced_operator", "/$gt", id="no-attribute"),
        pytest.param({"a": {"$and": []}}, "condition_misplaced_operator", "/a/$and", id="logic-under-an-attribute"),
        pytest.param({"a": {"$gt": 1, "b": 2}}, "condition_misplaced_operator", "/a/$gt", id="mixed"),
        pytest.param({"a": {"b": {"$gt": 1}}}, "condition_misplaced_operator", "/a/b/$gt", id="operator-in-a-literal"),
        pytest.param({"a": [{"$gt": 1}]}, "condition_misplaced_operator", "/a/0/$gt", id="operator-in-a-list"),
        pytest.param({"a": {"b": {1: 2}}}, "condition_misplaced_operator", "/a/b/1", id="key-that-is-no-text"),
        pytest.param({"a": {}}, "condition_bad_operand", "/a", id="empty-object"),
        pytest.param({"a": math.nan}, "condition_bad_operand", "/a", id="nan"),
        pytest.param({"a": {"$eq": math.inf}}, "condition_bad_operand", "/a/$eq", id="infinity"),
        pytest.param({"a": b"x"}, "condition_bad_operand", "/a", id="bytes"),
        pytest.param({"a": [1, {2}]}, "condition_bad_operand", "/a/1", id="set-in-a-list"),
        pytest.param({"a": {"$gt": None}}, "condition_bad_operand", "/a/$gt", id="gt-null"),
        pytest.param({"a": {"$gte": True}}, "condition_bad_operand", "/a/$gte", id="gte-boolean"),
        pytest.param({"a": {"$lt": ""}}, "condition_bad_operand", "/a/$lt", id="lt-empty"),
        pytest.param({"a": {"$lte": [1]}}, "condition_bad_operand", "/a/$lte", id="lte-list"),
        pytest.param({"a": {"$vgt": 1}}, "condition_bad_operand", "/a/$vgt", id="version-number"),
        pytest.param({"a": {"$veq": "latest"}}, "condition_bad_operand", "/a/$veq", id="version-in-words"),
        pytest.param({"a": {"$vlt": "1" * 257}}, "condition_bad_operand", "/a/$vlt", id="version-too-long"),
        pytest.param({"a": {"$exists": 1}}, "condition_bad_operand", "/a/$exists", id="exists-1"),
        pytest.param({"a": {"$type": "int"}}, "condition_bad_operand", "/a/$type", id="type-unknown"),
        pytest.param({"a": {"$in": "x"}}, "condition_bad_operand", "/a/$in", id="in-text"),
        pytest.param({"a": {"$nin": ["x", {}]}}, "condition_bad_operand", "/a/$nin/1", id="nin-object"),
        pytest.param({"a": {"$ini": ["x", 1]}}, "condition_bad_operand", "/a/$ini/1", id="ini-number"),
        pytest.param({"a": {"$nini": None}}, "condition_bad_operand", "/a/$nini", id="nini-null"),
        pytest.param({"a": {"$alli": [None]}}, "condition_bad_operand", "/a/$alli/0", id="alli-null"),
        pytest.param({"a": {"$all": [{"$x": 1}]}}, "condition_unknown_operator", "/a/$all/0/$x", id="all-operator"),
        pytest.param({"a": {"$all": {}}}, "condition_bad_operand", "/a/$all", id="all-object"),
        pytest.param({"a": {"$inGroup": 1}}, "condition_bad_operand", "/a/$inGroup", id="group-number"),
        pytest.param({"a": {"$notInGroup": "h"}}, "condition_unknown_group", "/a/$notInGroup", id="group-unknown"),
        pytest.param({"a": {"$size": -1}}, "condition_bad_operand", "/a/$size", id="size-negative"),
        pytest.param({"a": {"$size": True}}, "condition_bad_operand", "/a/$size", id="size-boolean"),
        pytest.param(
            {"a": {"$size": {"$gt": "x", "$q": 1}}}, "condition_unknown_operator", "/a/$size/$q", id="size-operator"
        ),
        pytest.param({"a": {"$elemMatch": {}}}, "condition_bad_operand", "/a/$elemMatch", id="elem-match-empty"),
        pytest.param({"a": {"$elemMatch": 1}}, "condition_bad_operand", "/a/$elemMatch", id="elem-match-number"),
        pytest.param(
            {"a": {"$elemMatch": {"b..c": 1}}}, "condition_bad_path", "/a/$elemMatch/b..c", id="elem-match-path"
        ),
        pytest.param({"a": {"$not": {"$q": 1}}}, "condition_unknown_operator", "/a/$not/$q", id="not-operator"),
        pytest.param({"a": {"$regex": 1}}, "condition_bad_operand", "/a/$regex", id="regex-number"),
        pytest.param({"a": {"$regex": ""}}, "condition_bad_operand", "/a/$regex", id="regex-empty"),
        pytest.param({"a": {"$regex": "("}}, "condition_regex_invalid", "/a/$regex", id="regex-invalid"),
        pytest.param({"a": {"$regex": "(a+)+$"}}, "condition_regex_unsafe", "/a/$regex", id="regex-unsafe"),
        pytest.param({"a": {"$regexi": "s+ſ+$"}}, "condition_regex_unsafe", "/a/$regexi", id="regexi-unsafe"),
        pytest.param({"$or": []}, "condition_bad_operand", "/$or", id="or-of-nothing"),
        pytest.param({"$nor": {}}, "condition_bad_operand", "/$nor", id="nor-object"),
        pytest.param({"$and": [{}, 5]}, "condition_bad_operand", "/$and/1", id="and-number"),
        pytest.param({"$not": [{}]}, "condition_bad_operand", "/$not", id="not-list"),
        pytest.param({"": 1}, "condition_bad_path", "/", id="path-empty"),
        pytest.param({"a..b": 1}, "condition_bad_path", "/a..b", id="path-empty-step"),
        pytest.param({"a.$b": 1}, "condition_bad_path", "/a.$b", id="path-dollar"),
        pytest.param({"a. b": 1}, "condition_bad_path", "/a. b", id="path-space"),
        pytest.param({"a\n": 1}, "condition_bad_path", "/a\n", id="path-newline"),
        pytest.param({"a" * 201: 1}, "condition_bad_path", "/" + "a" * 201, id="path-long"),
        pytest.param({".".join("a" * 21): 1}, "condition_bad_path", "/" + ".".join("a" * 21), id="path-steps"),
        pytest.param({5: 1}, "condition_bad_path", "/5", id="path-number"),
        pytest.param({"a/b~c": {"$q": 1}}, "condition_unknown_operator", "/a~1b~0c/$q", id="pointer-is-escaped"),
    ],
)
def test_refusals(document: Any, code: str, path: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_condition(document, known_groups=("g",))
    assert (refusal.value.code, refusal.value.path) == (code, path)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"country": "DE", "orders": 3, "vip": True, "churned": None},
        {"$and": [{"country": {"$in": ["DE", "AT", None, 1, False]}}, {"$not": {"plan": "free"}}]},
        {"$or": [{"a": {"$gt": 1, "$lte": 5.5}}, {"a": {"$lt": "m"}}], "$nor": [{"b": {"$exists": False}}]},
        {"app": {"$vgte": "2.10.0", "$vlt": "v3.0.0-beta.1+build"}},
        {"tags": {"$all": ["a", {"$regex": "^b"}, ["c"]], "$size": {"$gte": 1, "$lt": 4}}},
        {"tags": {"$alli": ["A"], "$ini": ["b"], "$nini": ["c"], "$nin": [], "$size": 0}},
        {"cart": {"$elemMatch": {"sku": {"$regexi": "^sku-[0-9]+$"}, "price.amount": {"$gt": 10}}}},
        {"cart": {"$elemMatch": {"$type": "string", "$ne": "x"}}},
        {"id": {"$inGroup": "g"}, "other": {"$notInGroup": "g", "$veq": "1", "$vne": "2", "$vgt": "0", "$vlte": "9"}},
        {"name": {"$not": {"$regex": "^test"}}, "größe.länge": {"$gte": 5}},
        {"address": {"city": "Ulm", "geo": [48.4, {"deep": None}]}, "list": [1, [2]], "empty": {"$eq": {}}},
    ],
    ids=range(12),
)
def test_accepted(document: dict[str, Any]) -> None:
    check_condition(document, known_groups={"g"})
    compile_condition(document)


def test_a_group_is_known_only_if_named() -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_condition({"id": {"$inGroup": "g"}})
    assert refusal.value.code == "condition_unknown_group"


def test_what_can_be_compiled_can_be_checked() -> None:
    assert set(OPERANDS) == {*SIMPLE_OPERATORS, *NESTING_OPERATORS}


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*OPERANDS, "$and", "$or", "$x", "a"]) | st.text(max_size=3), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(document=JUNK)
def test_checking_refuses_or_accepts_and_does_nothing_else(document: Any) -> None:
    found = None
    try:
        check_condition(document, known_groups=("g",))
    except InvalidInput as refusal:
        found = refusal
    if found is None:
        assert compile_condition(document)({}) in (True, False)
    else:
        assert found.code.startswith("condition_")
        assert found.path == "" or found.path.startswith("/")
