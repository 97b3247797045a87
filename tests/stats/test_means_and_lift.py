"""Welch, the delta method and Fieller: published numbers, identities with other methods, properties."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from analysis.effects.arms import ArmPair, ArmValue
from analysis.effects.lift import fieller, lift_value
from analysis.effects.means import (
    critical_value,
    mean_value,
    two_sided_p,
    wald_interval,
    welch_degrees_of_freedom,
)
from analysis.effects.ratios import ratio_value
from analysis.effects.strata import StratumPair, combine
from analysis.estimate import SMALLEST_P, Undefined
from analysis.moments import Moments
from tests.stats.builders import moments_of


def arm(moments: Moments) -> ArmValue:
    value = mean_value(moments)
    assert isinstance(value, ArmValue)
    return value


def from_sums(n: int, total: float, squares: float) -> ArmValue:
    mean = total / n
    return arm(Moments(n=n, mean=mean, m2=squares - n * mean * mean))


SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def test_welch_on_students_sleep_data() -> None:
    """`t.test(extra ~ group, data = sleep)` in R's documentation."""
    pair = ArmPair(treatment=arm(moments_of(SLEEP_1)), baseline=arm(moments_of(SLEEP_2)))
    t, freedom = pair.difference / sqrt(pair.variance), welch_degrees_of_freedom(pair)
    assert t == pytest.approx(-1.86081, rel=4e-6)
    assert freedom == pytest.approx(17.7765, rel=4e-6)
    assert two_sided_p(t, freedom) == pytest.approx(0.0793941, rel=4e-6)
    assert wald_interval(pair, critical_value(0.05, freedom)) == pytest.approx((-3.36548, 0.205483), rel=4e-6)


GBSTATS = ArmPair(treatment=from_sums(3461, 2422.7, 134698.29), baseline=from_sums(3407, 1396.87, 52377.9767))


def test_welch_on_the_spend_of_gbstats() -> None:
    """Sums and difference from gbstats' own tests (`SampleMeanStatistic`)."""
    freedom = welch_degrees_of_freedom(GBSTATS)
    assert GBSTATS.difference == pytest.approx(0.290000, rel=4e-6)
    assert sqrt(GBSTATS.variance) == pytest.approx(0.124784, rel=4e-6)
    assert freedom == pytest.approx(5841.74, rel=4e-6)
    assert two_sided_p(GBSTATS.difference / sqrt(GBSTATS.variance), freedom) == pytest.approx(0.0201584, rel=4e-6)
    interval = wald_interval(GBSTATS, critical_value(0.05, freedom))
    assert interval == pytest.approx((0.0453779, 0.534622), rel=4e-6)


def test_fieller_on_the_spend_of_gbstats() -> None:
    """[.0940620, 1.70869]: arithmetic from Fieller's formula on the same sums."""
    critical = critical_value(0.05, welch_degrees_of_freedom(GBSTATS))
    assert fieller(GBSTATS, critical) == pytest.approx((0.0940620, 1.70869), rel=4e-6)


def test_p_values_do_not_underflow() -> None:
    """P(|Z| ≥ 37) = 2·5.7e-300 (Mills' ratio: φ(37)/37·(1 - 1/37²)); beyond the floats, their smallest."""
    mills = np.exp(-(37.0**2) / 2) / sqrt(2 * np.pi) / 37 * (1 - 1 / 37**2)
    assert two_sided_p(37.0, inf) == pytest.approx(2 * mills, rel=1e-5)
    assert two_sided_p(1e6, inf) == SMALLEST_P > 0


# values of an arm that are far from the limits of floats
values = st.floats(0.01, 1e4)
relative_errors = st.floats(1e-4, 2)


@st.composite
def pairs(draw: st.DrawFn) -> ArmPair:
    def one() -> ArmValue:
        value, error = draw(values), draw(relative_errors)
        return ArmValue(value=value, variance=(value * error) ** 2, degrees_of_freedom=draw(st.floats(1, 1e6)))

    return ArmPair(treatment=one(), baseline=one())


@given(pairs(), st.sampled_from([0.001, 0.05, 0.2]))
def test_p_below_alpha_exactly_when_difference_and_lift_leave_out_zero(pair: ArmPair, alpha: float) -> None:
    freedom = welch_degrees_of_freedom(pair)
    critical = critical_value(alpha, freedom)
    p = two_sided_p(pair.difference / sqrt(pair.variance), freedom)
    assume(abs(p - alpha) > 1e-9)
    low, high = wald_interval(pair, critical)
    assert (low > 0 or high < 0) == (p < alpha)
    lift = fieller(pair, critical)
    if not isinstance(lift, Undefined):
        assert (lift[0] > 0 or lift[1] < 0) == (p < alpha)
        assert lift[0] <= lift_value(pair) <= lift[1]


