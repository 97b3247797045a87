"""GrowthBook's SDKs, evaluating our payload by themselves, show and track exactly what we assign."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from growthbook import GrowthBook
from growthbook.core import chooseVariation, evalCondition

from experiments.domain.allocation import Allocation
from experiments.domain.assignment import Assignment, Reason
from experiments.domain.bucketing import BUCKETS
from experiments.domain.condition import NotPortable, check_condition, portable
from experiments.domain.errors import InvalidInput
from experiments.services.publishing.growthbook import features_payload
from tests.clients.programs import node
from tests.clients.worlds import World, worlds

SEEDS = range(4)
VECTORS = Path(__file__).parents[2].parent / "shared" / "data" / "growthbook_vectors.json"
NUMBERS_AS_TEXT = {"comparing numbers and strings"}
"""Where order takes a text for a number: docs/growthbook.md says so."""


def _told(world: World) -> dict[str, Any]:
    """What goes over the wire."""
    payload: dict[str, Any] = json.loads(json.dumps(features_payload(world.catalog), allow_nan=False))
    return payload


def _expected(answer: Assignment) -> tuple[Any, list[list[Any]]]:
    counted = answer.reason is Reason.ASSIGNED
    tracked = [[answer.experiment, str(answer.version), answer.segment, answer.variant]] if counted else []
    return answer.content, tracked


def _evaluable(seed: int) -> list[World]:
    """All but stopped ones whose winner is null: nothing else may be left out of these worlds."""
    kept, reasons = [], Counter[str]()
    for world in worlds(seed, 150, 60):
        payload = _told(world)
        reasons.update(payload["winnow"]["left_out"].values())
        if payload["features"]:
            kept.append(world)
    assert set(reasons) <= {"a winner has the content null, which not all SDKs can force"}
    assert len(kept) > 140
    return kept


@pytest.mark.parametrize("seed", SEEDS)
def test_the_python_sdk_agrees(seed: int) -> None:
    reasons = Counter[str]()
    for world in _evaluable(seed):
        payload, key = _told(world), world.entry.experiment.key
        for unit, answer in zip(world.units, world.answers, strict=True):
            tracked: list[list[Any]] = []
            sdk = GrowthBook(
                attributes=unit,
                features=payload["features"],
                on_experiment_viewed=lambda experiment, result, user_context, tracked=tracked: tracked.append(
                    [experiment.key, experiment.phase, experiment.name, result.key]
                ),
            )
            shown = sdk.eval_feature(key).value
            assert (shown, tracked) == _expected(answer), (payload, unit, answer)
            reasons[answer.reason] += 1
    assert all(reasons[reason] > 50 for reason in set(Reason) - {Reason.FORCED, Reason.NO_CONSENT}), reasons


@pytest.mark.parametrize("seed", SEEDS)
def test_the_javascript_sdk_agrees(seed: int) -> None:
    kept = _evaluable(seed)
    sent = [{"key": world.entry.experiment.key, "payload": _told(world), "units": world.units} for world in kept]
    for world, found in zip(kept, node("growthbook_worlds.mjs", sent), strict=True):
        for unit, answer, told in zip(world.units, world.answers, found, strict=True):
            assert (told["value"], told["tracked"]) == _expected(answer), (_told(world), unit, answer, told)


def test_every_bucket_falls_into_the_same_range() -> None:
    draw = random.Random(5)
    allocations = [Allocation.from_weights({"a": start, "b": BUCKETS - start}) for start in (1, 1_234, 4_999, 9_999)]
    for _ in range(40):
        allocation = Allocation.from_weights({"a": draw.randint(1, 99), "b": draw.randint(1, 99), "c": 7})
        allocations.append(allocation.reweighted({"a": draw.randint(1, 99), "b": 50, "c": draw.randint(1, 99)}))
    ranges = [
        json.loads(json.dumps([[piece.start / BUCKETS, piece.end / BUCKETS] for piece in allocation.ranges]))
        for allocation in allocations
    ]
    in_javascript = node("growthbook_ranges.mjs", ranges)
    for allocation, shares, found in zip(allocations, ranges, in_javascript, strict=True):
        for bucket in range(BUCKETS):
            ours = allocation.variant_at(bucket)
            assert allocation.ranges[found[bucket]].variant == ours
            assert allocation.ranges[chooseVariation(bucket / BUCKETS, shares)].variant == ours


@pytest.mark.parametrize("seed", SEEDS)
def test_no_payload_names_a_tester(seed: int) -> None:
    for world in worlds(seed, 50, 1):
        assert "tester-of-ours" in world.entry.experiment.definition.forced
        assert "tester-of-ours" not in json.dumps(_told(world))


@pytest.mark.skipif(not VECTORS.exists(), reason="the GrowthBook vectors are not here (../shared/data)")
def test_rewritten_conditions_hold_where_the_published_vectors_say() -> None:
    """Each published condition that we rewrite, on its attributes, by both SDKs."""
    cases = [case for case in json.loads(VECTORS.read_text(encoding="utf-8"))["evalCondition"] if _is_ours(case[1])]
    wanted = {case[0]: case[3] for case in cases}
    rules = [
        {"features": {"f": {"defaultValue": False, "rules": [{"condition": portable(case[1]), "force": True}]}}}
        for case in cases
    ]
    in_python = {case[0]: evalCondition(case[2], portable(case[1])) for case in cases}
    told = node(
        "growthbook_worlds.mjs",
        [{"key": "f", "payload": rule, "units": [case[2]]} for rule, case in zip(rules, cases, strict=True)],
    )
    in_javascript = {case[0]: found["value"] for case, (found,) in zip(cases, told, strict=True)}
    assert len(wanted) > 90
    for shown in (in_python, in_javascript):
        assert {name for name, holds in shown.items() if holds != wanted[name]} == NUMBERS_AS_TEXT


def _is_ours(condition: dict[str, Any]) -> bool:
    try:
        check_condition(condition)
        portable(condition)
    except (InvalidInput, NotPortable):
        return False
    return True


def test_a_null_that_is_told_is_shown_by_both_and_tracked_in_javascript_only() -> None:
    """As docs/growthbook.md says; a change of the SDK in Python would be welcome."""
    track = {
        "experiment": {"key": "f", "name": "everyone", "phase": "1", "variations": [None, None]},
        "result": {"key": "b", "variationId": 1, "inExperiment": True, "hashUsed": True, "value": None},
    }
    feature = {"defaultValue": None, "rules": [{"id": "everyone", "force": None, "tracks": [track]}]}
    ((told,),) = node(
        "growthbook_worlds.mjs", [{"key": "f", "payload": {"features": {"f": feature}}, "units": [{"id": "1"}]}]
    )
    assert (told["value"], told["tracked"]) == (None, [["f", "1", "everyone", "b"]])
    tracked: list[str] = []
    sdk = GrowthBook(
        attributes={"id": "1"},
        features={"f": feature},
        on_experiment_viewed=lambda experiment, result, user_context: tracked.append(experiment.key),
    )
    assert (sdk.eval_feature("f").value, tracked) == (None, [])
