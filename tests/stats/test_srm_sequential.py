"""Sequential sample ratio: another implementation's mass functions, degenerate counts, any-look error and power."""

from __future__ import annotations

from math import exp, inf, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, dirichlet_multinomial, multinomial

from analysis.estimate import SMALLEST_P, SequentialRatio, Undefined
from analysis.quality.srm_sequential import (
    SequentialSampleRatio,
    concentration_for,
    log_evidence,
    sequential_ratio,
    sequential_sample_ratio,
    together,
)


def ratio(
    counts: list[tuple[int, ...]], weights: tuple[float, ...], concentration: float = 10_000.0
) -> SequentialSampleRatio:
    found = sequential_sample_ratio(counts, weights, concentration=concentration)
    assert isinstance(found, SequentialSampleRatio)
    return found


@pytest.mark.parametrize(
    ("counts", "shares", "concentration"),
    [
        # Kohavi, Tang & Xu (2020), chapter 21.
        pytest.param((821_588, 815_482), (0.5, 0.5), 10_000.0, id="Kohavi"),
        pytest.param((310, 98, 115), (0.6, 0.2, 0.2), 100.0, id="6:2:2"),
        pytest.param((1000, 1200), (0.5, 0.5), 500.0, id="1000:1200"),
        pytest.param((7, 0, 0, 1), (0.1, 0.2, 0.3, 0.4), 4.0, id="empty arms"),
    ],
)
def test_it_is_the_ratio_of_two_mass_functions(
    counts: tuple[int, ...], shares: tuple[float, ...], concentration: float
) -> None:
    """Dirichlet-multinomial over multinomial, both of scipy (Lindon & Malek 2022)."""
    mixed = dirichlet_multinomial.logpmf(counts, concentration * np.array(shares), sum(counts))
    plain = multinomial.logpmf(counts, sum(counts), shares)
    assert float(log_evidence(counts, shares, concentration)) == pytest.approx(mixed - plain, abs=1e-6)


def test_two_units_by_hand() -> None:
    """Concentration 2 at 1:1 is a uniform rate: P(both in one arm) 1/3 against 1/4, P(one each, in order) 1/6."""
    assert np.exp(log_evidence([[2, 0], [0, 2], [1, 1], [1, 0]], [1, 1], 2.0)) == pytest.approx(
        [4 / 3, 4 / 3, 2 / 3, 1]
    )


def test_kohavi_is_found_at_one_in_a_thousand() -> None:
    """χ² 22.8, p 1.8e-06 at one planned look; at any look the price of not having planned is a factor of about 90."""
    assert 1.8e-06 < ratio([(821_588, 815_482)], (1, 1)).p_value < 0.001


def test_the_p_value_so_far_never_rises() -> None:
    found = ratio([(500, 500), (1_300, 900), (2_000, 1_950)], (1, 1), 500.0)
    assert found.p_values[0] == 1.0
    assert found.p_values[1] == found.p_values[2] == found.p_value
    assert found.p_value == pytest.approx(exp(-found.log_evidence[1]))
    assert found.log_evidence[2] < found.log_evidence[1]


weightings = st.lists(st.floats(0.01, 100), min_size=2, max_size=5)


@given(weightings, st.floats(0.1, 10), st.randoms(use_true_random=False), st.floats(1, 1e5))
def test_neither_scale_nor_order_of_the_weights_matters(
    weights: list[float], factor: float, random: object, concentration: float
) -> None:
    counts = [random.randrange(2_000) for _ in weights]  # type: ignore[attr-defined]
    order = random.sample(range(len(weights)), len(weights))  # type: ignore[attr-defined]
    here = float(log_evidence(counts, weights, concentration))
    there = log_evidence([counts[i] for i in order], [factor * weights[i] for i in order], concentration)
    assert float(there) == pytest.approx(here, abs=1e-6, rel=1e-6)


@given(weightings, st.integers(0, 10**9))
def test_a_split_that_is_met_is_never_evidence(weights: list[float], units: int) -> None:
    counts = np.array(weights) / sum(weights) * units
    assert float(log_evidence(counts, weights, 10_000.0)) <= 1e-6


def test_arms_of_weight_zero_take_no_part() -> None:
    """A unit in one of them is an alarm of its own, not of this test."""
    assert ratio([(550, 450, 0)], (1, 1, 0), 100.0) == ratio([(550, 450, 9)], (1, 1, 0), 100.0)
    assert ratio([(550, 450, 0)], (1, 1, 0), 100.0) == ratio([(550, 450)], (1, 1), 100.0)


@pytest.mark.parametrize(
    ("counts", "weights", "reason"),
    [
        ([(5, 0)], (1, 0), "one_arm"),
        ([(5, 0)], (0, 0), "one_arm"),
        ([(5,)], (1,), "one_arm"),
        ([], (1, 1), "no_units"),
    ],
)
def test_what_cannot_be_tested_is_named(counts: list[tuple[int, ...]], weights: tuple[float, ...], reason: str) -> None:
    found = sequential_sample_ratio(counts, weights)
    assert isinstance(found, Undefined)
    assert found.reason == reason


def test_no_units_are_no_evidence_and_p_does_not_underflow() -> None:
    assert ratio([(0, 0)], (1, 1)).log_evidence == (pytest.approx(0.0),)
    assert ratio([(0, 0)], (1, 1)).p_value == 1.0
    assert ratio([(10**9, 0)], (1, 1)).p_value == SMALLEST_P


