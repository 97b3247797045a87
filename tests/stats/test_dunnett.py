"""Dunnett's test: his tables, scipy's simulation of the same law, Student's t for one treatment, error rates."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.effects.arms import ArmValue
from analysis.effects.means import critical_value
from analysis.estimate import SMALLEST_P, Undefined
from analysis.inference.dunnett import Alternative, ManyToOne, dunnett_critical, dunnett_p, many_to_one, pooled
from analysis.moments import Moments
from tests.stats.builders import moments_of

EQUAL = sqrt(0.5)
loadings = st.lists(st.floats(0, 0.99), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("alternative", "expected"),
    [
        ("two_sided", [1.95996, 2.21213, 2.34897, 2.44177, 2.51146, 2.56700]),
        ("greater", [1.64485, 1.91633, 2.06208, 2.16033, 2.23382, 2.29219]),
    ],
)
def test_critical_values_for_one_to_six_treatments(alternative: Alternative, expected: list[float]) -> None:
    """5 %, infinite degrees of freedom, equal arms: Dunnett 1955 (one-sided) and 1964 (two-sided), more digits."""
    found = [dunnett_critical([EQUAL] * k, 0.05, alternative=alternative) for k in range(1, 7)]
    assert found == pytest.approx(expected, abs=6e-6)


@pytest.mark.parametrize(
    ("treatments", "freedom", "expected"), [(2, 5, 3.03), (3, 10, 2.76), (4, 20, 2.65), (2, 60, 2.27), (9, 30, 2.86)]
)
def test_critical_values_with_few_degrees_of_freedom(treatments: int, freedom: int, expected: float) -> None:
    """Dunnett, Biometrics 20 (1964), table II, two-sided 5 %, to the two decimals printed."""
    assert dunnett_critical([EQUAL] * treatments, 0.05, degrees_of_freedom=freedom) == pytest.approx(expected, abs=6e-3)


@pytest.mark.parametrize("alternative", ["two_sided", "greater", "less"])
def test_adjusted_p_values_and_intervals_are_those_of_scipy(alternative: Alternative) -> None:
    """scipy integrates the multivariate t by quasi-Monte Carlo: three digits. Unequal arms."""
    rng = np.random.default_rng(4)
    control, *treated = (rng.normal(mean, 2, n) for mean, n in ((0, 30), (1.2, 12), (0.4, 25), (-1.5, 40)))
    theirs = stats.dunnett(*treated, control=control, alternative=alternative.replace("_", "-"), random_state=rng)
    (base, *arms), freedom = pooled([moments_of(values) for values in (control, *treated)])
    assert isinstance(base, ArmValue)
    ours = many_to_one(base, arms, alpha=0.05, degrees_of_freedom=freedom, alternative=alternative)
    interval = theirs.confidence_interval(confidence_level=0.95)
    for one, statistic, p, low, high in zip(
        ours, theirs.statistic, theirs.pvalue, interval.low, interval.high, strict=True
    ):
        assert isinstance(one, ManyToOne)
        assert one.difference / one.std_error == pytest.approx(statistic, rel=1e-12)
        assert one.p_value == pytest.approx(p, abs=1e-3)
        assert (one.interval.low, one.interval.high) == pytest.approx((low, high), abs=0.02)


@pytest.mark.parametrize("freedom", [1, 4, 37, 1e6, inf])
@pytest.mark.parametrize("statistic", [0.0, 0.7, 3.0, 12.0])
def test_one_treatment_alone_is_students_t(statistic: float, freedom: float) -> None:
    expected = 2 * float(stats.t.sf(statistic, freedom))
    assert dunnett_p(statistic, [0.6], degrees_of_freedom=freedom) == pytest.approx(expected, rel=1e-10)
    below = dunnett_p(-statistic, [0.6], degrees_of_freedom=freedom, alternative="greater")
    assert below == pytest.approx(1 - expected / 2, rel=1e-10)


@given(st.floats(0, 8), st.integers(1, 6))
def test_without_a_common_control_it_is_sidak(statistic: float, treatments: int) -> None:
    alone = 2 * float(stats.norm.sf(statistic))
    assert dunnett_p(statistic, [0.0] * treatments) == pytest.approx(
        -float(np.expm1(treatments * np.log1p(-alone))) if alone < 1 else 1.0, rel=1e-9
    )


@settings(deadline=None, max_examples=15)
@given(loadings, st.sampled_from([3.0, 12.0, inf]), st.sampled_from(["two_sided", "greater"]))
def test_between_one_comparison_and_bonferroni(common: list[float], freedom: float, alternative: Alternative) -> None:
    found = dunnett_critical(common, 0.05, degrees_of_freedom=freedom, alternative=alternative)
    tail = 0.05 if alternative == "two_sided" else 0.1
    assert critical_value(tail, freedom) <= found * (1 + 1e-5)
    assert found <= critical_value(tail / len(common), freedom) * (1 + 1e-5)
    p = dunnett_p(found, common, degrees_of_freedom=freedom, alternative=alternative)
    assert p == pytest.approx(0.05, rel=1e-6)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-3, 3), min_size=1, max_size=4), st.floats(0.05, 5), st.floats(0.05, 5))
def test_p_below_alpha_exactly_when_the_interval_leaves_out_zero(
    values: list[float], control_variance: float, variance: float
) -> None:
    control, *arms = (_arm(0.0, control_variance), *(_arm(3 * value, variance) for value in values))
    for one in many_to_one(control, arms, alpha=0.05):
        assert isinstance(one, ManyToOne)
        if abs(one.p_value - 0.05) > 1e-7:
            assert (one.p_value < 0.05) == (one.interval.low > 0 or one.interval.high < 0)


def _arm(value: float, variance: float) -> ArmValue:
    return ArmValue(value=value, variance=variance, degrees_of_freedom=inf)


def test_members_that_cannot_be_computed_still_count() -> None:
    """One of two treatments has nobody: the other is corrected for two, as if independent (Šidák)."""
    nobody = Undefined(reason="no_units", message="")
    found, missing = many_to_one(_arm(0, 1), [_arm(3, 1), nobody], alpha=0.05)
    assert isinstance(found, ManyToOne)
    assert missing is nobody
    assert found.p_value > dunnett_p(3 / sqrt(2), [EQUAL])
    assert found.p_value == pytest.approx(1 - (1 - 2 * float(stats.norm.sf(3 / sqrt(2)))) ** 2, rel=1e-9)


def test_arms_without_any_spread_are_undefined() -> None:
    (found,) = many_to_one(_arm(1, 0), [_arm(1, 0)], alpha=0.05)
    assert isinstance(found, Undefined)
    assert found.reason == "zero_variance"
    assert many_to_one(_arm(1, 1), [], alpha=0.05) == []


def test_pooling_counts_arms_of_one_and_of_nobody() -> None:
    arms, freedom = pooled([moments_of([1.0, 3.0]), moments_of([5.0]), Moments()])
    assert freedom == 1
    assert arms[0] == ArmValue(value=2.0, variance=1.0, degrees_of_freedom=1.0)
    assert arms[1] == ArmValue(value=5.0, variance=2.0, degrees_of_freedom=1.0)
    assert isinstance(arms[2], Undefined)
    alone, _ = pooled([moments_of([5.0]), Moments()])
    assert [one.reason for one in alone if isinstance(one, Undefined)] == ["one_unit", "no_units"]


def test_no_probability_is_zero() -> None:
    assert dunnett_p(1e6, [EQUAL] * 3) == SMALLEST_P
    assert dunnett_p(0.0, [EQUAL] * 3) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(
    ("common", "alpha", "freedom"), [([], 0.05, inf), ([1.2], 0.05, inf), ([0.5], 0.6, 3), ([0.5], 0.05, 0)]
)
def test_nonsense_is_refused(common: list[float], alpha: float, freedom: float) -> None:
    with pytest.raises(ValueError, match=r"loading|alpha|freedom"):
        dunnett_critical(common, alpha, degrees_of_freedom=freedom)


def test_family_wise_error_with_unequal_arms_by_simulation() -> None:
    runs, sizes, rng = 20_000, np.array([8, 5, 10, 20]), np.random.default_rng(3)
    means = rng.normal(size=(runs, 4)) / np.sqrt(sizes)
    freedom = int(sizes.sum() - 4)
    scale = np.sqrt(rng.chisquare(freedom, runs) / freedom)
    t = (means[:, 1:] - means[:, :1]) / np.sqrt(1 / sizes[1:] + 1 / sizes[0]) / scale[:, None]
    critical = dunnett_critical(list(np.sqrt(sizes[1:] / (sizes[1:] + sizes[0]))), 0.05, degrees_of_freedom=freedom)
    assert (np.abs(t).max(axis=1) > critical).mean() == pytest.approx(0.05, abs=4 * sqrt(0.05 * 0.95 / runs))
