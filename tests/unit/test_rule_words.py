"""Rules as people read them; the conditions are those that `segmentation.rules` makes of the same bounds."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.cli.rule_words import rule_words
from segmentation.rules import Choice, Leaf, Range, rule_document

ORDERS, RECENT = Range(attribute="orders", above=3.0), Range(attribute="recency_days", at_most=90.0)
CITY = Choice(attribute="city", values=frozenset({"Ulm", "Bonn"}))


@pytest.mark.parametrize(
    ("leaves", "expected"),
    [
        (((ORDERS,),), "orders > 3"),
        (((RECENT,),), "recency_days ≤ 90"),
        (((ORDERS, RECENT),), "orders > 3 and recency_days ≤ 90"),
        (((ORDERS, RECENT), (CITY,)), '(orders > 3 and recency_days ≤ 90) or city is one of "Bonn", "Ulm"'),
        (((Range(attribute="spent", above=12.5, at_most=4000.0),),), "spent > 12.5 and spent ≤ 4,000"),
        (((Choice(attribute="app", values=frozenset({True})),),), "app is true"),
        (((Choice(attribute="city", values=frozenset({"Ulm"}), inverted=True),),), 'city is none of "Ulm"'),
        (((Range(attribute="age", above=45.0, missing=True),),), "age > 45 or age is not known"),
        (
            ((Range(attribute="age", above=45.0, missing=True), ORDERS),),
            "(age > 45 or age is not known) and orders > 3",
        ),
        (
            ((Range(attribute="age", above=45.0, missing=True), Range(attribute="visits", at_most=2.0, missing=True)),),
            "(age > 45 or age is not known) and (visits ≤ 2 or visits is not known)",
        ),
    ],
)
def test_words(leaves: tuple[Leaf, ...], expected: str) -> None:
    assert rule_words(rule_document(leaves)) == expected


@pytest.mark.parametrize("condition", [{"a": {"$regex": "^x"}}, {"$not": {"a": 1}}])
def test_what_no_rule_makes_stays_json(condition: dict[str, Any]) -> None:
    assert rule_words(condition).startswith("{")
