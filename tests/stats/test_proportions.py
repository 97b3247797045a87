"""Proportions: published intervals, an independent maximisation of the likelihood, degenerate tables."""

from __future__ import annotations

from math import log
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from statsmodels.stats.proportion import proportion_confint, proportions_ztest

from analysis.effects import scores
from analysis.effects.means import critical_value, two_sided_p
from analysis.effects.proportions import Proportion, newcombe, wilson
from analysis.effects.scores import TwoProportions
from analysis.estimate import Undefined
from tests.stats import likelihood

Z = critical_value(0.05)


def alone(treatment: Proportion, baseline: Proportion) -> list[TwoProportions]:
    """One stratum."""
    return [TwoProportions(treatment=treatment, baseline=baseline)]


def score_z(treatment: Proportion, baseline: Proportion, **options: Any) -> float | Undefined:
    return scores.score_z(alone(treatment, baseline), **options)


def score_interval(treatment: Proportion, baseline: Proportion, critical: float, **options: Any) -> tuple[float, float]:
    return scores.score_interval(alone(treatment, baseline), critical, **options)


def score_lift_interval(
    treatment: Proportion, baseline: Proportion, critical: float
) -> tuple[float, float] | Undefined:
    return scores.score_lift_interval(alone(treatment, baseline), critical)


def proportion(successes: int, n: int) -> Proportion:
    return Proportion(successes=successes, n=n)


@st.composite
def proportions(draw: st.DrawFn) -> Proportion:
    n = draw(st.integers(1, 3_000))
    return proportion(draw(st.integers(0, n)), n)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.255289, 0.366210),
        (15, 148, 0.0623864, 0.160487),
        (0, 20, 0.0, 0.161125),
        (1, 29, 0.00611321, 0.171755),
    ],
)
def test_wilson_newcombe_1998_table_1(successes: int, n: int, low: float, high: float) -> None:
    """Newcombe, Statistics in Medicine 17 (1998) 857, the four examples of table I, method 3, to six digits."""
    assert wilson(proportion(successes, n), Z) == pytest.approx((low, high), rel=2e-6)


@pytest.mark.parametrize(("successes", "n"), [(3, 10), (500, 1000), (999, 1000)])
def test_wilson_is_the_one_of_statsmodels(successes: int, n: int) -> None:
    expected = proportion_confint(successes, n, alpha=0.05, method="wilson")
    assert wilson(proportion(successes, n), Z) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (0, 50)])
def test_wilson_of_none_and_of_all_mirror_each_other_and_touch_the_bounds(successes: int, n: int) -> None:
    low, high = wilson(proportion(successes, n), Z)
    mirrored_low, mirrored_high = wilson(proportion(n - successes, n), Z)
    assert low == 0.0
    assert mirrored_high == 1.0
    # c²/(n + c²): the closed form of the upper end for no successes.
    assert high == pytest.approx(Z * Z / (n + Z * Z), rel=1e-12)
    assert mirrored_low == pytest.approx(1 - high, rel=1e-12)


TEN_IN_TABLE_II = (proportion(56, 70), proportion(48, 80))


def test_newcombe_hybrid_56_of_70_against_48_of_80() -> None:
    """Newcombe, Statistics in Medicine 17 (1998) 873, table II (a), method 10."""
    assert newcombe(*TEN_IN_TABLE_II, Z) == pytest.approx((0.0524315, 0.333873), rel=2e-6)


def test_miettinen_nurminen_56_of_70_against_48_of_80() -> None:
    """Same example, method of Miettinen & Nurminen 1985 (score, variance times N/(N - 1))."""
    assert score_interval(*TEN_IN_TABLE_II, Z) == pytest.approx((0.0528297, 0.338173), rel=2e-6)


def test_mee_56_of_70_against_48_of_80() -> None:
    """Same example, method of Mee 1984 (score, uncorrected)."""
    assert score_interval(*TEN_IN_TABLE_II, Z, corrected=False) == pytest.approx((0.0533338, 0.337729), rel=2e-6)


def test_pooled_z_5_of_83_against_12_of_99() -> None:
    """The example of statsmodels' `proportions_ztest`: z -1.40783, p .159181."""
    z = score_z(proportion(5, 83), proportion(12, 99), corrected=False)
    assert not isinstance(z, Undefined)
    assert z == pytest.approx(-1.40783, rel=4e-6)
    assert two_sided_p(z, float("inf")) == pytest.approx(0.159181, rel=4e-6)
    assert (z, two_sided_p(z, float("inf"))) == pytest.approx(proportions_ztest([5, 12], [83, 99]), rel=1e-12)


@pytest.mark.parametrize(("corrected", "expected"), [(True, 1.16354), (False, 1.16412)])
def test_non_inferiority_390_of_500_against_400_of_500_margin_5_points(corrected: bool, expected: float) -> None:
    """Miettinen-Nurminen 1.16354 and Farrington-Manning 1.16412, by arithmetic from their formulas."""
    z = score_z(proportion(390, 500), proportion(400, 500), margin=-0.05, corrected=corrected)
    assert z == pytest.approx(expected, rel=5e-6)


