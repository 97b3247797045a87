"""The engine beside gbstats. Every known difference has a test of its own, with the reason."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis.effects.arms import ArmPair, ArmValue
from analysis.effects.cuped import adjust, cross_moments
from analysis.effects.means import welch_degrees_of_freedom
from analysis.estimate import Undefined
from analysis.inference import sequential
from analysis.moments import Moments
from analysis.plan import Cell
from analysis.report import build
from tests.peers.tables import Arm, Tables, bounded, compared, ends, number, tables
from tests.stats.builders import comparison, conversions, metric, one_segment, plan, segment, table

frequentist = pytest.importorskip("gbstats.frequentist.tests")
bayesian = pytest.importorskip("gbstats.bayesian.tests")
statistics = pytest.importorskip("gbstats.models.statistics")
utils = pytest.importorskip("gbstats.utils")

MEAN = metric(kind="mean")


def mean_of(x: np.ndarray[Any, Any]) -> Any:
    return statistics.SampleMeanStatistic(n=len(x), sum=float(x.sum()), sum_squares=float(x @ x))


def ratio_of(arm: Arm) -> Any:
    return statistics.RatioStatistic(
        n=arm.n, m_statistic=mean_of(arm.x), d_statistic=mean_of(arm.y), m_d_sum_of_products=float(arm.x @ arm.y)
    )


def adjusted_of(arm: Arm) -> Any:
    return statistics.RegressionAdjustedStatistic(
        n=arm.n,
        post_statistic=mean_of(arm.x),
        pre_statistic=mean_of(arm.before),
        post_pre_sum_of_products=float(arm.x @ arm.before),
        theta=0.0,
    )


def welch(baseline: Any, treatment: Any, difference_type: str = "absolute") -> Any:
    return frequentist.TwoSidedTTest(
        baseline, treatment, frequentist.FrequentistConfig(alpha=0.05, difference_type=difference_type)
    )


def scale_of(found: Tables) -> float:
    return float(max(np.abs(found.treatment.x).max(), np.abs(found.baseline.x).max()))


@bounded
@given(tables())
def test_means(found: Tables) -> None:
    """Difference, standard error, Welch's p-value and interval."""
    ours = compared("mean", found)
    test = welch(mean_of(found.baseline.x), mean_of(found.treatment.x))
    theirs = test.compute_result()
    assert ours.difference.value == pytest.approx(theirs.expected, rel=1e-7, abs=1e-11 * scale_of(found))
    assert ours.difference.std_error == pytest.approx(theirs.uplift.stddev, rel=1e-8)
    assert ours.p_value == pytest.approx(theirs.p_value, rel=1e-5, abs=1e-12)
    assert ends(ours.difference.fixed) == pytest.approx(theirs.ci, rel=1e-6, abs=1e-10 * scale_of(found))


@bounded
@given(tables())
def test_ratios(found: Tables) -> None:
    """The delta method over units, with Welch's degrees of freedom."""
    ours = compared("ratio", found)
    theirs = welch(ratio_of(found.baseline), ratio_of(found.treatment)).compute_result()
    assert ours.difference.value == pytest.approx(theirs.expected, rel=1e-7, abs=1e-11 * scale_of(found))
    assert ours.difference.std_error == pytest.approx(theirs.uplift.stddev, rel=1e-7)
    assert ours.p_value == pytest.approx(theirs.p_value, rel=1e-5, abs=1e-12)
    assert ends(ours.difference.fixed) == pytest.approx(theirs.ci, rel=1e-6, abs=1e-10 * scale_of(found))


@bounded
@given(tables(), st.integers(500, 20_000))
def test_confidence_sequences(found: Tables, tuned_for: int) -> None:
    """Waudby-Smith et al., eq. 9 and 155, with the same tuning: interval and p-value at every look."""
    ours = compared("mean", found, tuned_for_units=tuned_for)
    assume(not isinstance(ours.difference.always_valid, Undefined))
    theirs = frequentist.SequentialTwoSidedTTest(
        mean_of(found.baseline.x),
        mean_of(found.treatment.x),
        frequentist.SequentialConfig(
            alpha=0.05, difference_type="absolute", sequential_tuning_parameter=float(tuned_for)
        ),
    ).compute_result()
    assert ends(ours.difference.always_valid) == pytest.approx(theirs.ci, rel=1e-6, abs=1e-10 * scale_of(found))
    assert ours.p_value_always_valid == pytest.approx(theirs.p_value, rel=1e-5)


@bounded
@given(st.integers(1, 10**7), st.integers(200, 50_000))
def test_the_tuning_of_confidence_sequences(units: int, tuned_for: int) -> None:
    rho = sequential.mixture_scale(0.05, tuned_for)
    half = statistics.SampleMeanStatistic(n=units, sum=0.0, sum_squares=float(units - 1))
    test = frequentist.SequentialTwoSidedTTest(
        half,
        half,
        frequentist.SequentialConfig(
            alpha=0.05, difference_type="absolute", sequential_tuning_parameter=float(tuned_for)
        ),
    )
    assert rho == pytest.approx(float(test.rho), rel=1e-12)
    assume(units > 1)
    width = test.confidence_interval[1]
    assert sequential.multiplier(2 * units, 0.05, rho) * sqrt(2 / units) == pytest.approx(width, rel=1e-9)


