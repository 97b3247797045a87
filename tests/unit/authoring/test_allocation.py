"""Allocations: every bucket exactly once, and changes that move the fewest units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.domain.allocation import Allocation, BucketRange, to_basis_points
from experiments.domain.errors import InvalidInput

VARIANTS = ["a", "b", "c", "d", "e"]
WEIGHTS = st.dictionaries(st.sampled_from(VARIANTS), st.integers(0, 1_000), min_size=1).filter(
    lambda weights: sum(weights.values()) > 0
)


def shown(allocation: Allocation) -> list[str]:
    """The variant of every bucket, straight from the ranges."""
    return [piece.variant for piece in allocation.ranges for _ in range(piece.start, piece.end)]


@pytest.mark.parametrize(
    ("weights", "basis_points"),
    [
        ({"a": 1, "b": 1}, {"a": 5_000, "b": 5_000}),
        ({"a": 1, "b": 1, "c": 1}, {"a": 3_334, "b": 3_333, "c": 3_333}),
        ({"a": 2, "b": 1}, {"a": 6_667, "b": 3_333}),
        ({"a": 0, "b": 7}, {"a": 0, "b": 10_000}),
        ({"a": 9_500, "b": 500}, {"a": 9_500, "b": 500}),
        (dict.fromkeys("abcdefg", 1), {v: 1_429 if v in "abcd" else 1_428 for v in "abcdefg"}),
    ],
    ids=["halves", "thirds", "two to one", "a zero", "as basis points", "sevenths"],
)
def test_weights_become_basis_points_by_largest_remainder(
    weights: dict[str, int], basis_points: dict[str, int]
) -> None:
    assert to_basis_points(weights) == basis_points


@pytest.mark.parametrize(
    ("weights", "code"),
    [({"a": 0, "b": 0}, "weights_all_zero"), ({}, "weights_all_zero"), ({"a": -1, "b": 2}, "weight_invalid")],
)
def test_weights_that_split_nothing_are_refused(weights: dict[str, int], code: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Allocation.from_weights(weights)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    "edges",
    [[(0, 5_000)], [(0, 5_000), (5_001, 10_000)], [(0, 5_001), (5_000, 10_000)], [(1, 10_000)]],
    ids=["short", "gap", "overlap", "late start"],
)
def test_ranges_must_cover_every_bucket_once(edges: list[tuple[int, int]]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Allocation(ranges=tuple(BucketRange(start=start, end=end, variant="a") for start, end in edges))
    assert refusal.value.code == "allocation_incomplete"


@given(WEIGHTS)
def test_every_bucket_sees_the_variant_of_its_range(weights: dict[str, int]) -> None:
    allocation = Allocation.from_weights(weights)
    look_up = allocation.lookup()
    for piece in allocation.ranges:
        assert look_up(piece.start) == look_up(piece.end - 1) == piece.variant


@given(WEIGHTS, WEIGHTS, WEIGHTS)
def test_a_new_split_moves_the_total_variation_distance_and_no_more(
    first: dict[str, int], second: dict[str, int], third: dict[str, int]
) -> None:
    """TV = half the sum of absolute differences, the least that any relabelling can move (also after a history)."""
    before = Allocation.from_weights(first).reweighted(second)
    after = before.reweighted(third)
    moved = sum(old != new for old, new in zip(shown(before), shown(after), strict=True))
    old_bp, new_bp = to_basis_points(second), to_basis_points(third)
    assert after.weights_bp == {variant: width for variant, width in new_bp.items() if width}
    assert moved == sum(abs(old_bp.get(v, 0) - new_bp.get(v, 0)) for v in VARIANTS) // 2


def test_growing_one_of_five_arms_by_a_point_moves_one_point() -> None:
    """Plain cumulative ranges would move 2.5 points here."""
    before = Allocation.from_weights(dict.fromkeys(VARIANTS, 2000))
    after = before.reweighted({"a": 2_100, "b": 1_975, "c": 1_975, "d": 1_975, "e": 1_975})
    assert sum(old != new for old, new in zip(shown(before), shown(after), strict=True)) == 100


@given(WEIGHTS, st.sampled_from(VARIANTS), st.integers(1, 5_000))
def test_growing_a_variant_never_moves_who_sees_it_already(weights: dict[str, int], variant: str, more: int) -> None:
    before = Allocation.from_weights(weights)
    bp = to_basis_points(weights)
    others = {v: w for v, w in bp.items() if v != variant and w}
    grown = min(10_000, bp.get(variant, 0) + more) if others else 10_000
    rest = Allocation.from_weights(others).weights_bp if others else {}
    scaled = {v: w * (10_000 - grown) // 10_000 for v, w in rest.items()}
    after = before.reweighted({**scaled, variant: 10_000 - sum(scaled.values())})
    assert all(new == variant for old, new in zip(shown(before), shown(after), strict=True) if old == variant)