@pytest.mark.parametrize(
    ("counts", "weights", "concentration"),
    [
        ([1, 1], [1, -1], 10.0),
        ([1, 1], [0, 0], 10.0),
        ([1, 1], [1, inf], 10.0),
        ([1, 1], [1, 1], 0.0),
        ([1, 1], [1, 1], inf),
        ([1, -1], [1, 1], 10.0),
        ([1, float("nan")], [1, 1], 10.0),
        ([1, 1, 1], [1, 1], 10.0),
    ],
)
def test_nonsense_is_refused(counts: list[float], weights: list[float], concentration: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        log_evidence(counts, weights, concentration)


def test_the_evidence_of_cells_multiplies() -> None:
    """600:400 and 400:600 cancel in the sum, not here; a sound cell weakens a broken one."""
    up, down = ratio([(55, 45), (600, 400)], (1, 1), 200.0), ratio([(45, 55), (400, 600)], (1, 1), 200.0)
    both = together([up, down])
    assert isinstance(both, SequentialSampleRatio)
    assert both.log_evidence == pytest.approx([a + b for a, b in zip(up.log_evidence, down.log_evidence, strict=True)])
    assert both.p_value == pytest.approx(up.p_value * down.p_value)
    nothing = together([])
    assert isinstance(nothing, Undefined)
    assert nothing.reason == "no_units"
    with pytest.raises(ValueError, match="inhomogeneous"):
        together([up, ratio([(1, 1)], (1, 1))])


@given(
    st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 50)), min_size=1, max_size=4),
    st.floats(1, 1e5),
)
def test_a_scope_at_one_look_is_the_sum_of_its_cells(cells: list[tuple[int, int, int]], concentration: float) -> None:
    """In plain floats as in arrays; cells in which one arm is offered tell nothing."""
    weights = [(1.0, 2.0, 0.5), (1.0, 1.0, 0.0), (3.0, 1.0, 1.0), (0.0, 2.0, 0.0)]
    scope = list(zip(cells, weights, strict=False))
    found = sequential_ratio(scope, concentration)
    assert isinstance(found, SequentialRatio)
    expected = sum(
        float(log_evidence(counts, weight, concentration)) for counts, weight in scope if np.count_nonzero(weight) > 1
    )
    assert found.log_evidence == pytest.approx(expected, rel=1e-9, abs=1e-5)
    assert found.p_value == max(exp(-max(found.log_evidence, 0.0)), SMALLEST_P)


def test_a_scope_without_two_arms_or_units() -> None:
    nothing = sequential_ratio([((5, 0), (1, 0))], 100.0)
    assert isinstance(nothing, Undefined)
    assert nothing.reason == "one_arm"
    assert sequential_ratio([], 100.0) == nothing
    assert sequential_ratio([((0, 0), (1, 1))], 100.0) == SequentialRatio(
        log_evidence=pytest.approx(0.0, abs=1e-12), p_value=1.0
    )


@pytest.mark.parametrize(("alpha", "tuned_for"), [(0.01, 10_000), (0.001, 100_000)])
def test_the_concentration_is_best_where_it_is_tuned(alpha: float, tuned_for: int) -> None:
    """Of several, the smallest mismatch that is found at that number of units."""

    def smallest(concentration: float) -> int:
        excesses = np.arange(0, tuned_for // 10)
        counts = np.stack([tuned_for // 2 + excesses, tuned_for // 2 - excesses], axis=1)
        return int((log_evidence(counts, [1, 1], concentration) < -log(alpha)).sum())

    best = concentration_for(alpha, tuned_for)
    assert all(smallest(best) <= smallest(best * factor) for factor in (0.25, 0.5, 2, 4))
    with pytest.raises(ValueError, match="no error rate"):
        concentration_for(1.0, 100)
    with pytest.raises(ValueError, match="no error rate"):
        concentration_for(0.01, 0)


@pytest.mark.parametrize("weights", [(1, 1), (5, 3, 2), (90, 9, 1)], ids=str)
def test_sixty_daily_looks(weights: tuple[float, ...]) -> None:
    """α .01, S = 10,000: any-look error ≤ .0128; looking at a chi-square p-value as often errs in more than .08."""
    runs, per_day, rng, shares = 10_000, 1_000, np.random.default_rng(41), np.array(weights) / sum(weights)
    counts = rng.multinomial(per_day, shares, size=(runs, 60)).cumsum(axis=1)
    found = log_evidence(counts, weights, concentration_for(0.01, 60 * per_day)).max(axis=1)
    assert (found >= -log(0.01)).mean() <= 0.0128
    expected = shares * counts.sum(axis=-1, keepdims=True)
    naive = ((counts - expected) ** 2 / expected).sum(axis=-1) > chi2.isf(0.01, len(weights) - 1)
    assert naive.any(axis=1).mean() > 0.08


def test_a_point_off_is_found() -> None:
    """51:49 in daily thousands, α .01, S = 2,000: by 100,000 units in .99; found at 50,000 in most."""
    runs, rng = 2_000, np.random.default_rng(43)
    counts = rng.multinomial(1_000, [0.51, 0.49], size=(runs, 100)).cumsum(axis=1)
    found = log_evidence(counts, [1, 1], concentration_for(0.01, 100_000)) >= -log(0.01)
    assert found.any(axis=1).mean() >= 0.99 - 4 * sqrt(0.99 * 0.01 / runs)
    assert found[:, :50].any(axis=1).mean() > 0.7