@bounded
@given(st.lists(st.integers(500, 5_000), min_size=2, max_size=5))
def test_sample_ratio_where_every_arm_is_meant_to_receive_units(observed: list[int]) -> None:
    names = "abcde"[: len(observed)]
    moments = {(1, "all", name): {"visits": conversions(n // 2, n)} for name, n in zip(names, observed, strict=True)}
    ours = segment(build(plan(variants=names), table(moments))).srm
    assert ours.p_value == pytest.approx(utils.check_srm(observed, [1.0] * len(observed)), rel=1e-9)


@bounded
@given(tables())
def test_chance_to_win_with_a_flat_prior_is_the_one_sided_normal_p_value(found: Tables) -> None:
    """Theirs is of the lift by the delta method: Φ(lift / its standard error), both of which we report."""
    ours = compared("mean", found).lift
    theirs = bayesian.EffectBayesianABTest(
        mean_of(found.baseline.x), mean_of(found.treatment.x), bayesian.EffectBayesianConfig(difference_type="relative")
    ).compute_result()
    expected = scipy.stats.norm.cdf(number(ours.value) / number(ours.std_error))
    assert theirs.chance_to_win == pytest.approx(float(expected), rel=1e-6)


@bounded
@given(tables())
def test_known_difference_lift_intervals(found: Tables) -> None:
    """Theirs is the delta method's, symmetric; ours is Fieller's, which leaves out 0 exactly when p < alpha.

    Value and standard error are the same, so theirs is rebuilt from ours.
    """
    ours = compared("mean", found)
    assume(not isinstance(ours.lift.fixed, Undefined))
    theirs = welch(mean_of(found.baseline.x), mean_of(found.treatment.x), "relative").compute_result()
    assert ours.lift.value == pytest.approx(theirs.expected, rel=1e-7, abs=1e-10)
    assert ours.lift.std_error == pytest.approx(theirs.uplift.stddev, rel=1e-7)
    low, high = ends(ours.lift.fixed)
    assert high - number(ours.lift.value) > number(ours.lift.value) - low
    assert theirs.ci[1] - theirs.expected == pytest.approx(theirs.expected - theirs.ci[0])


def test_known_difference_a_lift_interval_that_contradicts_the_test_of_the_difference() -> None:
    """Delta method at 40 units an arm: the difference has p < .05, its lift's interval reaches below 0."""
    baseline, treatment = Moments(n=40, mean=1.0, m2=39 * 1.0), Moments(n=40, mean=1.65, m2=39 * 2.9)
    ours = comparison(segment(one_segment({"a": baseline, "b": treatment}, min_units=20, metrics=(MEAN,))))
    assert number(ours.p_value) < 0.05
    assert ends(ours.lift.fixed)[0] > 0
    sums = [
        statistics.SampleMeanStatistic(n=40, sum=40 * one.mean, sum_squares=one.m2 + 40 * one.mean**2)
        for one in (baseline, treatment)
    ]
    assert welch(*sums).compute_result().p_value == pytest.approx(number(ours.p_value), rel=1e-9)
    relative = welch(sums[0], sums[1], difference_type="relative").compute_result()
    assert relative.ci[0] < 0
    assert relative.p_value > 0.05


@bounded
@given(st.integers(100, 2_000), st.integers(100, 2_000), st.integers(5, 50), st.integers(5, 50))
def test_known_difference_proportions(n1: int, n0: int, x1: int, x0: int) -> None:
    """Theirs is a t-test on Wald's variance; ours is the score test, right for few conversions. Wald's scale agrees."""
    ours = comparison(segment(one_segment({"a": conversions(x0, n0), "b": conversions(x1, n1)}, min_conversions=0)))
    test = welch(statistics.ProportionStatistic(n=n0, sum=x0), statistics.ProportionStatistic(n=n1, sum=x1))
    theirs = test.compute_result()
    assert ours.difference.value == pytest.approx(theirs.expected, rel=1e-9, abs=1e-15)
    assert ours.difference.std_error == pytest.approx(theirs.uplift.stddev, rel=1e-9)
    assume(x1 * n0 != x0 * n1)
    assert ours.p_value != pytest.approx(theirs.p_value, rel=1e-9, abs=0)


def test_known_difference_no_conversion_in_the_control() -> None:
    """0/100 against 5/100: theirs is p = 1 and the interval (0, 0); ours is the score test."""
    ours = comparison(segment(one_segment({"a": conversions(0, 100), "b": conversions(5, 100)}, min_conversions=0)))
    theirs = welch(
        statistics.ProportionStatistic(n=100, sum=0), statistics.ProportionStatistic(n=100, sum=5)
    ).compute_result()
    assert (theirs.p_value, theirs.ci) == (1, [0, 0])
    assert number(ours.p_value) == pytest.approx(0.0241, abs=5e-4)
    low, high = ends(ours.difference.fixed)
    assert 0 < low < 0.05 < high


def test_known_difference_nobody_differs() -> None:
    """A mean of 1 against one of 2 without any spread: theirs is p = 1, ours a named refusal."""
    flat = {"a": Moments(n=100, mean=1.0), "b": Moments(n=100, mean=2.0)}
    ours = comparison(segment(one_segment(flat, metrics=(MEAN,))))
    theirs = welch(
        statistics.SampleMeanStatistic(n=100, sum=100, sum_squares=100),
        statistics.SampleMeanStatistic(n=100, sum=200, sum_squares=400),
    ).compute_result()
    assert theirs.p_value == 1
    assert isinstance(ours.p_value, Undefined)
    assert ours.p_value.reason == "zero_variance"


def test_known_difference_large_means_lose_their_variance() -> None:
    """Mean 1e8, sd 1: raw sums of squares have no digit left for the spread; centred ones have all."""
    values = 1e8 + np.random.default_rng(8).normal(0, 1, 1_000)
    shifted = values - 1e8
    arm = Arm(x=values, y=np.ones(1_000), before=np.zeros(1_000))
    ours = compared("mean", Tables(treatment=arm, baseline=arm))
    assert ours.difference.std_error == pytest.approx(sqrt(2 * shifted.var(ddof=1) / 1_000), rel=1e-6)
    assert mean_of(values).variance != pytest.approx(shifted.var(ddof=1), rel=0.1)


def test_known_difference_p_values_underflow() -> None:
    """`2 * (1 - cdf)` is 0.0 from 8.3 standard errors on; a survival function is not."""
    arms = {"a": Moments(n=5_000, mean=1.0, m2=4_999.0), "b": Moments(n=5_000, mean=1.3, m2=4_999.0)}
    ours = comparison(segment(one_segment(arms, metrics=(MEAN,))))
    sums = [
        statistics.SampleMeanStatistic(n=5_000, sum=5_000 * mean, sum_squares=4_999.0 + 5_000 * mean**2)
        for mean in (1.0, 1.3)
    ]
    assert welch(*sums).compute_result().p_value == 0.0
    assert 1e-60 < number(ours.p_value) < 1e-40


def test_known_difference_arms_that_must_receive_nobody() -> None:
    """550/450/0 meant as .5/.5/0: they count the third arm in the degrees of freedom and see less than there is."""
    cells = [Cell(epoch=1, segment="all", weights={"a": 0.5, "b": 0.5, "c": 0.0})]
    moments = {(1, "all", "a"): {"visits": conversions(55, 550)}, (1, "all", "b"): {"visits": conversions(45, 450)}}
    ours = segment(build(plan(variants="abc", cells=cells), table(moments))).srm
    assert ours.p_value == pytest.approx(0.00156540, rel=1e-5)
    assert utils.check_srm([550, 450, 0], [0.5, 0.5, 0.0]) == pytest.approx(scipy.stats.chi2.sf(10.0, 2), rel=1e-9)


@bounded
@given(tables())
def test_known_difference_cuped(found: Tables) -> None:
    """Their slope is that of all units together, treatment effect included; ours is that within arms (ANCOVA's).

    With their slope in our formula, and without the degrees of freedom that slopes cost, the numbers are theirs.
    """
    x = np.concatenate([found.treatment.x, found.baseline.x])
    before = np.concatenate([found.treatment.before, found.baseline.before])
    total = np.cov(x, before)[0, 1] / before.var(ddof=1)
    test = welch(adjusted_of(found.baseline), adjusted_of(found.treatment))
    theirs = test.compute_result()
    arms = [found.treatment, found.baseline]
    rebuilt = [arm.x - total * arm.before for arm in arms]
    assert theirs.expected == pytest.approx(rebuilt[0].mean() - rebuilt[1].mean(), rel=1e-5, abs=1e-9 * scale_of(found))
    variance = sum(float(one.var(ddof=1)) / len(one) for one in rebuilt)
    assert theirs.uplift.stddev == pytest.approx(sqrt(variance), rel=1e-5)

    ours = adjust([cross_moments(np.column_stack([arm.x, arm.before])) for arm in arms])
    treatment, baseline = ours.arms
    assert isinstance(treatment, ArmValue)
    assert isinstance(baseline, ArmValue)
    pair = ArmPair(treatment=treatment, baseline=baseline)
    assert ours.theta[0] != pytest.approx(total, rel=1e-12)
    assert sqrt(pair.variance) == pytest.approx(theirs.uplift.stddev, rel=0.05)
    assert pair.difference == pytest.approx(theirs.expected, abs=0.5 * theirs.uplift.stddev)
    assert welch_degrees_of_freedom(pair) == pytest.approx(test.dof, rel=0.2)
