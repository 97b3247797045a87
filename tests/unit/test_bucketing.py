"""Bucketing version 1 against its golden vectors and against published murmur hashes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from experiments.domain.allocation import Allocation, BucketRange
from experiments.domain.assignment import compile_experiment
from experiments.domain.bucketing import HASHINGS, bucket
from experiments.domain.definition import SegmentPlan, Variant
from experiments.domain.experiment import Experiment
from experiments.domain.layer import Layer, Slot
from experiments.domain.segment import EVERYONE, Segment, everyone
from tests.golden.reference import murmur3_x86_32, vectors
from tests.unit.builders import running

GOLDEN: dict[str, Any] = json.loads(
    Path(__file__).parent.parent.joinpath("golden/assignment_v1.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize(
    ("text", "hashed"),
    [
        ("", 0),
        ("hello", 0x248BFA47),
        ("hello, world", 0x149BBB7F),
        ("The quick brown fox jumps over the lazy dog", 0x2E4FF723),
    ],
)
def test_the_reference_agrees_with_published_hashes(text: str, hashed: int) -> None:
    """Wikipedia's and SMHasher users' vectors of MurmurHash3_x86_32, seed 0."""
    assert murmur3_x86_32(text.encode()) == hashed


def test_released_vectors_are_what_the_reference_makes() -> None:
    assert vectors() == GOLDEN


@pytest.mark.parametrize("vector", GOLDEN["hashes"], ids=lambda vector: f"{vector['name']}/{vector['salt']}")
def test_golden_buckets(vector: dict[str, Any]) -> None:
    assert bucket(vector["salt"], vector["unit_id"]) == vector["bucket"]


@pytest.mark.parametrize("salt", sorted({vector["salt"] for vector in GOLDEN["hashes"]}))
def test_golden_hashes_of_many_at_once(salt: str) -> None:
    vectors = [vector for vector in GOLDEN["hashes"] if vector["salt"] == salt]
    hashed = HASHINGS[1].salted_all(salt)
    assert hashed([vector["unit_id"] for vector in vectors]).tolist() == [vector["hash"] for vector in vectors]


@pytest.mark.parametrize("version", HASHINGS)
@pytest.mark.parametrize("salt", ["", "s", "ü\n", "👩‍👧"])
@pytest.mark.parametrize("ids", [[], [""], ["a"], ["a", "ü", "👩‍👧"], ["line\nbreak", "b"], ["\n"]])
def test_many_at_once_are_hashed_as_each_alone(version: int, salt: str, ids: list[str]) -> None:
    alone = HASHINGS[version].salted(salt)
    assert HASHINGS[version].salted_all(salt)(ids).tolist() == [alone(unit_id) for unit_id in ids]


def built(document: dict[str, Any]) -> Experiment:
    """An experiment as the golden file describes it; each segment takes the units whose `s` names it."""
    plans = []
    for plan in document["segments"]:
        key = plan["segment"]
        segment = everyone() if key == EVERYONE else Segment(key=key, name=key, condition={"s": key})
        ranges = tuple(BucketRange(**piece) for piece in plan["ranges"])
        weights = dict.fromkeys(document["variants"], 1)
        plans.append(
            SegmentPlan(
                segment=segment, weights=weights, allocation=Allocation(ranges=ranges), traffic_bp=plan["traffic_bp"]
            )
        )
    return running(
        salt=document["salt"],
        variants=tuple(
            Variant(key=key, name=key, is_control=key == document["control"]) for key in document["variants"]
        ),
        segments=tuple(plans),
        forced=document.get("forced", {}),
    )


def layer_of(document: dict[str, Any]) -> Layer | None:
    if "layer" not in document:
        return None
    layer = document["layer"]
    slots = tuple(Slot(**slot, experiment="banner") for slot in layer["slots"])
    return Layer(key="l", name="L", salt=layer["salt"], holdout_bp=layer["holdout_bp"], slots=slots)


ASSIGN = {
    key: compile_experiment(built(document), layer_of(document)) for key, document in GOLDEN["experiments"].items()
}


@pytest.mark.parametrize("vector", GOLDEN["assignments"], ids=lambda v: f"{v['experiment']}/{v['segment']}/{v['name']}")
def test_golden_assignments(vector: dict[str, Any]) -> None:
    answer = ASSIGN[vector["experiment"]](vector["unit_id"], {"s": vector["segment"]})
    assert (answer.variant, answer.reason) == (vector["variant"], vector["reason"])


def test_entry_and_choice_are_independent() -> None:
    """Of units inside 10% traffic half see each variant: with one salt for both, all would see the first."""
    document = {**GOLDEN["experiments"]["halves"], "salt": "independent"}
    document["segments"] = [{**document["segments"][0], "traffic_bp": 1_000}]
    assign = compile_experiment(built(document))
    shown = [answer.variant for n in range(20_000) if (answer := assign(str(n), {})).reason == "assigned"]
    # Binomial(20,000, .1) and Binomial(n, .5): four standard errors either way.
    assert abs(len(shown) - 2_000) < 170
    assert abs(shown.count("a") / len(shown) - 0.5) < 4 * 0.5 / len(shown) ** 0.5


def test_buckets_are_even() -> None:
    """Chi-square over 100 groups of buckets: 99 degrees of freedom, upper .0001 quantile 161.32."""
    counts = [0] * 100
    for n in range(100_000):
        counts[bucket("even", f"customer-{n}") // 100] += 1
    assert sum((count - 1_000) ** 2 / 1_000 for count in counts) < 161.32
