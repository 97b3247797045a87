"""Bucketing against its golden vectors, and these against hashes that others published."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.domain.allocation import Allocation, BucketRange
from experiments.domain.assignment import compile_experiment
from experiments.domain.bucketing import HASHINGS, bucket
from experiments.domain.definition import SegmentPlan, Variant
from experiments.domain.experiment import Experiment, Status
from experiments.domain.layer import Layer, Slot
from experiments.domain.segment import EVERYONE, Segment, everyone
from tests.golden.reference import bucket as reference_bucket
from tests.golden.reference import fnv1a_32, murmur3_x86_32, vectors, vectors_2
from tests.unit.builders import plan, running

_TESTS = Path(__file__).parents[2]
GOLDEN: dict[int, dict[str, Any]] = {
    version: json.loads((_TESTS / f"golden/assignment_v{version}.json").read_text(encoding="utf-8"))
    for version in (1, 2)
}
HASHES = [(version, vector) for version, golden in GOLDEN.items() for vector in golden["hashes"]]
ASSIGNMENTS = [(version, vector) for version, golden in GOLDEN.items() for vector in golden["assignments"]]
GROWTHBOOK = _TESTS.parents[1] / "shared" / "data" / "growthbook_vectors.json"


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


@pytest.mark.parametrize(("text", "hashed"), [("", 0x811C9DC5), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)])
def test_the_reference_agrees_with_published_fnv_hashes(text: str, hashed: int) -> None:
    """FNV-1a of 32 bits, from the test suite of its authors (draft-eastlake-fnv, appendix C)."""
    assert fnv1a_32(text) == hashed


@pytest.mark.skipif(not GROWTHBOOK.exists(), reason="the GrowthBook vectors are not here (../shared/data)")
def test_version_2_is_growthbooks() -> None:
    published = json.loads(GROWTHBOOK.read_text(encoding="utf-8"))["hash"]
    wanted = {(seed, value): share for seed, value, version, share in published if version == 2}
    assert len(wanted) == 7
    for compute in (bucket, reference_bucket):
        assert {(seed, value): compute(seed, value, 2) / 10_000 for seed, value in wanted} == wanted


def test_released_vectors_are_what_the_reference_makes() -> None:
    assert vectors() == GOLDEN[1]
    assert vectors_2() == GOLDEN[2]


@pytest.mark.parametrize(("version", "vector"), HASHES, ids=lambda one: one if isinstance(one, int) else one["name"])
def test_golden_buckets(version: int, vector: dict[str, Any]) -> None:
    assert bucket(vector["salt"], vector["unit_id"], version) == vector["bucket"]


@pytest.mark.parametrize(("version", "salt"), sorted({(version, vector["salt"]) for version, vector in HASHES}))
def test_golden_buckets_of_many_at_once(version: int, salt: str) -> None:
    vectors = [vector for vector in GOLDEN[version]["hashes"] if vector["salt"] == salt]
    hashing = HASHINGS[version]
    places = hashing.salted_all(salt)([vector["unit_id"] for vector in vectors])
    assert [place * 10_000 // hashing.places for place in places] == [vector["bucket"] for vector in vectors]


@pytest.mark.parametrize("version", HASHINGS)
@pytest.mark.parametrize("salt", ["", "s", "ü\n", "👩‍👧"])
@pytest.mark.parametrize("ids", [[], [""], ["a"], ["a", "ü", "👩‍👧"], ["line\nbreak", "b"], ["\n"]])
def test_many_at_once_are_hashed_as_each_alone(version: int, salt: str, ids: list[str]) -> None:
    alone = HASHINGS[version].salted(salt)
    assert HASHINGS[version].salted_all(salt)(ids).tolist() == [alone(unit_id) for unit_id in ids]


def built(document: dict[str, Any]) -> Experiment:
    """An experiment as the golden file describes it; each segment takes the units whose `s` names it."""
    plans = []
    for one in document["segments"]:
        key = one["segment"]
        segment = everyone() if key == EVERYONE else Segment(key=key, name=key, condition={"s": key})
        ranges = tuple(BucketRange(**piece) for piece in one["ranges"])
        weights = dict.fromkeys(document["variants"], 1)
        plans.append(
            SegmentPlan(
                segment=segment, weights=weights, allocation=Allocation(ranges=ranges), traffic_bp=one["traffic_bp"]
            )
        )
    return running(
        salt=document["salt"],
        variants=tuple(
            Variant(key=key, name=key, is_control=key == document["control"]) for key in document["variants"]
        ),
        segments=tuple(plans),
        forced=document.get("forced", {}),
        bucketing=document.get("bucketing", 1),
    )


def layer_of(document: dict[str, Any]) -> Layer | None:
    if "layer" not in document:
        return None
    layer = document["layer"]
    slots = tuple(Slot(**slot, experiment="banner") for slot in layer["slots"])
    return Layer(
        key="l",
        name="L",
        salt=layer["salt"],
        holdout_bp=layer["holdout_bp"],
        slots=slots,
        bucketing=layer.get("bucketing", 1),
    )


ASSIGN = {
    (version, key): compile_experiment(built(document), layer_of(document))
    for version, golden in GOLDEN.items()
    for key, document in golden["experiments"].items()
}


@pytest.mark.parametrize(
    ("version", "vector"),
    ASSIGNMENTS,
    ids=lambda one: one if isinstance(one, int) else f"{one['experiment']}/{one['segment']}/{one['name']}",
)
def test_golden_assignments(version: int, vector: dict[str, Any]) -> None:
    answer = ASSIGN[version, vector["experiment"]](vector["unit_id"], {"s": vector["segment"]})
    assert (answer.variant, answer.reason) == (vector["variant"], vector["reason"])


@pytest.mark.parametrize("version", [1, 2])
def test_entry_and_choice_are_independent(version: int) -> None:
    """Of units inside 10% traffic half see each variant: with one salt for both, all would see the first."""
    document = {**GOLDEN[version]["experiments"]["halves"], "salt": "independent"}
    document["segments"] = [{**document["segments"][0], "traffic_bp": 1_000}]
    assign = compile_experiment(built(document))
    shown = [answer.variant for n in range(20_000) if (answer := assign(str(n), {})).reason == "assigned"]
    # Binomial(20,000, .1) and Binomial(n, .5): four standard errors either way.
    assert abs(len(shown) - 2_000) < 170
    assert abs(shown.count("a") / len(shown) - 0.5) < 4 * 0.5 / len(shown) ** 0.5


@pytest.mark.parametrize("version", [1, 2])
def test_buckets_are_even(version: int) -> None:
    """Chi-square over 100 groups of buckets: 99 degrees of freedom, upper .0001 quantile 161.32."""
    counts = [0] * 100
    for n in range(100_000):
        counts[bucket("even", f"customer-{n}", version) // 100] += 1
    assert sum((count - 1_000) ** 2 / 1_000 for count in counts) < 161.32


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("bucketing", [1, 2])
def test_who_is_held_out_of_a_layer_sees_no_winner_after_a_stop_either(version: int, bucketing: int) -> None:
    """Only so does the holdout measure what all experiments of the layer together are worth (ADR 32)."""
    stopped = replace(
        running(segments=(plan(promoted="b"),), bucketing=bucketing, forced={"tester": "b"}), status=Status.STOPPED
    )
    layer = Layer(key="l", name="L", salt="läyer", holdout_bp=500, bucketing=version)
    assign = compile_experiment(stopped, layer)
    for number in range(5_000):
        place = reference_bucket("läyer", f"u{number}", version)
        answer = assign(f"u{number}", {})
        assert (answer.variant, answer.reason) == (("b", "stopped") if place < 9_500 else ("a", "holdout"))
    assert assign("tester", {}).reason == "forced"
    for nobody_held_out in (None, replace(layer, holdout_bp=0)):
        shown = compile_experiment(stopped, nobody_held_out)
        assert {shown(f"u{number}", {}).reason for number in range(500)} == {"stopped"}