def likelihood_z(treatment: Proportion, baseline: Proportion, difference: float) -> float:
    """The score statistic with the restricted rates from a numerical maximisation: no cubic involved."""

    def loss(p0: float) -> float:
        terms = ((treatment, p0 + difference), (baseline, p0))
        return -sum(arm.successes * log(p) + (arm.n - arm.successes) * log(1 - p) for arm, p in terms)

    bounds = (max(0.0, -difference) + 1e-12, min(1.0, 1.0 - difference) - 1e-12)
    p0 = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    p1 = p0 + difference
    n = treatment.n + baseline.n
    variance = (p1 * (1 - p1) / treatment.n + p0 * (1 - p0) / baseline.n) * n / (n - 1)
    return float((treatment.rate - baseline.rate - difference) / variance**0.5)


@pytest.mark.parametrize("margin", [-0.6, -0.2, -0.01, 0.003, 0.1, 0.5])
@pytest.mark.parametrize(
    ("treatment", "baseline"),
    [((56, 70), (48, 80)), ((3, 400), (9, 390)), ((1, 5), (2, 7)), ((4, 5), (997, 1000)), ((5, 900), (400, 800))],
)
def test_score_statistic_equals_a_numerical_maximum_likelihood(
    treatment: tuple[int, int], baseline: tuple[int, int], margin: float
) -> None:
    arms = proportion(*treatment), proportion(*baseline)
    assert score_z(*arms, margin=margin) == pytest.approx(likelihood_z(*arms, margin), rel=1e-5, abs=1e-7)


@given(proportions(), proportions())
def test_the_ends_of_the_score_interval_are_where_the_test_turns(treatment: Proportion, baseline: Proportion) -> None:
    low, high = score_interval(treatment, baseline, Z)
    assert -1 <= low <= treatment.rate - baseline.rate <= high <= 1
    if low > -1:
        assert score_z(treatment, baseline, margin=low) == pytest.approx(Z, abs=1e-5)
    if high < 1:
        assert score_z(treatment, baseline, margin=high) == pytest.approx(-Z, abs=1e-5)


@given(proportions(), proportions(), st.floats(0.5, 6))
def test_p_below_alpha_exactly_when_both_score_intervals_leave_out_zero(
    treatment: Proportion, baseline: Proportion, critical: float
) -> None:
    z = score_z(treatment, baseline)
    low, high = score_interval(treatment, baseline, critical)
    rejects = not isinstance(z, Undefined) and abs(z) > critical
    assert (low > 0 or high < 0) == rejects
    lift = score_lift_interval(treatment, baseline, critical)
    if isinstance(lift, Undefined):
        assert baseline.successes == 0
        return
    assume(isinstance(z, Undefined) or abs(abs(z) - critical) > 1e-9)
    assert (lift[0] > 0 or lift[1] < 0) == rejects


@given(proportions(), proportions())
def test_swapping_the_arms_flips_the_difference(treatment: Proportion, baseline: Proportion) -> None:
    low, high = score_interval(treatment, baseline, Z)
    swapped_low, swapped_high = score_interval(baseline, treatment, Z)
    assert (swapped_low, swapped_high) == pytest.approx((-high, -low), abs=1e-9)


@given(proportions(), proportions())
def test_swapping_the_arms_inverts_the_ratio(treatment: Proportion, baseline: Proportion) -> None:
    assume(treatment.successes and baseline.successes)
    there, back = score_lift_interval(treatment, baseline, Z), score_lift_interval(baseline, treatment, Z)
    assert not isinstance(there, Undefined)
    assert not isinstance(back, Undefined)
    assert (1 + there[0]) * (1 + back[1]) == pytest.approx(1, rel=1e-6)
    assert (1 + there[1]) * (1 + back[0]) == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize(
    ("treatment", "baseline", "difference", "lift"),
    [
        # Nobody, everybody: the end is c²/(m + c²) per side; 0/20 against 0/20 solves δ² = c²·δ(1-δ)/n·N/(N-1).
        pytest.param((0, 20), (0, 20), (-0.164577, 0.164577), None, id="nobody"),
        pytest.param((20, 20), (20, 20), (-0.164577, 0.164577), (-0.164577, 0.196998), id="everybody"),
    ],
)
def test_score_intervals_without_any_variation(
    treatment: tuple[int, int],
    baseline: tuple[int, int],
    difference: tuple[float, float],
    lift: tuple[float, float] | None,
) -> None:
    """With one rate at the bound the restricted other one is δ: δ/(1 - δ) = c²/n · N/(N - 1), by hand."""
    odds = Z * Z / 20 * 40 / 39
    assert odds / (1 + odds) == pytest.approx(difference[1], rel=4e-6)
    arms = proportion(*treatment), proportion(*baseline)
    assert score_z(*arms) == Undefined(
        reason="zero_variance", message="Both arms have the same rate, 0% or 100%: nothing to test."
    )
    assert score_interval(*arms, Z) == pytest.approx(difference, rel=4e-6)
    found = score_lift_interval(*arms, Z)
    if lift is None:
        assert isinstance(found, Undefined)
        assert found.reason == "unbounded"
    else:
        assert found == pytest.approx(lift, rel=4e-6)
        assert 1 / (1 + found[0]) == pytest.approx(1 + found[1], rel=1e-6)