@given(pairs())
def test_fieller_ends_are_where_its_test_turns(pair: ArmPair) -> None:
    lift = fieller(pair, 1.96)
    assume(not isinstance(lift, Undefined))
    assert not isinstance(lift, Undefined)
    for end in lift:
        ratio = 1 + end
        variance = pair.treatment.variance + ratio * ratio * pair.baseline.variance
        distance = abs(pair.treatment.value - ratio * pair.baseline.value)
        assert distance == pytest.approx(1.96 * sqrt(variance), rel=1e-4, abs=1e-9 * pair.treatment.value)


@pytest.mark.parametrize(
    ("baseline", "error", "reason"),
    [
        pytest.param(0.0, 0.1, "baseline_not_positive", id="zero"),
        pytest.param(-1.0, 0.1, "baseline_not_positive", id="negative"),
        pytest.param(1.0, 0.6, "unbounded", id="not significantly above zero"),
    ],
)
def test_lifts_that_do_not_exist(baseline: float, error: float, reason: str) -> None:
    pair = ArmPair(
        treatment=ArmValue(value=2.0, variance=0.01, degrees_of_freedom=inf),
        baseline=ArmValue(value=baseline, variance=error * error, degrees_of_freedom=inf),
    )
    found = fieller(pair, 1.96)
    assert isinstance(found, Undefined)
    assert found.reason == reason


def test_delta_method_is_the_cluster_robust_regression() -> None:
    """Deng et al., KDD 2018: the ratio's standard error is the cluster-robust one of event-level OLS on a constant.

    statsmodels' CR0 (no small-sample correction) divides by n where the delta method divides by n - 1.
    """
    rng = np.random.default_rng(20180819)
    n = 400
    events = rng.poisson(3, n) + 1
    rate = rng.beta(2, 5, n)
    unit = np.repeat(np.arange(n), events)
    clicked = rng.random(unit.size) < rate[unit]
    fit = sm.OLS(clicked.astype(float), np.ones(unit.size)).fit(
        cov_type="cluster", cov_kwds={"groups": unit, "use_correction": False, "df_correction": False}, use_t=False
    )
    clicks = np.bincount(unit, weights=clicked, minlength=n)
    value = ratio_value(moments_of(clicks, events))
    assert isinstance(value, ArmValue)
    assert value.value == pytest.approx(fit.params[0], rel=1e-12)
    assert sqrt(value.variance) == pytest.approx(fit.bse[0] * sqrt(n / (n - 1)), rel=1e-12)


def test_one_stratum_is_itself() -> None:
    pair = ArmPair(treatment=arm(moments_of(SLEEP_1)), baseline=arm(moments_of(SLEEP_2)))
    assert combine([StratumPair(weight=20, pair=pair)]) == pair


def test_two_strata_by_hand() -> None:
    """Weights 1:3: value .25·2 + .75·10 = 8, variance .0625·.16 + .5625·.32 = .19, df .19²/(.01²/4 + .18²/9)."""
    first = ArmValue(value=2.0, variance=0.16, degrees_of_freedom=4)
    second = ArmValue(value=10.0, variance=0.32, degrees_of_freedom=9)
    combined = combine(
        [
            StratumPair(weight=100, pair=ArmPair(treatment=first, baseline=first)),
            StratumPair(weight=300, pair=ArmPair(treatment=second, baseline=second)),
        ]
    )
    assert combined.treatment.value == pytest.approx(8.0)
    assert combined.treatment.variance == pytest.approx(0.19)
    assert combined.treatment.degrees_of_freedom == pytest.approx(0.0361 / (0.0001 / 4 + 0.0324 / 9))


def test_means_of_a_hundred_million_with_a_spread_of_one() -> None:
    """scipy's two-sample t on the same data; raw sums of squares have no digit left here."""
    rng = np.random.default_rng(8)
    treatment, baseline = rng.normal(1e8, 1, 5000), rng.normal(1e8, 1, 4000)
    pair = ArmPair(treatment=arm(moments_of(treatment)), baseline=arm(moments_of(baseline)))
    expected = stats.ttest_ind(treatment - 1e8, baseline - 1e8, equal_var=False, alternative="two-sided")
    assert pair.difference / sqrt(pair.variance) == pytest.approx(expected.statistic, rel=1e-5)
