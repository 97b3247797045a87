"""A rule's document means what the rule does, unit by unit, whatever is missing."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.domain.condition import check_condition, compile_condition
from segmentation.rules import Choice, Range, both, columns_of, readable, rule_document, rule_matches, simplified
from segmentation.rules.rule import Rule

ENDS = (None, -2.0, 0.0, 1.5, 3.0)
NUMBERS = (-3.0, -2.0, -0.5, 0.0, 1.0, 1.5, 3.0, 7.0, None)
PLACES = ("AT", "DE", "FR", None)

# Every combination of every value, and of what is missing.
UNITS = [
    {name: value for name, value in zip(("x", "y", "place", "app"), row, strict=True) if value is not None}
    for row in product(NUMBERS, NUMBERS, PLACES, (True, False, None))
]
COLUMNS = columns_of(
    {name: np.array([unit.get(name) for unit in UNITS], dtype=object) for name in ("x", "y", "place", "app")}
)

ranges = [(low, high) for low, high in product(ENDS, ENDS) if low is None or high is None or low < high]


def bounds_of(attribute: str) -> st.SearchStrategy[Range]:
    return st.builds(
        lambda ends, missing: Range(attribute=attribute, above=ends[0], at_most=ends[1], missing=missing),
        st.sampled_from([ends for ends in ranges if ends != (None, None)]),
        st.booleans(),
    )


places = st.builds(
    lambda values, inverted, missing: Choice(attribute="place", values=values, inverted=inverted, missing=missing),
    st.frozensets(st.sampled_from(["AT", "DE", "FR"]), min_size=1, max_size=2),
    st.booleans(),
    st.booleans(),
)
apps = st.builds(
    lambda value, inverted: Choice(attribute="app", values=frozenset([value]), inverted=inverted),
    st.booleans(),
    st.booleans(),
)
leaves = st.tuples(bounds_of("x"), bounds_of("y"), places, apps).flatmap(
    lambda every: st.lists(st.sampled_from(every), min_size=1, max_size=4, unique_by=lambda bound: bound.attribute)
)
rules = st.lists(leaves.map(tuple), min_size=1, max_size=4).map(tuple)


@settings(max_examples=60, deadline=None)
@given(rules)
def test_document_and_rule_agree_on_every_unit(rule: Rule) -> None:
    document = rule_document(rule)
    check_condition(document)
    said = list(map(compile_condition(document), UNITS))
    assert rule_matches(rule, COLUMNS).tolist() == said


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ranges), st.sampled_from(ranges)), min_size=1, max_size=5))
def test_simplified_rules_hold_the_same_complete_units(boxes: list[tuple[tuple[float, float], ...]]) -> None:
    rule = tuple(
        tuple(Range(attribute=name, above=low, at_most=high) for name, (low, high) in zip("xy", box, strict=True))
        for box in boxes
    )
    complete = ~(COLUMNS["x"].missing | COLUMNS["y"].missing)
    shorter = simplified(rule)
    assert len(shorter) <= len(rule)
    assert (rule_matches(shorter, COLUMNS) == rule_matches(rule, COLUMNS))[complete].all()


def test_adjoining_ranges_are_merged() -> None:
    low, high = Range(attribute="x", above=0.0, at_most=1.5), Range(attribute="x", above=1.5, at_most=3.0)
    rest = Range(attribute="y", at_most=0.0)
    assert simplified(((low, rest), (high, rest))) == ((Range(attribute="x", above=0.0, at_most=3.0), rest),)
    whole = (Range(attribute="x", at_most=1.5), rest), (Range(attribute="x", above=1.5), rest)
    assert simplified(whole) == ((rest,),)
    apart = ((low,), (Range(attribute="x", above=3.0),))
    assert simplified(apart) == tuple(sorted(apart, key=repr))


def test_what_is_read_is_short() -> None:
    assert rule_document(((Range(attribute="x", above=2.0, at_most=30.5),),)) == {"x": {"$gt": 2, "$lte": 30.5}}
    assert rule_document(((Range(attribute="x", at_most=30.5),),)) == {"x": {"$lte": 30.5, "$exists": True}}
    assert rule_document(((Choice(attribute="app", values=frozenset([True])),),)) == {"app": True}


@settings(max_examples=60, deadline=None)
@given(places, places)
def test_two_choices_together(one: Choice, other: Choice) -> None:
    """A choice among nothing cannot be built: then nobody with the attribute fits both."""
    column = COLUMNS["place"]
    expected = one.matches(column) & other.matches(column)
    try:
        joined = both(one, other)
    except ValueError:
        assert not expected[~column.missing].any()
    else:
        assert (joined.matches(column) == expected).all()


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [(103.4871, 100.0), (0.0, 0.0), (50.5, 50.0), (-0.5, -1.0)],
)
def test_thresholds_are_rounded_where_nobody_minds(threshold: float, expected: float) -> None:
    """Units at 10, 20, … 1000, and half a hundredth of them may change sides."""
    assert readable(threshold, np.arange(10.0, 1010.0, 10.0)) == expected


def test_of_whole_numbers_the_threshold_is_one() -> None:
    months = np.repeat(np.arange(1.0, 13.0), 100)
    assert [readable(half, months) for half in (5.5, 6.5, 11.5)] == [5.0, 6.0, 11.0]


def test_thresholds_in_a_crowd_keep_the_digits_they_need() -> None:
    """Of a thousand, evenly in [1, 2] or in [1.23, 1.24], at most five may change sides."""
    crowd = np.linspace(1, 2, 1000)
    assert readable(1.23456, crowd) == 1.23
    assert readable(1.2345678, np.linspace(1.23, 1.24, 1000)) == 1.2346
