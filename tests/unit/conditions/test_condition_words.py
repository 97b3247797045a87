"""Conditions as sentences."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.domain.condition.compile import LOGICAL_OPERATORS, NESTING_OPERATORS
from experiments.domain.condition.operator_words import TESTS
from experiments.domain.condition.operators import SIMPLE_OPERATORS
from experiments.domain.condition.words import Clause, condition_clauses, condition_sentence
from segmentation.rules import Choice, Leaf, Range, rule_document

NAMES = {"history": "Spent in a year", "channel": "Channel"}


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        pytest.param({}, "Everybody: there is no condition.", id="nothing"),
        pytest.param(
            {"history": {"$gte": 500, "$exists": True}}, "Spent in a year is known and is at least 500", id="known"
        ),
        pytest.param({"channel": "Web"}, "Channel is “Web”", id="equal"),
        pytest.param({"channel": {"$in": ["Web", "Phone", "Shop"]}}, "Channel is “Web”, “Phone” or “Shop”", id="in"),
        pytest.param({"mens": True, "age": 18}, "mens is yes; age is 18", id="two-lines"),
        pytest.param({"recency": {"$lt": 3}}, "recency is below 3 (or is not known)", id="missing-counts-as-0"),
        pytest.param({"recency": {"$gt": 3}}, "recency is above 3", id="missing-is-not-above"),
        pytest.param({"recency": {"$gt": -1.5}}, "recency is above −1.5 (or is not known)", id="missing-is-above"),
        pytest.param({"channel": {"$ne": "Web"}}, "Channel is not “Web” (or is not known)", id="unequal"),
        pytest.param({"channel": None}, "Channel is not known", id="null"),
        pytest.param({"channel": {"$exists": False}}, "Channel is not known", id="absent"),
        pytest.param({"history": {"$gte": 12_345.25}}, "Spent in a year is at least 12,345.25", id="exact"),
        pytest.param({"mail": {"$regex": "^vip"}}, "mail begins with “vip”", id="begins"),
        pytest.param({"mail": {"$regexi": "gmail"}}, "mail contains “gmail” (capitals do not matter)", id="contains"),
        pytest.param({"mail": {"$regex": "^a+b"}}, "mail matches the pattern “^a+b”", id="pattern"),
        pytest.param({"app": {"$vgte": "2.10"}}, "app is version at least 2.10", id="version"),
        pytest.param({"tags": {"$all": ["a", "b"]}}, "tags has all of “a” and “b”", id="all"),
        pytest.param({"tags": {"$size": 1}}, "tags has 1 entry", id="size"),
        pytest.param({"home.town": "Rome"}, "home, town is “Rome”", id="path"),
        pytest.param(
            {"$or": [{"channel": "Web"}, {"history": {"$gt": 10}, "mens": True}]},
            "At least one of these is so: (Channel is “Web”; Spent in a year is above 10, and mens is yes)",
            id="or",
        ),
        pytest.param({"a": {"$ne": None}}, "a is known", id="not-null"),
        pytest.param({"a": {"$in": []}}, "a is no value at all", id="in-nothing"),
        pytest.param({"a": {"$in": [True, None, 1.5]}}, "a is yes, not known or 1.5", id="null-among-others"),
        pytest.param({"a": {"$size": {"$gt": 2}}}, "a has a number of entries that is above 2", id="size-of"),
        pytest.param({"a": {"$elemMatch": {"b": 1}}}, "a has an entry that fits this: b is 1", id="element"),
        pytest.param({"$nor": [{"a": 1}, {"b": 2}]}, "None of these is so: (a is 1; b is 2)", id="nor"),
        pytest.param({"$not": {"a": 1}}, "This is not so: (a is 1)", id="not"),
        pytest.param({"$and": [{"a": 1}, {"b": 2}]}, "a is 1; b is 2", id="and"),
        pytest.param({"a": {"$not": {"$gt": 5}}}, "a is not above 5 (or is not known)", id="not-value"),
        pytest.param(
            {"a": {"$not": {"$gt": 5, "$lt": 9}}},
            "a does not fit this: is above 5 and is below 9 (or is not known)",
            id="not-both",
        ),
    ],
)
def test_a_condition_is_told(condition: dict[str, Any], said: str) -> None:
    assert condition_sentence(condition, NAMES) == said


@pytest.mark.parametrize(
    ("leaves", "said"),
    [
        (((Range(attribute="spent", above=12.5, at_most=4000.0),),), "spent is above 12.5 and is at most 4,000"),
        (((Choice(attribute="city", values=frozenset({"Ulm", "Bonn"})),),), "city is “Bonn” or “Ulm”"),
        (
            ((Range(attribute="age", above=45.0, missing=True),),),
            "At least one of these is so: (age is above 45; age is not known)",
        ),
    ],
)
def test_what_rules_ask_is_told(leaves: tuple[Leaf, ...], said: str) -> None:
    assert condition_sentence(rule_document(leaves)) == said


def test_groups_stand_below_their_heading() -> None:
    inner = {"$or": [{"b": 2}, {"c": 3}]}
    [first, second] = condition_clauses({"a": 1, "$or": [{"$and": [{"d": 4}, inner]}, {"e": 5}]}, {})
    assert first == Clause(text="a is 1")
    assert second.text == "At least one of these is so:"
    assert second.parts[0].text == "All of these are so:"
    assert [part.text for part in second.parts[0].parts] == ["d is 4", "At least one of these is so:"]
    assert second.parts[1] == Clause(text="e is 5")


def test_a_long_list_says_how_much_is_left_out() -> None:
    said = condition_sentence({"customer": {"$in": [f"c{place}" for place in range(100)]}}, {})
    assert said.endswith("“c10”, “c11” or 88 more")


def test_every_operator_has_words() -> None:
    told = {*TESTS, *LOGICAL_OPERATORS, "$not", "$elemMatch"}
    assert told == {*SIMPLE_OPERATORS, *NESTING_OPERATORS, *LOGICAL_OPERATORS}
