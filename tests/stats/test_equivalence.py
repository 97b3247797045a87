"""Non-inferiority and equivalence: reference statistics, duality with the intervals, error rates at the margin."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.stats.weightstats import ttost_ind

from analysis.effects.arms import ArmPair, ArmValue
from analysis.effects.equivalence import (
    Equivalence,
    MarginTest,
    difference_above,
    difference_equivalence,
    lift_above,
    lift_equivalence,
    rate_above,
    rate_equivalence,
    rate_lift_above,
    rate_lift_equivalence,
)
from analysis.effects.lift import fieller
from analysis.effects.means import critical_value, mean_value
from analysis.effects.proportions import Proportion, wald_value
from analysis.effects.scores import TwoProportions, score_interval, score_lift_interval, score_z
from analysis.estimate import Undefined
from tests.stats.builders import moments_of


def proportion(successes: int, n: int) -> Proportion:
    return Proportion(successes=successes, n=n)


def both(treatment: Proportion, baseline: Proportion) -> list[TwoProportions]:
    return [TwoProportions(treatment=treatment, baseline=baseline)]


def normal_pair(treatment: float, baseline: float, v1: float = 1.0, v0: float = 1.0) -> ArmPair:
    return ArmPair(
        treatment=ArmValue(value=treatment, variance=v1, degrees_of_freedom=inf),
        baseline=ArmValue(value=baseline, variance=v0, degrees_of_freedom=inf),
    )


@st.composite
def proportions(draw: st.DrawFn) -> Proportion:
    n = draw(st.integers(2, 2000))
    return proportion(draw(st.integers(0, n)), n)


NEW, OLD = proportion(390, 500), proportion(400, 500)


def test_390_of_500_is_not_shown_to_be_at_most_5_points_worse_than_400() -> None:
    """By arithmetic: Wald z 1.16493; Miettinen–Nurminen 1.16354; Farrington–Manning 1.16412."""
    wald = difference_above(ArmPair(treatment=wald_value(NEW), baseline=wald_value(OLD)), -0.05)
    corrected, plain = rate_above(NEW, OLD, -0.05), rate_above(NEW, OLD, -0.05, corrected=False)
    for found, expected in ((wald, 1.16493), (corrected, 1.16354), (plain, 1.16412)):
        assert isinstance(found, MarginTest)
        assert found.statistic == pytest.approx(expected, rel=5e-6)
        assert found.p_value == pytest.approx(norm.sf(expected), rel=2e-5)


def test_tost_of_means_is_the_one_of_statsmodels() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(10, 2, 40), rng.normal(10.3, 3, 60)
    arms = [mean_value(moments_of(sample)) for sample in (first, second)]
    assert isinstance(arms[0], ArmValue)
    assert isinstance(arms[1], ArmValue)
    found = difference_equivalence(ArmPair(treatment=arms[0], baseline=arms[1]), -1.0, 1.5)
    p, low, high = ttost_ind(first, second, -1.0, 1.5, usevar="unequal", weights=(None, None), transform=None)
    assert isinstance(found, Equivalence)
    assert found.p_value == pytest.approx(p, rel=1e-9)
    assert (found.above.p_value, found.below.p_value) == pytest.approx((low[1], high[1]), rel=1e-9)


@given(st.floats(-20, 20), st.floats(1, 30), st.floats(0.01, 9), st.floats(0.01, 9), st.floats(-0.9, 2))
def test_non_inferior_exactly_when_the_interval_says_so(
    t: float, b: float, v1: float, v0: float, margin: float
) -> None:
    pair, critical = normal_pair(t, b, v1, v0), critical_value(0.1)
    difference, lift = difference_above(pair, margin), lift_above(pair, margin)
    assert isinstance(difference, MarginTest)
    assert isinstance(lift, MarginTest)
    assume(abs(difference.p_value - 0.05) > 1e-9)
    assert (difference.p_value < 0.05) == (pair.difference - critical * sqrt(pair.variance) > margin)
    interval = fieller(pair, critical)
    if not isinstance(interval, Undefined) and abs(lift.p_value - 0.05) > 1e-9:
        assert (lift.p_value < 0.05) == (interval[0] > margin)


@settings(deadline=None)
@given(proportions(), proportions(), st.integers(-500, 500).map(lambda points: points / 1000))
def test_rates_agree_with_their_score_intervals(treatment: Proportion, baseline: Proportion, margin: float) -> None:
    critical = critical_value(0.1)
    found = rate_above(treatment, baseline, margin)
    if isinstance(found, MarginTest) and abs(found.p_value - 0.05) > 1e-7:
        assert (found.p_value < 0.05) == (score_interval(both(treatment, baseline), critical)[0] > margin)
    found = rate_lift_above(treatment, baseline, margin)
    interval = score_lift_interval(both(treatment, baseline), critical)
    if isinstance(found, MarginTest) and not isinstance(interval, Undefined) and abs(found.p_value - 0.05) > 1e-6:
        assert (found.p_value < 0.05) == (interval[0] > margin)


def ratio_score(treatment: Proportion, baseline: Proportion, lift: float) -> float:
    """Miettinen & Nurminen's statistic of a ratio with restricted rates from a grid of the likelihood: no inversion."""
    ratio = 1 + lift
    p0 = np.linspace(1e-7, min(1, 1 / ratio) - 1e-7, 2_000_001)
    loglik = (
        treatment.successes * np.log(ratio * p0)
        + (treatment.n - treatment.successes) * np.log1p(-ratio * p0)
        + baseline.successes * np.log(p0)
        + (baseline.n - baseline.successes) * np.log1p(-p0)
    )
    p = float(p0[loglik.argmax()])
    n = treatment.n + baseline.n
    variance = ratio * p * (1 - ratio * p) / treatment.n + ratio**2 * p * (1 - p) / baseline.n
    return float((treatment.rate - ratio * baseline.rate) / sqrt(variance * n / (n - 1)))


