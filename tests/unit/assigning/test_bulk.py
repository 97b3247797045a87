"""Bulk against the answers to single units, which have references of their own, and against the golden vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.domain.allocation import Allocation
from experiments.domain.assignment import Assignment, compile_experiment
from experiments.domain.bucketing import HASHINGS
from experiments.domain.condition import attributes_of, compile_condition
from experiments.domain.definition import SegmentPlan, Variant
from experiments.domain.errors import InvalidInput
from experiments.domain.experiment import Experiment
from experiments.domain.layer import Layer, Slot
from experiments.domain.names import are_ids, check_id
from experiments.domain.segment import Segment, everyone
from experiments.services.assigning.bulk import assign_chunk, column_of, compile_bulk
from tests.golden.reference import IDS, bucket
from tests.unit.assigning.test_bucketing import GOLDEN, built, layer_of
from tests.unit.builders import NOW, plan, running

Unit = tuple[str, Mapping[str, Any]]


def in_bulk(experiment: Experiment, layer: Layer | None, units: Sequence[Unit]) -> list[Assignment]:
    """What bulk answers, given the attributes as columns."""
    compiled = compile_bulk(experiment, layer)
    names = sorted({name for _, attributes in units for name in attributes})
    columns = {name: column_of(attributes.get(name) for _, attributes in units) for name in names}
    found = assign_chunk(compiled, [unit_id for unit_id, _ in units], columns)
    return [compiled.answers[position] for position in found]


@pytest.mark.parametrize(
    ("version", "key"), [(v, key) for v, golden in GOLDEN.items() for key in golden["experiments"]]
)
def test_golden_assignments(version: int, key: str) -> None:
    document = GOLDEN[version]["experiments"][key]
    vectors = [vector for vector in GOLDEN[version]["assignments"] if vector["experiment"] == key]
    units = [(vector["unit_id"], {"s": vector["segment"]}) for vector in vectors]
    answers = in_bulk(built(document), layer_of(document), units)
    assert [(a.variant, a.reason.value) for a in answers] == [(v["variant"], v["reason"]) for v in vectors]


CONDITIONS: list[dict[str, Any]] = [
    {},
    {"country": "DE"},
    {"country": {"$ne": "DE"}},
    {"country": {"$in": ["DE", "ÖS", None]}},
    {"country": {"$nin": ["FR", "👩‍👧"]}},
    {"country": {"$regex": "^[A-F]"}},
    {"country": {"$ini": ["de", "fr"]}},
    {"age": {"$gte": 18, "$lt": 65}},
    {"age": {"$gt": 17.5}},
    {"age": 30},
    {"age": {"$type": "number"}},
    {"age": {"$exists": False}},
    {"vip": True},
    {"vip": {"$ne": True}},
    {"app": {"$vgte": "1.10.0"}},
    {"app": {"$vlt": "2.0.0-beta"}},
    {"tags": {"$all": ["new"]}},
    {"tags": {"$size": 2}},
    {"tags": {"$elemMatch": {"$eq": "old"}}},
    {"home.city": "Köln"},
    {"home": {"$type": "object"}},
    {"nobody": "has it"},
    {"nobody": None},
]
VALUES: dict[str, list[Any]] = {
    "country": ["DE", "de", "FR", "ÖS", "👩‍👧", "", 5, None],
    "age": [0, 1, True, 17, 18, 30, 30.0, 64.9, 65, -0.0, "30", "x", None, 2**63 - 1],
    "vip": [True, False, 1, 0, "true", None],
    "app": ["1.9.9", "1.10.0", "2.0.0-alpha", "2.0.0", "v3", "nonsense", None],
    "tags": [[], ["new"], ["new", "old"], ["old", ["new"]], "new", None],
    "home": [{"city": "Köln"}, {"city": "Bonn"}, {}, "Köln", None],
}


def conditions() -> st.SearchStrategy[dict[str, Any]]:
    return st.recursive(
        st.sampled_from(CONDITIONS),
        lambda inner: st.one_of(
            st.builds(lambda parts: {"$and": parts}, st.lists(inner, min_size=1, max_size=3)),
            st.builds(lambda parts: {"$or": parts}, st.lists(inner, min_size=1, max_size=3)),
            st.builds(lambda parts: {"$nor": parts}, st.lists(inner, min_size=1, max_size=2)),
            st.builds(lambda part: {"$not": part}, inner),
        ),
        max_leaves=4,
    )


@st.composite
def units(draw: st.DrawFn) -> list[Unit]:
    plain = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40)
    ids = st.one_of(plain, st.sampled_from(list(IDS.values())), st.integers(0, 999).map(lambda n: f"customer-{n}"))
    attributes = st.fixed_dictionaries({}, optional={name: st.sampled_from(VALUES[name]) for name in VALUES})
    return draw(st.lists(st.tuples(ids, attributes), max_size=30))


@st.composite
def plans(draw: st.DrawFn) -> tuple[SegmentPlan, ...]:
    weights = st.fixed_dictionaries({}, optional={key: st.integers(1, 9_999) for key in "abc"}).filter(bool)

    def one(segment: Segment) -> SegmentPlan:
        declared, later = draw(weights), draw(st.none() | weights)
        allocation = Allocation.from_weights(declared)
        return SegmentPlan(
            segment=segment,
            weights=declared,
            allocation=allocation if later is None else allocation.reweighted(later),
            traffic_bp=draw(st.sampled_from([0, 1, 2_500, 9_999, 10_000, 10_000])),
            promoted=draw(st.none() | st.sampled_from("abc")),
        )

    wanted = draw(st.lists(conditions(), max_size=4))
    segments = [Segment(key=f"s{n}", name="S", condition=condition) for n, condition in enumerate(wanted)]
    return tuple(one(segment) for segment in (*segments, everyone()))


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    edges = sorted(draw(st.sets(st.integers(0, 9_000), min_size=2, max_size=6)))
    slots = [
        Slot(start=start, end=end, experiment=draw(st.sampled_from(["banner", "other"])))
        for start, end in pairwise(edges)
        if draw(st.booleans())
    ]
    return Layer(
        key="l",
        name="L",
        salt=draw(st.sampled_from(["l", "läyer", "顧客"])),
        holdout_bp=draw(st.sampled_from([0, 1, 500, 1_000])),
        slots=tuple(slots),
        bucketing=draw(st.sampled_from([1, 2])),
    )


@st.composite
def live(draw: st.DrawFn) -> Experiment:
    experiment = running(
        salt=draw(st.sampled_from(["banner", "ünï", "s" * 200, "👩‍👧"])),
        variants=tuple(Variant(key=key, name=key, is_control=key == "b") for key in "abc"),
        segments=draw(plans()),
        forced=draw(
            st.dictionaries(st.sampled_from([*IDS.values(), "customer-1"]), st.sampled_from("abc"), max_size=3)
        ),
        bucketing=draw(st.sampled_from([1, 2])),
    )
    match draw(st.sampled_from(["running"] * 4 + ["paused", "stopped"])):
        case "paused":
            return experiment.pause(NOW + timedelta(days=1))
        case "stopped":
            return experiment.stop(NOW + timedelta(days=1))
    return experiment


@settings(max_examples=250)
@given(experiment=live(), layer=st.none() | layers(), asked=units())
def test_every_unit_sees_in_bulk_what_it_sees_alone(
    experiment: Experiment, layer: Layer | None, asked: list[Unit]
) -> None:
    alone = compile_experiment(experiment, layer)
    assert in_bulk(experiment, layer, asked) == [alone(unit_id, attributes) for unit_id, attributes in asked]


@pytest.mark.parametrize("bucketing", [1, 2])
def test_a_large_chunk_with_more_combinations_than_are_counted_out(bucketing: int) -> None:
    """10,000 units, three attributes with 3,000, 500 and 7 values: ten million combinations."""
    condition = {"age": {"$gt": 1_000}, "score": {"$lt": 250}, "land": {"$in": [0, 3, 5]}}
    experiment = running(
        segments=(
            plan(Segment(key="some", name="Some", condition=condition), weights={"a": 1, "b": 3}, traffic_bp=7_000),
            plan(Segment(key="young", name="Young", condition={"age": {"$lt": 500}}), weights={"b": 1}),
            plan(),
        ),
        bucketing=bucketing,
    )
    asked = [
        (f"{'ü' if n % 3 else 'u'}{n}", {"age": n * 7 % 3_000, "score": n * 11 % 500, "land": n % 7})
        for n in range(10_000)
    ]
    alone = compile_experiment(experiment)
    assert in_bulk(experiment, None, asked) == [alone(unit_id, attributes) for unit_id, attributes in asked]


def test_the_place_is_that_of_the_reference() -> None:
    ids = [f"customer-{n}" for n in range(20_000)]
    answers = in_bulk(running(), None, [(unit_id, {}) for unit_id in ids])
    assert [a.variant for a in answers] == ["a" if bucket("banner/variant", i) < 5_000 else "b" for i in ids]


def test_traffic_ends_right_before_its_bucket() -> None:
    """Bucketing 2 has as many places as buckets, so that units stand right at the edge of 5,000 basis points."""
    traffic = HASHINGS[2].salted("banner/traffic")
    ids = [f"u{n}" for n in range(60_000)]
    reasons = {4_999: "assigned", 5_000: "not_in_traffic"}
    asked = [(unit_id, place) for unit_id in ids if (place := traffic(unit_id)) in reasons]
    assert {place for _, place in asked} == reasons.keys()
    answers = in_bulk(running(segments=(plan(traffic_bp=5_000),), bucketing=2), None, [(i, {}) for i, _ in asked])
    assert [answer.reason.value for answer in answers] == [reasons[place] for _, place in asked]


def test_nobody_is_assigned_nothing() -> None:
    assert assign_chunk(compile_bulk(running()), [], {}).tolist() == []


@settings(max_examples=300)
@given(
    document=conditions(),
    attributes=st.fixed_dictionaries({}, optional={n: st.sampled_from(VALUES[n]) for n in VALUES}),
)
def test_a_condition_looks_at_the_attributes_that_it_names_and_no_others(
    document: dict[str, Any], attributes: dict[str, Any]
) -> None:
    named = attributes_of(document)
    seen = {name: value for name, value in attributes.items() if name in named}
    matches = compile_condition(document)
    assert matches(seen) == matches(attributes)


def test_attributes_are_named_by_the_head_of_their_path() -> None:
    document = {"$or": [{"home.city": "Köln"}, {"$not": {"age": {"$gt": 3}}}], "tags": {"$elemMatch": {"name": "x"}}}
    assert attributes_of(document) == {"home", "age", "tags"}


@given(values=st.lists(st.text(max_size=3) | st.none() | st.sampled_from(["x" * 512, "x" * 513, "\ud800"]), max_size=4))
def test_ids_are_judged_together_as_each_alone(values: list[str | None]) -> None:
    def is_id(value: object) -> bool:
        try:
            check_id(value, "")
        except InvalidInput:
            return False
        return True

    assert are_ids(values) == all(map(is_id, values))


def test_versions_of_an_experiment_differ_in_their_answers() -> None:
    """Answers are of the version that was compiled."""
    experiment = running()
    later = replace(experiment, current=replace(experiment.current, number=7, epoch=3))
    (answer,) = in_bulk(later, None, [("u", {})])
    assert (answer.version, answer.epoch) == (7, 3)
