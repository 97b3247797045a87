"""The golden vectors are the contract: hashes, buckets and assignments of both versions."""

from __future__ import annotations

from typing import Any

import pytest
from documents import GOLDEN, catalog, experiment, from_golden
from hypothesis import given
from hypothesis import strategies as st

from winnow_client import CatalogError, compile_catalog
from winnow_client.assignment import compile_experiment
from winnow_client.hashing import BUCKETINGS, fnv_1a, murmur3

HASHES = [(version, vector) for version, golden in GOLDEN.items() for vector in golden["hashes"]]
ASSIGNS = {
    (version, key): compile_experiment(from_golden(key, given))
    for version, golden in GOLDEN.items()
    for key, given in golden["experiments"].items()
}
ASSIGNMENTS = [(version, vector) for version, golden in GOLDEN.items() for vector in golden["assignments"]]


@pytest.mark.parametrize(("version", "vector"), HASHES)
def test_golden_buckets(version: int, vector: dict[str, Any]) -> None:
    assert BUCKETINGS[version].bucket(vector["salt"], vector["unit_id"]) == vector["bucket"]


@pytest.mark.parametrize("vector", GOLDEN[1]["hashes"])
def test_golden_hashes_without_mmh3(vector: dict[str, Any]) -> None:
    """The hash in plain Python is used where `mmh3` is not installed: it is tested everywhere."""
    assert murmur3(f"{vector['salt']}:{vector['unit_id']}".encode()) == vector["hash"]


@given(st.binary(max_size=64))
def test_the_hash_in_plain_python_is_that_in_c(data: bytes) -> None:
    assert murmur3(data) == pytest.importorskip("mmh3").hash(data, 0, False)


@pytest.mark.parametrize("vector", GOLDEN[2]["hashes"])
def test_golden_hashes_of_version_2(vector: dict[str, Any]) -> None:
    assert fnv_1a(vector["salt"] + vector["unit_id"]) == vector["hash"]


def test_there_are_golden_assignments() -> None:
    assert [len(GOLDEN[version]["assignments"]) for version in (1, 2)] == [220, 335]


@pytest.mark.parametrize(("version", "vector"), ASSIGNMENTS)
def test_golden_assignments(version: int, vector: dict[str, Any]) -> None:
    answer = ASSIGNS[version, vector["experiment"]](vector["unit_id"], {"s": vector["segment"]})
    assert (answer.variant, answer.reason) == (vector["variant"], vector["reason"])


def test_answers_are_built_once() -> None:
    assign = compile_experiment(experiment())
    answers = {id(assign(f"u{number}", {})) for number in range(200)}
    assert len(answers) == 2


def test_all_of_an_answer() -> None:
    document = experiment(forced={"ann": "b"}, exposure_policy="on_assignment")
    answer = compile_experiment(document)("ann", None)
    assert (answer.experiment, answer.version, answer.epoch) == ("banner", 3, 2)
    assert (answer.segment, answer.variant, answer.content, answer.reason) == (None, "b", {"text": "new"}, "forced")
    assert (answer.counted, answer.exposes) == (False, False)
    # Bucket 1184 of ":customer-42" is not that of this salt: the variant only has to be one of both.
    counted = compile_experiment(document)("customer-42", None)
    assert (counted.segment, counted.reason, counted.counted, counted.exposes) == ("everyone", "assigned", True, True)


@pytest.mark.parametrize(
    ("status", "attributes", "expected"),
    [
        ("paused", {"country": "NL"}, ("a", None, "paused")),
        ("stopped", {"country": "NL"}, ("b", "dutch", "stopped")),
        ("stopped", {"country": "DE"}, ("a", "everyone", "stopped")),
    ],
)
def test_not_running(status: str, attributes: dict[str, Any], expected: tuple[str, str | None, str]) -> None:
    everyone = experiment()["segments"][0]
    dutch = {**everyone, "key": "dutch", "condition": {"country": "NL"}, "after_stop": "b"}
    answer = compile_experiment(experiment(status=status, segments=[dutch, everyone]))("u1", attributes)
    assert (answer.variant, answer.segment, answer.reason) == expected


@pytest.mark.parametrize("version", [1, 2])
def test_who_is_held_out_of_a_layer_sees_no_winner_after_a_stop_either(version: int) -> None:
    """Places in the layer are those of the golden hashes."""
    segments = [{**experiment()["segments"][0], "after_stop": "b"}]
    hashes = [vector for vector in GOLDEN[version]["hashes"] if vector["salt"] == "salt"]
    seen = set()
    for holdout_bp in (0, 1_000, 5_000):
        layer = {"key": "l", "bucketing": version, "salt": "salt", "holdout_bp": holdout_bp, "slots": []}
        assign = compile_experiment(experiment(status="stopped", segments=segments, layer=layer))
        for vector in hashes:
            answer = assign(vector["unit_id"], {})
            held_out = vector["bucket"] >= 10_000 - holdout_bp
            assert (answer.variant, answer.reason) == (("a", "holdout") if held_out else ("b", "stopped"))
            seen.add(answer.reason)
    assert seen == {"holdout", "stopped"}


@pytest.mark.parametrize(
    "broken",
    [
        {"bucketing": 3},
        {"status": "resting"},
        {"layer": {"key": "l", "bucketing": 9, "salt": "l", "holdout_bp": 0, "slots": []}},
        {"segments": []},
        {"segments": [{**experiment()["segments"][0], "ranges": [{"start": 0, "end": 9_999, "variant": "a"}]}]},
        {"segments": [{**experiment()["segments"][0], "ranges": [{"start": 0, "end": 10_000, "variant": "zz"}]}]},
        {"salt": None, "variants": None},
    ],
)
def test_an_experiment_that_is_not_understood_leaves_the_others(broken: dict[str, Any]) -> None:
    made = compile_catalog(catalog(experiment(), experiment(key="new", **broken)))
    assert list(made.assigns) == ["banner"]
    assert list(made.skipped) == ["new"]


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"schema": "winnow.catalog/2", "version": 1, "experiments": []}, {**catalog(), "experiments": None}],
)
def test_what_is_no_catalog_is_refused(document: Any) -> None:
    with pytest.raises(CatalogError):
        compile_catalog(document)
