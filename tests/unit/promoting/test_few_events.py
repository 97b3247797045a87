"""The bound for arms that hardly convert: by hand, and by how often it is wrong."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from experiments.domain.few_events import Counted, highest_ratio_of_means, highest_ratio_of_rates
from tests.repeats import repeats


def test_nobody_of_half_against_ten_of_the_other() -> None:
    """Not below that of one look, with (1 - p)^10 = alpha; looking at any time costs less than a factor of 3."""
    bound = highest_ratio_of_rates(0, 10, share=0.5, alpha=0.05)
    chance = 1 - 0.05 ** (1 / 10)
    assert bound is not None
    assert chance / (1 - chance) < bound < 3 * chance / (1 - chance)


def test_it_shrinks_with_the_evidence_and_grows_with_the_share_it_may_have_had() -> None:
    bounds = [highest_ratio_of_rates(0, others, share=0.95, alpha=0.05) for others in (1, 5, 20, 80)]
    assert bounds == sorted(bounds, key=lambda bound: -(bound or 0))
    assert (bounds[-1] or 1) < 0.01
    assert (highest_ratio_of_rates(3, 20, share=0.5, alpha=0.05) or 0) > (
        highest_ratio_of_rates(3, 20, share=0.9, alpha=0.05) or 0
    )
    assert (highest_ratio_of_rates(3, 20, share=0.5, alpha=0.01) or 0) > (
        highest_ratio_of_rates(3, 20, share=0.5, alpha=0.1) or 0
    )


@pytest.mark.parametrize(("others", "share"), [(0, 0.5), (10, 0.0), (10, 1.0)])
def test_without_anybody_to_compare_with_there_is_no_bound(others: float, share: float) -> None:
    assert highest_ratio_of_rates(3, others, share=share, alpha=0.05) is None


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_among_equals_it_is_hardly_ever_wrong_at_any_look(share: float) -> None:
    """At most .05, and 2.9 standard errors."""
    random, wrong, courses = Random(7), 0, repeats(100, 300)
    for _ in range(courses):
        few = others = 0
        for look in range(1, 201):
            arm = random.random() < share
            few, others = few + arm, others + (not arm)
            bound = highest_ratio_of_rates(few, others, share=share, alpha=0.05) if look % 25 == 0 else None
            if bound is not None and bound < 1:
                wrong += 1
                break
    assert wrong / courses <= 0.05 + 2.9 * (0.05 * 0.95 / courses) ** 0.5


def test_a_mean_that_is_gone_against_one_of_hundreds() -> None:
    """By hand, on arXiv 2103.06476, eq. 9: v = 1,500 (5.9914645 + log 6.9914645) / 5,000 = 2.3808, so the sequence is
    √(1.42003 · (log 3.3808 + 5.9914645)) = 3.2003 standard errors wide. With a spread of 2 and
    √(1/500 + 1/1,000) = .0547723 the others may be 35.056% too high: .01 / (2 · .64944) = .0076990."""
    bound = highest_ratio_of_means(
        Counted(units=1_000, mean=0.01),
        Counted(units=500, mean=2.0),
        spread=2.0,
        alpha=0.05,
        tuned_for_units=5_000,
        minimum_events=10,
    )
    assert bound == pytest.approx(0.0076990, rel=1e-3)


@pytest.mark.parametrize(
    ("few", "others", "spread"),
    [
        pytest.param(Counted(units=1_000, mean=0.0), Counted(units=20, mean=2.0), 2.0, id="five events behind it"),
        pytest.param(Counted(units=1_000, mean=0.0), Counted(units=100, mean=2.0), 3.0, id="wider than the mean"),
        pytest.param(Counted(units=1_000, mean=0.0), Counted(units=500, mean=0.0), 2.0, id="nothing to compare with"),
        pytest.param(Counted(units=0, mean=0.0), Counted(units=500, mean=2.0), 2.0, id="nobody"),
        pytest.param(Counted(units=1_000, mean=-1.0), Counted(units=500, mean=2.0), 2.0, id="losses"),
    ],
)
def test_no_bound_of_a_mean_where_the_others_say_too_little(few: Counted, others: Counted, spread: float) -> None:
    bound = highest_ratio_of_means(few, others, spread=spread, alpha=0.05, tuned_for_units=5_000, minimum_events=10)
    assert bound is None


def test_among_equals_the_bound_of_means_is_hardly_ever_below_one_at_any_look() -> None:
    """Orders of a skewed worth in one of ten units, as of the first look; at most .05 and 2.9 standard errors."""
    random, wrong, courses = np.random.default_rng(11), 0, repeats(100, 300)
    for _ in range(courses):
        orders = random.random(4_000) < 0.1
        worth = np.where(orders, random.lognormal(0.0, 1.0, 4_000), 0.0)
        few = random.random(4_000) < 0.95
        for look in range(1_000, 4_001, 250):
            arm, others = worth[:look][few[:look]], worth[:look][~few[:look]]
            bound = highest_ratio_of_means(
                Counted(units=arm.size, mean=float(arm.mean())),
                Counted(units=others.size, mean=float(others.mean())),
                spread=float(others.std(ddof=1) / others.mean()) if others.any() else 1e9,
                alpha=0.05,
                tuned_for_units=5_000,
                minimum_events=10,
            )
            if bound is not None and bound < 1:
                wrong += 1
                break
    assert wrong / courses <= 0.05 + 2.9 * (0.05 * 0.95 / courses) ** 0.5
