"""Conditions for GrowthBook's SDKs: rewritten they mean the same, and what SDKs decide differently is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.domain.condition import NotPortable, check_condition, compile_condition, portable

VALUES = st.sampled_from([None, True, False, 0, 1, -1, 2.5, "", "0", "1", "NL", "nl", "Ü", ["NL", 1], [], {"a": 1}])
SCALARS = st.sampled_from([None, True, False, 0, 1, 2.5, "", "1", "NL"])
PATHS = st.sampled_from(["a", "b", "a.b"])
NUMBERS = st.sampled_from([-1, 0, 0.5, 1, 2])


def _tests(within: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        SCALARS,
        st.fixed_dictionaries({"$ne": SCALARS}),
        st.fixed_dictionaries({"$in": st.lists(SCALARS, max_size=3), "$exists": st.booleans()}),
        st.fixed_dictionaries({"$nini": st.lists(st.sampled_from(["nl", "DE"]), max_size=2)}),
        st.fixed_dictionaries({"$type": st.sampled_from(["null", "string", "number", "boolean"])}),
        st.fixed_dictionaries({"$size": st.integers(0, 2)}),
        st.fixed_dictionaries({"$gte": NUMBERS, "$lt": NUMBERS}),
        st.fixed_dictionaries({"$lte": st.sampled_from(["NL", "a", "2026-01-05"])}),
        st.fixed_dictionaries({"$not": within}),
    )


TESTS = st.deferred(lambda: _tests(TESTS))
CONDITIONS: st.SearchStrategy[Any] = st.deferred(
    lambda: st.one_of(
        st.dictionaries(PATHS, TESTS, min_size=1, max_size=2),
        st.fixed_dictionaries({"$not": CONDITIONS}),
        *(
            st.fixed_dictionaries({name: st.lists(CONDITIONS, min_size=1, max_size=3)})
            for name in ("$and", "$or", "$nor")
        ),
    )
)
ATTRIBUTES = st.dictionaries(st.sampled_from(["a", "b"]), VALUES | st.fixed_dictionaries({"b": VALUES}))


@given(CONDITIONS, st.lists(ATTRIBUTES, min_size=1, max_size=20))
def test_rewritten_it_means_the_same(condition: Any, attributes: list[Any]) -> None:
    """But for numbers written as texts, which have an order in our own language only."""
    check_condition(condition)
    before, after = compile_condition(condition), compile_condition(portable(condition))
    for one in attributes:
        if not _has_numeral(one):
            assert before(one) == after(one), (condition, portable(condition), one)


def _has_numeral(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_has_numeral, value.values()))
    return value in ("0", "1")


@pytest.mark.parametrize(
    ("condition", "rewritten"),
    [
        ({}, {}),
        ({"a": 1}, {"a": {"$eq": 1}}),
        ({"a": None}, {"a": {"$eq": None}}),
        ({"a": 1, "b": "x"}, {"$and": [{"a": {"$eq": 1}}, {"b": {"$eq": "x"}}]}),
        ({"a": {"$gt": 0}}, {"a": {"$type": "number", "$gt": 0}}),
        ({"a": {"$gte": 0}}, {"$or": [{"a": {"$type": "number", "$gte": 0}}, {"a": {"$exists": False}}]}),
        ({"a": {"$lt": "2026-01-05"}}, {"a": {"$type": "string", "$lt": "2026-01-05"}}),
        ({"a": {"$not": {"$in": [1]}}}, {"$not": {"a": {"$in": [1]}}}),
        ({"$nor": [{"a": {"$size": 2}}]}, {"$nor": [{"a": {"$size": 2}}]}),
        ({"length": 1}, {"length": {"$eq": 1}}),
    ],
    ids=str,
)
def test_the_forms(condition: dict[str, Any], rewritten: dict[str, Any]) -> None:
    assert portable(condition) == rewritten


@pytest.mark.parametrize(
    "condition",
    [
        {"a": [1]},
        {"a": {"b": 1}},
        {"a": {"$eq": [1]}},
        {"a": {"$ne": {"b": 1}}},
        {"a": {"$regex": "^x"}},
        {"a": {"$regexi": "^x"}},
        {"a": {"$vgt": "1.2.3"}},
        {"a": {"$veq": "1.2.3"}},
        {"a": {"$elemMatch": {"$gt": 1}}},
        {"a": {"$all": ["x"]}},
        {"a": {"$alli": ["x"]}},
        {"a": {"$size": {"$gt": 1}}},
        {"a": {"$ini": ["É"]}},
        {"a": {"$gt": "10"}},
        {"a": {"$gt": "𝒳"}},
        {"a": 2**53 + 1},
        {"a": {"$in": [2**53 + 1]}},
        {"a": {"$lt": -(2**53) - 1}},
        {"toString": 1},
        {"a.length": 1},
        {"a.0": 1},
        {"a.map.b": 1},
        {"$or": [{"a": 1}, {"a": {"$regex": "x"}}]},
        {"$not": {"a": {"$not": {"$vlt": "2.0.0"}}}},
    ],
    ids=str,
)
def test_what_sdks_decide_differently_is_refused(condition: dict[str, Any]) -> None:
    check_condition(condition)  # an author may say it
    with pytest.raises(NotPortable):
        portable(condition)
