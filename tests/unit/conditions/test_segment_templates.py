"""Segment templates: who is in and who is not, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.domain.condition import NotPortable, attributes_of, check_condition, compile_condition, portable
from experiments.domain.errors import InvalidInput, NotFound
from experiments.domain.segment_kind import KIND_SENTENCES, SegmentKind
from experiments.domain.templates import TEMPLATES, template

MEMBERS: dict[str, tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]] = {
    "age_between": ({}, [{"age": 18}, {"age": 34}], [{"age": 17}, {"age": 35}, {"age": None}, {}]),
    "born_between": ({}, [{"birth_year": 1981}, {"birth_year": 1996}], [{"birth_year": 1980}, {"birth_year": 1997}]),
    "household_from": ({}, [{"household_size": 3}], [{"household_size": 2}, {}]),
    "income_between": (
        {"least": 0, "below": 100},
        [{"income": 0}, {"income": 99.99}],
        [{"income": 100}, {"income": -1}, {}],
    ),
    "people_who_are": (
        {"attribute": "family", "values": ["married"]},
        [{"family": "married"}],
        [{"family": "single"}, {}],
    ),
    "countries": ({"values": ["DE", "AT"]}, [{"country": "AT"}], [{"country": "at"}, {"country": "CH"}, {}]),
    "outside_countries": ({"values": ["US"]}, [{"country": "DE"}], [{"country": "US"}, {"country": None}, {}]),
    "regions": ({"values": ["DE-BY"]}, [{"region": "DE-BY"}], [{"region": "DE-BE"}]),
    "place_type": ({"values": ["Rural"]}, [{"zip_code": "Rural"}], [{"zip_code": "Urban"}]),
    "postcode_starts": (
        {"values": ["80", "SW1"]},
        [{"postcode": "80331"}, {"postcode": "SW1A 1AA"}],
        [{"postcode": "18055"}, {"postcode": "sw1"}, {"postcode": 80331}, {}],
    ),
    "in_area": (
        {"south": 48.6, "north": 49.1, "west": 2, "east": 2.7},
        [{"latitude": 48.8566, "longitude": 2.3522}],
        [{"latitude": 50.1, "longitude": 2.3}, {"latitude": 48.8, "longitude": 8.7}, {"latitude": 48.8}, {}],
    ),
    "spent_between": (
        {"least": 100, "below": 200},
        [{"history": 100}, {"history": 199.99}],
        [{"history": 200}, {"history": 99.99}, {}],
    ),
    "spend_bands": ({"values": ["1) $0 - $100"]}, [{"history_segment": "1) $0 - $100"}], [{"history_segment": "1)"}]),
    "bought_within": ({"most": 3}, [{"recency": 0}, {"recency": 3}], [{"recency": 3.5}, {"recency": None}, {}]),
    "not_bought_since": ({"longer_than": 9}, [{"recency": 10}], [{"recency": 9}, {}]),
    "last_bought_between": (
        {"least": 0, "most": 9},
        [{"recency": 0}, {"recency": 9}],
        [{"recency": 10}, {"recency": "unknown"}, {}],
    ),
    "bought_from": (
        {"without": ["womens"]},
        [{"mens": 1, "womens": 0}, {"mens": True, "womens": False}],
        [{"mens": 1, "womens": 1}, {"mens": 0, "womens": 0}, {"mens": 1}, {"mens": "1", "womens": 0}],
    ),
    "bought_from_all": (
        {"attributes": ["mens", "womens"]},
        [{"mens": 1, "womens": True}],
        [{"mens": 1, "womens": 0}, {"mens": 1}],
    ),
    "orders_from": ({}, [{"orders": 3}], [{"orders": 2}, {}]),
    "buys_by_channel": ({"values": ["Web", "Phone"]}, [{"channel": "Phone"}], [{"channel": "Multichannel"}, {}]),
    "expected_value_from": (
        {"least": 50},
        [{"expected_value_90_days": 50.0}],
        [{"expected_value_90_days": 49.99}, {"expected_value_90_days": None}, {}],
    ),
    "hardly_expected": (
        {},
        [{"expected_purchases_90_days": 0.099}, {"expected_purchases_90_days": 0.0}],
        [{"expected_purchases_90_days": 0.1}, {"expected_purchases_90_days": None}, {}],
    ),
    "engaged_from": (
        {"least": "regular"},
        [{"engagement_level": "regular"}, {"engagement_level": "heavy"}],
        [{"engagement_level": "light"}, {"engagement_level": None}, {}],
    ),
    "falls_away": (
        {},
        [{"engagement_trend": "falling"}],
        [{"engagement_trend": "steady"}, {"engagement_trend": "rising"}, {"engagement_trend": None}, {}],
    ),
    "rfm_groups": ({"values": ["champions"]}, [{"rfm_group": "champions"}], [{"rfm_group": "at_risk"}]),
    "answered": (
        {"values": ["adventurous"]},
        [{"survey": {"lifestyle": "adventurous"}}, {"survey": {"lifestyle": ["homely", "adventurous"]}}],
        [{"survey": {"lifestyle": "homely"}}, {"survey": {}}, {}],
    ),
    "agrees": ({}, [{"survey": {"sustainability": 4}}], [{"survey": {"sustainability": 3}}, {}]),
    "disagrees": ({}, [{"survey": {"sustainability": 2}}], [{"survey": {"sustainability": 3}}, {"survey": {}}, {}]),
    "recommends": ({"group": "detractors"}, [{"nps": 0}, {"nps": 6}], [{"nps": 7}, {"nps": None}, {}]),
    "interested_in": (
        {"values": ["running", "cycling"]},
        [{"interests": "running"}, {"interests": ["chess", "cycling"]}],
        [{"interests": ["chess"]}, {"interests": []}, {}],
    ),
    "interested_in_all": (
        {"values": ["cooking", "travel"]},
        [{"interests": ["travel", "chess", "cooking"]}],
        [{"interests": ["travel"]}, {"interests": "travel"}, {}],
    ),
    "needs": ({"values": ["insoles"]}, [{"needs": ["insoles"]}], [{"needs": ["wide_fit"]}, {}]),
    "uses_it_for": ({"values": ["gift"]}, [{"use_case": "gift"}], [{"use_case": "own"}]),
    "decides_by": ({"values": ["price"]}, [{"decides_by": "price"}], [{"decides_by": "quality"}]),
    "buys_at_discount": ({}, [{"discount_share": 0.5}], [{"discount_share": 0.49}, {}]),
    "in_the_market": (
        {"values": ["tents"], "most": 7},
        [{"viewed_categories": ["tents", "boots"], "days_since_visit": 7}],
        [
            {"viewed_categories": ["tents"], "days_since_visit": 8},
            {"viewed_categories": ["boots"], "days_since_visit": 1},
            {"viewed_categories": ["tents"]},
        ],
    ),
    "devices": ({"values": ["mobile"]}, [{"device": "mobile"}], [{"device": "desktop"}, {}]),
    "browsers": ({"values": ["Safari"]}, [{"browser": "Safari"}], [{"browser": "Chrome"}, {}]),
    "browser_from_version": (
        {"browser": ["Chrome"], "least": "120"},
        [{"browser": "Chrome", "browser_version": "120"}, {"browser": "Chrome", "browser_version": "121.0.6167.85"}],
        [
            {"browser": "Chrome", "browser_version": ""},
            {"browser": "Chrome", "browser_version": "latest"},
            {"browser": "Chrome", "browser_version": "99.0"},
            {"browser": "Safari", "browser_version": "121"},
            {"browser": "Chrome"},
        ],
    ),
    "operating_systems": ({"values": ["iOS"]}, [{"os": "iOS"}], [{"os": "Android"}]),
    "app_before_version": (
        {"below": "3.0.0"},
        [{"app_version": "2.10.0"}, {"app_version": "2.9"}],
        [{"app_version": "3.0.0"}, {"app_version": "10.0.0"}, {}],
    ),
    "app_from_version": (
        {"least": "2.10.0"},
        [{"app_version": "2.10.0"}, {"app_version": "3.0.0"}],
        [{"app_version": "2.9.9"}, {}],
    ),
    "has_app": ({}, [{"has_app": True}, {"has_app": 1}], [{"has_app": False}, {"has_app": "yes"}, {}]),
    "prospects": ({}, [{"orders": 0}, {"orders": None}, {}], [{"orders": 1}, {"orders": -1}, {"orders": "0"}]),
    "new_customers": ({}, [{"newbie": 1}, {"newbie": True}], [{"newbie": 0}, {}]),
    "known_customers": ({}, [{"newbie": 0}, {"newbie": False}], [{"newbie": 1}, {"newbie": None}, {}]),
    "orders_between": (
        {"least": 0, "most": 1},
        [{"orders": 0}, {"orders": 1}, {"orders": None}, {}],
        [{"orders": 2}, {"orders": -1}],
    ),
    "first_days": ({}, [{"days_since_signup": 0}, {"days_since_signup": 30}], [{"days_since_signup": 31}, {}]),
    "left_cart": (
        {},
        [{"cart_value": 0.5, "days_since_visit": 1}, {"cart_value": 80, "days_since_visit": 14}],
        [
            {"cart_value": 0, "days_since_visit": 3},
            {"cart_value": 80, "days_since_visit": 0},
            {"cart_value": 80, "days_since_visit": 15},
            {"cart_value": 80},
        ],
    ),
    "dormant": (
        {},
        [{"orders": 1, "days_since_visit": 180}],
        [{"orders": 0, "days_since_visit": 200}, {"orders": 4, "days_since_visit": 179}, {"days_since_visit": 200}],
    ),
    "journey_stages": ({"values": ["new"]}, [{"lifecycle_stage": "new"}], [{"lifecycle_stage": "lapsed"}]),
    "on_list": ({"values": ["vip"]}, [{"lists": ["vip", "press"]}, {"lists": "vip"}], [{"lists": ["press"]}, {}]),
    "not_on_list": ({"values": ["vip"]}, [{"lists": ["press"]}, {}], [{"lists": ["press", "vip"]}, {"lists": "vip"}]),
    "these_customers": (
        {"values": ["c-1", 7]},
        [{"customer_id": "c-1"}, {"customer_id": 7}],
        [{"customer_id": "7"}, {}],
    ),
}


def test_no_template_is_left_out_of_these_tests() -> None:
    assert MEMBERS.keys() == TEMPLATES.keys()


@pytest.mark.parametrize("key", MEMBERS)
def test_who_is_in_and_who_is_not(key: str) -> None:
    given, inside, outside = MEMBERS[key]
    matches = compile_condition(template(key).condition(given))
    assert ([matches(one) for one in inside], [matches(one) for one in outside]) == (
        [True] * len(inside),
        [False] * len(outside),
    )


def test_every_kind_has_its_sentence_and_several_templates() -> None:
    """But for those that are found by looking at customers, not filled in."""
    counts = {kind: sum(one.kind is kind for one in TEMPLATES.values()) for kind in SegmentKind}
    assert KIND_SENTENCES.keys() == set(SegmentKind)
    assert {kind for kind, count in counts.items() if not count} == {SegmentKind.LEARNT, SegmentKind.DISCOVERED}
    assert min(filter(None, counts.values())) >= 3, counts


@pytest.mark.parametrize("key", TEMPLATES)
def test_an_example_is_a_condition_on_the_attributes_it_names(key: str) -> None:
    one = template(key)
    condition = one.condition(one.example.parameters)
    check_condition(condition)
    named = {
        name.partition(".")[0]
        for parameter in one.parameters
        if parameter.type in ("attribute", "attributes")
        for value in [one.filled(one.example.parameters)[parameter.name]]
        for name in ([value] if isinstance(value, str) else value or ())
    }
    assert attributes_of(condition) == named


def test_which_examples_growthbooks_sdks_cannot_decide() -> None:
    def unfit(key: str) -> bool:
        try:
            portable(template(key).condition(template(key).example.parameters))
        except NotPortable:
            return True
        return False

    assert {key for key in TEMPLATES if unfit(key)} == {
        "postcode_starts",
        "interested_in_all",
        "browser_from_version",
        "app_before_version",
        "app_from_version",
    }


@pytest.mark.parametrize(
    ("key", "given", "code", "path"),
    [
        pytest.param("age_between", {"from": 3}, "parameter_unknown", "/from", id="unknown"),
        pytest.param("countries", {}, "parameter_missing", "/values", id="missing"),
        pytest.param("countries", {"values": None}, "parameter_missing", "/values", id="null"),
        pytest.param("countries", {"values": []}, "parameter_invalid", "/values", id="no-values"),
        pytest.param("countries", {"values": "DE"}, "parameter_invalid", "/values", id="text-for-a-list"),
        pytest.param("countries", {"values": ["DE", "DE"]}, "parameter_invalid", "/values", id="twice"),
        pytest.param("countries", {"values": [None]}, "parameter_invalid", "/values", id="null-value"),
        pytest.param("countries", {"values": [["DE"]]}, "parameter_invalid", "/values", id="list-in-a-list"),
        pytest.param("countries", {"values": [float("nan")]}, "parameter_invalid", "/values", id="nan-value"),
        pytest.param("countries", {"values": ["x" * 501]}, "parameter_invalid", "/values", id="long-value"),
        pytest.param("countries", {"values": ["\x00"]}, "parameter_invalid", "/values", id="nul"),
        pytest.param("countries", {"values": [*range(1_001)]}, "parameter_invalid", "/values", id="too-many"),
        pytest.param(
            "countries", {"values": ["DE"], "attribute": "$or"}, "parameter_invalid", "/attribute", id="operator"
        ),
        pytest.param(
            "countries", {"values": ["DE"], "attribute": "a..b"}, "parameter_invalid", "/attribute", id="bad-path"
        ),
        pytest.param("countries", {"values": ["DE"], "attribute": 3}, "parameter_invalid", "/attribute", id="number"),
        pytest.param("age_between", {"least": 18.5}, "parameter_invalid", "/least", id="not-whole"),
        pytest.param("age_between", {"least": True}, "parameter_invalid", "/least", id="boolean-for-a-number"),
        pytest.param("age_between", {"least": "18"}, "parameter_invalid", "/least", id="text-for-a-number"),
        pytest.param("age_between", {"least": -1}, "parameter_out_of_range", "/least", id="below"),
        pytest.param("age_between", {"most": 131}, "parameter_out_of_range", "/most", id="above"),
        pytest.param("bought_within", {"most": float("inf")}, "parameter_invalid", "/most", id="infinite"),
        pytest.param("orders_from", {"least": 0}, "parameter_out_of_range", "/least", id="only-a-lower-bound"),
        pytest.param("orders_from", {"least": 10**400}, "parameter_out_of_range", "/least", id="400-digits"),
        pytest.param("orders_from", {"least": 10**20}, "parameter_out_of_range", "/least", id="no-64-bits"),
        pytest.param("spent_between", {"least": -(10**20)}, "parameter_out_of_range", "/least", id="below-64-bits"),
        pytest.param("countries", {"values": [10**400]}, "parameter_out_of_range", "/values", id="400-digit-value"),
        pytest.param("countries", {"values": [-(2**63)]}, "parameter_out_of_range", "/values", id="64-bit-value"),
        pytest.param("age_between", {"least": 40, "most": 30}, "parameters_contradict", "", id="upside-down"),
        pytest.param("spent_between", {"least": 5, "below": 5}, "parameters_contradict", "", id="empty-band"),
        pytest.param("bought_from", {"without": ["mens"]}, "parameters_contradict", "", id="with-and-without"),
        pytest.param("recommends", {"group": "fans"}, "parameter_invalid", "/group", id="no-such-choice"),
        pytest.param("app_from_version", {"least": "latest"}, "parameter_invalid", "/least", id="no-version"),
        pytest.param("postcode_starts", {"values": [80]}, "parameter_invalid", "/values", id="postcode-number"),
        pytest.param("postcode_starts", {"values": ["8.*"]}, "parameter_invalid", "/values", id="postcode-pattern"),
    ],
)
def test_what_is_refused(key: str, given: dict[str, Any], code: str, path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        template(key).condition(given)
    assert (caught.value.code, caught.value.path) == (code, path)


VERSIONS = {
    "3.0.0": (
        ["3", "v3", "3.0", "3.0.0", "v3.0.0", "3.0.0+7", "3.0.1", "3.1", "4", "10.0"],
        ["2", "2.9.9", "3.0.0-beta"],
    ),
    "2.10.0": (["2.10", "2.10.0", "2.11", "3"], ["2", "2.9", "2.9.9", "2.10.0-rc.1"]),
    "120": (["120", "120.0", "120.0.0.0", "121.0.6167.85"], ["119", "99.0", "119.9.9.9"]),
    "120.0.0.0": (["120", "120.0", "120.0.0.0", "120.0.0.1"], ["119", "119.9.9.9"]),
    "0.0.0": (["0", "0.0", "0.0.0", "1"], []),
    "10": (["10", "11"], ["1", "9"]),
}


def test_the_greatest_whole_number_that_can_be_stored_is_taken() -> None:
    assert template("orders_from").condition({"least": 2**63 - 1})["orders"]["$gte"] == 2**63 - 1


@pytest.mark.parametrize("bound", VERSIONS)
def test_a_version_is_older_or_not_however_it_is_written_and_no_version_is_neither(bound: str) -> None:
    newer, older = VERSIONS[bound]
    before = compile_condition(template("app_before_version").condition({"below": bound}))
    since = compile_condition(template("app_from_version").condition({"least": bound}))
    assert [one for one in newer + older if since({"app_version": one})] == newer
    assert [one for one in newer + older if before({"app_version": one})] == older
    for nothing in ("", "banana", "v", "-1", " 2", "2 apples", "unknown 2.0", None, 2, 9.0, True, ["2.0"], {}):
        assert (before({"app_version": nothing}), since({"app_version": nothing})) == (False, False)


def test_who_has_no_orders_is_not_among_those_with_one() -> None:
    """The worker says `orders` of buyers alone: only where none will do are those meant of whom it says nothing."""
    once = compile_condition(template("orders_between").condition({"least": 1, "most": 1}))
    assert [once({"orders": orders}) for orders in (0, 1, 2, None)] == [False, True, False, False]
    assert once({}) is False


def test_an_unknown_template() -> None:
    with pytest.raises(NotFound) as caught:
        template("everyone_nice")
    assert caught.value.code == "segment_template_not_found"


def test_an_attribute_that_stands_twice_keeps_both_of_its_tests() -> None:
    condition = template("dormant").condition({"attribute": "x", "orders": "x", "least": 5})
    assert [compile_condition(condition)({"x": x}) for x in (0, 4, 5)] == [False, False, True]


@pytest.mark.parametrize(
    ("key", "typed", "meant"),
    [
        ("countries", {"values": "DE, AT"}, {"values": ["DE", "AT"]}),
        ("countries", {"values": '["a, b", "c"]'}, {"values": ["a, b", "c"]}),
        ("countries", {"values": '1,"1",true,012'}, {"values": [1, "1", True, "012"]}),
        ("bought_from", {"without": "womens,7"}, {"without": ["womens", "7"]}),
        ("age_between", {"least": "20"}, {"least": 20}),
        ("age_between", {"least": "young"}, {"least": "young"}),
        ("app_from_version", {"least": "2"}, {"least": "2"}),
        ("countries", {"no": "3"}, {"no": "3"}),
    ],
)
def test_what_somebody_typed(key: str, typed: dict[str, str], meant: dict[str, object]) -> None:
    assert template(key).from_texts(typed) == meant
