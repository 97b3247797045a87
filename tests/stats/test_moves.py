"""Whether variants move units: beside statsmodels and Pearson, by rates under the null, and where it is silent."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, chi2_contingency
from statsmodels.stats.contingency_tables import StratifiedTable

from analysis.estimate import Undefined
from analysis.quality.moves import moving_differs


def test_two_variants_are_mantel_haenszel() -> None:
    units, moved = [[120, 95], [60, 140], [33, 20]], [[30, 31], [12, 40], [9, 3]]
    tables = [
        np.array([[gone, n - gone] for n, gone in zip(sizes, left, strict=True)])
        for sizes, left in zip(units, moved, strict=True)
    ]
    reference = StratifiedTable(tables).test_null_odds(correction=False)
    found = moving_differs(units, moved)
    assert found.chi_square == pytest.approx(reference.statistic)
    assert found.p_value == pytest.approx(reference.pvalue)
    assert found.degrees_of_freedom == 1


def test_one_stratum_is_pearsons_chi_square_less_a_unit() -> None:
    units, moved = [200, 180, 220, 90], [20, 31, 18, 12]
    table = np.array([moved, np.subtract(units, moved)])
    reference = chi2_contingency(table, correction=False)
    found = moving_differs([units], [moved])
    assert found.chi_square == pytest.approx(reference.statistic * 689 / 690)
    assert found.degrees_of_freedom == 3
    assert found.moved == (20, 31, 18, 12)
    assert found.expected == pytest.approx(reference.expected_freq[0])


def test_splits_that_differ_in_time_make_no_move() -> None:
    """Early, when few had b, everybody had more time to move: a tenth of all against a hundredth, whoever had what."""
    found = moving_differs([[9_000, 1_000], [1_000, 9_000]], [[900, 100], [10, 90]])
    assert found.chi_square == pytest.approx(0.0, abs=1e-12)


def test_under_the_null_it_errs_as_often_as_it_says() -> None:
    draw = np.random.default_rng(11)
    sizes = draw.integers(20, 120, size=(1_500, 5, 3))
    chance = draw.uniform(0.05, 0.4, size=(1_500, 5, 1))
    moved = draw.binomial(sizes, chance)
    p_values = [moving_differs(n.tolist(), gone.tolist()).p_value for n, gone in zip(sizes, moved, strict=True)]
    for level in (0.05, 0.2):
        low, high = binom.interval(0.999, 1_500, level)
        assert low <= sum(isinstance(p, float) and p < level for p in p_values) <= high


@pytest.mark.parametrize(
    ("units", "moved"),
    [
        pytest.param([[0, 0]], [[0, 0]], id="nobody"),
        pytest.param([[100, 100]], [[0, 0]], id="nobody moved"),
        pytest.param([[100, 100]], [[100, 100]], id="everybody moved"),
        pytest.param([[100, 100]], [[4, 4]], id="fewer than five are expected"),
        pytest.param([[100, 0], [80, 0]], [[20, 0], [20, 0]], id="one variant alone"),
        pytest.param([[100, 0], [0, 100]], [[20, 0], [0, 20]], id="never side by side"),
    ],
)
def test_where_nothing_can_be_compared_it_says_so(units: list[list[int]], moved: list[list[int]]) -> None:
    found = moving_differs(units, moved)
    assert isinstance(found.p_value, Undefined)
    assert found.p_value.reason == "too_few_moves"
    assert found.degrees_of_freedom == 0


def test_a_rare_variant_does_not_silence_the_others() -> None:
    found = moving_differs([[1_000, 1_000, 6]], [[100, 160, 1]])
    assert found.degrees_of_freedom == 1
    assert found.p_value == pytest.approx(moving_differs([[1_000, 1_000]], [[100, 160]]).p_value)


def test_who_took_part_is_told() -> None:
    assert moving_differs([[1_000, 1_000, 6]], [[100, 160, 1]]).took_part == (True, True, False)