@pytest.mark.parametrize("margin", [-0.05, 0.05, 0.3])
@pytest.mark.parametrize(("treatment", "baseline"), [((390, 500), (400, 500)), ((30, 900), (60, 1000))])
def test_lift_of_rates_is_the_score_test_of_the_ratio(
    treatment: tuple[int, int], baseline: tuple[int, int], margin: float
) -> None:
    arms = proportion(*treatment), proportion(*baseline)
    found = rate_lift_above(*arms, margin)
    assert isinstance(found, MarginTest)
    assert found.statistic == pytest.approx(ratio_score(*arms, margin), rel=1e-5)


def test_margins_of_a_lift_scale_with_the_baseline() -> None:
    """95 against 100 ± 2 and a margin of -10 %: 95 - 90 over √(4 + .81·4), by hand."""
    pair = normal_pair(95, 100, 4, 4)
    found = lift_above(pair, -0.1)
    assert isinstance(found, MarginTest)
    assert found.statistic == pytest.approx(5 / sqrt(4 + 0.81 * 4))
    both = lift_equivalence(pair, -0.1, 0.1)
    assert isinstance(both, Equivalence)
    assert both.above == found
    assert both.below.statistic == pytest.approx((95 - 110) / sqrt(4 + 1.21 * 4))
    assert both.p_value == found.p_value > both.below.p_value


@settings(deadline=None)
@given(proportions(), proportions())
def test_swapping_the_arms_mirrors_the_margins(treatment: Proportion, baseline: Proportion) -> None:
    here = rate_equivalence(treatment, baseline, -0.1, 0.2)
    there = rate_equivalence(baseline, treatment, -0.2, 0.1)
    assert isinstance(here, Equivalence)
    assert isinstance(there, Equivalence)
    assert here.p_value == pytest.approx(there.p_value, rel=1e-6, abs=1e-12)


def test_without_a_margin_the_lift_is_the_score_test_and_at_the_estimate_it_is_nothing() -> None:
    found = rate_lift_above(NEW, OLD, 0.0)
    assert isinstance(found, MarginTest)
    assert found.statistic == score_z(both(NEW, OLD))
    exact = rate_lift_above(proportion(30, 100), proportion(20, 100), 0.5)
    assert isinstance(exact, MarginTest)
    assert exact.p_value == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (difference_above(normal_pair(1, 1, 0, 0), -0.1), "zero_variance"),
        (lift_equivalence(normal_pair(1, 0), -0.1, 0.1), "baseline_not_positive"),
        (rate_above(proportion(0, 9), proportion(0, 9), 0.0), "zero_variance"),
        (rate_lift_above(proportion(3, 9), proportion(0, 9), -0.1), "unbounded"),
        (rate_lift_equivalence(proportion(3, 9), proportion(0, 9), -0.1, 0.1), "unbounded"),
        (rate_equivalence(proportion(0, 9), proportion(0, 9), 0.0, 0.1), "zero_variance"),
        (difference_equivalence(normal_pair(1, 1, 0, 0), -0.1, 0.1), "zero_variance"),
    ],
)
def test_what_has_no_test(found: object, reason: str) -> None:
    assert isinstance(found, Undefined)
    assert found.reason == reason


def test_nobody_in_either_arm_can_still_be_shown_to_be_alike() -> None:
    """0/2000 against 0/2000 within ±1 point: restricted rates .01 and 0, so .01/√(.01·.99/2000·N/(N - 1)), by hand."""
    found = rate_equivalence(proportion(0, 2000), proportion(0, 2000), -0.01, 0.01)
    assert isinstance(found, Equivalence)
    z = 0.01 / sqrt(0.01 * 0.99 / 2000 * 4000 / 3999)
    assert (found.above.statistic, found.below.statistic) == pytest.approx((z, -z), rel=1e-6)
    assert found.p_value == pytest.approx(norm.sf(z), rel=1e-5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: lift_above(normal_pair(1, 1), -1.0),
        lambda: rate_above(NEW, OLD, 1.0),
        lambda: rate_lift_above(NEW, OLD, -1.0),
        lambda: difference_equivalence(normal_pair(1, 1), 0.1, -0.1),
    ],
)
def test_nonsense_is_refused(call: object) -> None:
    with pytest.raises(ValueError, match=r"lies|margin"):
        call()  # type: ignore[operator]


def test_at_the_margin_the_error_is_alpha() -> None:
    """True rates .75 and .80, margin -.05: rejected in .05 ± 4 standard errors (counts are discrete)."""
    runs, n, rng = 4000, 800, np.random.default_rng(2)
    found = [
        rate_above(proportion(int(x), n), proportion(int(y), n), -0.05)
        for x, y in zip(rng.binomial(n, 0.75, runs), rng.binomial(n, 0.80, runs), strict=True)
    ]
    errors = np.mean([isinstance(one, MarginTest) and one.p_value < 0.05 for one in found])
    assert errors == pytest.approx(0.05, abs=4 * sqrt(0.05 * 0.95 / runs))
