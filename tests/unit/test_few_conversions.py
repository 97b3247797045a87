"""The bound for arms that hardly convert: by hand, and by how often it is wrong."""

from __future__ import annotations

from random import Random

import pytest

from experiments.domain.few_conversions import highest_ratio


def test_nobody_of_half_against_ten_of_the_other() -> None:
    """Not below that of one look, with (1 - p)^10 = alpha; looking at any time costs less than a factor of 3."""
    bound = highest_ratio(0, 10, share=0.5, alpha=0.05)
    chance = 1 - 0.05 ** (1 / 10)
    assert bound is not None
    assert chance / (1 - chance) < bound < 3 * chance / (1 - chance)


def test_it_shrinks_with_the_evidence_and_grows_with_the_share_it_may_have_had() -> None:
    bounds = [highest_ratio(0, others, share=0.95, alpha=0.05) for others in (1, 5, 20, 80)]
    assert bounds == sorted(bounds, key=lambda bound: -(bound or 0))
    assert (bounds[-1] or 1) < 0.01
    assert (highest_ratio(3, 20, share=0.5, alpha=0.05) or 0) > (highest_ratio(3, 20, share=0.9, alpha=0.05) or 0)
    assert (highest_ratio(3, 20, share=0.5, alpha=0.01) or 0) > (highest_ratio(3, 20, share=0.5, alpha=0.1) or 0)


@pytest.mark.parametrize(("others", "share"), [(0, 0.5), (10, 0.0), (10, 1.0)])
def test_without_anybody_to_compare_with_there_is_no_bound(others: float, share: float) -> None:
    assert highest_ratio(3, others, share=share, alpha=0.05) is None


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_among_equals_it_is_hardly_ever_wrong_at_any_look(share: float) -> None:
    """At most .05, and 2.9 standard errors of 300 courses."""
    random, wrong = Random(7), 0
    for _ in range(300):
        few = others = 0
        for look in range(1, 201):
            arm = random.random() < share
            few, others = few + arm, others + (not arm)
            bound = highest_ratio(few, others, share=share, alpha=0.05) if look % 25 == 0 else None
            if bound is not None and bound < 1:
                wrong += 1
                break
    assert wrong / 300 <= 0.05 + 2.9 * 0.0126