@pytest.mark.parametrize("difference", [-0.5, -1e-3, -2e-6, 1e-9, 1.8e-6, 1e-4, 1e-3, 0.5])
@pytest.mark.parametrize(
    "counts",
    [
        pytest.param(((9, 5_025_049), (0, 4_053)), id="9 of 5 million against 0 of 4 thousand"),
        pytest.param(((0, 4_053), (9, 5_025_049)), id="the other way round"),
        pytest.param(((5_025_040, 5_025_049), (4_053, 4_053)), id="nearly all"),
        pytest.param(((3, 7), (400_000, 80_000_000)), id="seven against 80 million"),
    ],
)
def test_score_statistic_of_arms_of_very_different_size(counts: likelihood.Counts, difference: float) -> None:
    """The cubic's closed form has no digit left here. Expected: the likelihood's derivative halved to fifty digits."""
    z = score_z(*(proportion(*arm) for arm in counts), margin=difference)
    assert z == pytest.approx(likelihood.z_difference([(1.0, counts)], difference), rel=1e-9)


STRATA: list[tuple[float, likelihood.Counts]] = [
    (0.25, ((75, 500), (50, 500))),
    (0.70, ((120, 1000), (200, 2000))),
    (0.05, ((0, 40), (3, 1900))),
]


def stratified() -> list[TwoProportions]:
    return [
        TwoProportions(share=share, treatment=proportion(*treatment), baseline=proportion(*baseline))
        for share, (treatment, baseline) in STRATA
    ]


@pytest.mark.parametrize("margin", [-0.3, -0.01, 0.0, 0.02, 0.2])
def test_stratified_score_statistic_equals_a_numerical_maximum_likelihood(margin: float) -> None:
    z = scores.score_z(stratified(), margin=margin)
    assert z == pytest.approx(likelihood.z_difference(STRATA, margin), rel=1e-9)


def test_stratified_intervals_end_where_the_numerical_test_turns() -> None:
    for low_or_high, end in zip((Z, -Z), scores.score_interval(stratified(), Z), strict=True):
        assert likelihood.z_difference(STRATA, end) == pytest.approx(low_or_high, rel=1e-8)
    lift = scores.score_lift_interval(stratified(), Z)
    assert not isinstance(lift, Undefined)
    for low_or_high, end in zip((Z, -Z), lift, strict=True):
        assert likelihood.z_lift(STRATA, end) == pytest.approx(low_or_high, rel=1e-8)


def test_two_equal_strata_have_root_two_times_the_z_of_one() -> None:
    """Σ ½d / √(2·¼·v) = √2·d/√v."""
    one = TwoProportions(treatment=TEN_IN_TABLE_II[0], baseline=TEN_IN_TABLE_II[1])
    half = TwoProportions(share=0.5, treatment=TEN_IN_TABLE_II[0], baseline=TEN_IN_TABLE_II[1])
    for margin in (-0.1, 0.0, 0.3):
        z, alone_z = scores.score_z([half, half], margin=margin), scores.score_z([one], margin=margin)
        assert not isinstance(z, Undefined)
        assert not isinstance(alone_z, Undefined)
        assert z == pytest.approx(2**0.5 * alone_z, rel=1e-12)


@given(st.lists(st.tuples(st.integers(1, 9), proportions(), proportions()), min_size=2, max_size=4), st.floats(0.5, 6))
def test_stratified_p_below_alpha_exactly_when_both_intervals_leave_out_zero(
    drawn: list[tuple[int, Proportion, Proportion]], critical: float
) -> None:
    total = sum(weight for weight, _, _ in drawn)
    strata = [TwoProportions(share=weight / total, treatment=one, baseline=two) for weight, one, two in drawn]
    z = scores.score_z(strata)
    rejects = not isinstance(z, Undefined) and abs(z) > critical
    low, high = scores.score_interval(strata, critical)
    assert -1 <= low <= high <= 1
    assert (low > 0 or high < 0) == rejects
    lift = scores.score_lift_interval(strata, critical)
    if isinstance(lift, Undefined):
        assert not any(stratum.baseline.successes for stratum in strata)
        return
    assume(isinstance(z, Undefined) or abs(abs(z) - critical) > 1e-9)
    assert (lift[0] > 0 or lift[1] < 0) == rejects
