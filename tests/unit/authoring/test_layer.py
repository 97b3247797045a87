"""Layers: no bucket has two owners, and what is given back can be had again."""

from __future__ import annotations

import pytest

from experiments.domain.errors import InvalidInput, LayerFull
from experiments.domain.layer import HOLDOUT, Layer, Slot
from experiments.domain.names import check_key

LAYER = Layer(key="home", name="Home page", salt="home", holdout_bp=1_000)


def test_claims_are_exclusive_and_leave_the_holdout_alone() -> None:
    layer = LAYER.claim("one", 4_000).claim("two", 5_000)
    owners = [layer.owner(bucket) for bucket in range(10_000)]
    assert owners == ["one"] * 4_000 + ["two"] * 5_000 + [HOLDOUT] * 1_000


def test_a_full_layer_says_what_is_free() -> None:
    with pytest.raises(LayerFull, match="3000 free basis points, 3001 are wanted"):
        LAYER.claim("one", 6_000).claim("two", 3_001)


def test_released_buckets_are_given_out_in_pieces() -> None:
    layer = LAYER.claim("one", 2_000).claim("two", 2_000).claim("three", 2_000).release("two").claim("four", 3_000)
    assert layer.slots == (
        Slot(start=0, end=2_000, experiment="one"),
        Slot(start=2_000, end=4_000, experiment="four"),
        Slot(start=4_000, end=6_000, experiment="three"),
        Slot(start=6_000, end=7_000, experiment="four"),
    )


def test_a_holdout_cannot_reach_into_a_slot() -> None:
    claimed = LAYER.claim("one", 9_000)
    with pytest.raises(InvalidInput) as refusal:
        Layer(key="home", name="Home page", salt="home", holdout_bp=1_001, slots=claimed.slots)
    assert (refusal.value.code, refusal.value.path) == ("layer_slots_invalid", "/holdout_bp")


def test_no_experiment_can_be_called_like_the_holdout() -> None:
    layer = LAYER.claim("holdout", 1_000)
    owners = [layer.owner(bucket) for bucket in range(10_000)]
    assert owners == ["holdout"] * 1_000 + [None] * 8_000 + [HOLDOUT] * 1_000
    with pytest.raises(InvalidInput):
        check_key(HOLDOUT)
