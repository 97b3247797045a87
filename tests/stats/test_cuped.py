"""CUPED is analysis of covariance: identities with regressions, merging, missing pre-periods, error rates."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis.effects.arms import ArmPair, ArmValue
from analysis.effects.cuped import (
    Adjusted,
    CrossMoments,
    adjust,
    cross_moments,
    linearise,
    pooled_std_error,
    with_missing,
)
from analysis.effects.lift import fieller
from analysis.effects.means import critical_value, mean_value, welch_degrees_of_freedom
from analysis.effects.ratios import ratio_value
from analysis.estimate import Undefined
from tests.stats.builders import moments_of

Floats = NDArray[np.float64]
tables = st.lists(st.tuples(*[st.floats(-100, 100)] * 3), max_size=12)


def table(rows: list[tuple[float, ...]]) -> CrossMoments:
    return cross_moments(np.array(rows, dtype=float).reshape(-1, 3))


def pair(adjusted: Adjusted) -> ArmPair:
    baseline, treatment = adjusted.arms
    assert isinstance(baseline, ArmValue)
    assert isinstance(treatment, ArmValue)
    return ArmPair(treatment=treatment, baseline=baseline)


def arms(seed: int, sizes: tuple[int, int] = (150, 90)) -> list[Floats]:
    """Outcome and two covariates, of different scale, in two arms; the treatment adds 1."""
    rng, found = np.random.default_rng(seed), []
    for arm, n in enumerate(sizes):
        before = rng.normal(size=(n, 2)) * [1.0, 1000.0] + [0.0, 5e4]
        found.append(np.column_stack([arm + before @ [2.0, 0.001] + rng.normal(size=n), before]))
    return found


def regression(groups: list[Floats]) -> object:
    """y ~ 1 + treatment + covariates, covariates centred and scaled (which changes no treatment effect)."""
    rows = np.vstack(groups)
    treated = np.repeat([0.0, 1.0], [len(group) for group in groups])
    before = (rows[:, 1:] - rows[:, 1:].mean(axis=0)) / rows[:, 1:].std(axis=0)
    design = np.column_stack([np.ones(len(rows)), treated, before])
    return sm.OLS(rows[:, 0], design, missing="none", hasconst=True)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_cuped_is_the_coefficient_of_the_regression(seed: int) -> None:
    groups = arms(seed)
    moments = [cross_moments(group) for group in groups]
    plain = regression(groups).fit(method="qr", cov_type="nonrobust", use_t=True)  # type: ignore[attr-defined]
    found = pair(adjust(moments))
    assert found.difference == pytest.approx(plain.params[1], rel=1e-9)
    assert pooled_std_error(moments[1], moments[0]) == pytest.approx(plain.bse[1], rel=1e-9)


def test_its_standard_error_is_the_robust_one_of_the_regression_in_large_groups() -> None:
    """Arms with variances of their own, to order 1/n (the slopes' own error is not in CUPED's): HC2."""
    groups = arms(1, (6000, 3000))
    groups[1][:, 0] += np.random.default_rng(2).normal(0, 2, 3000)
    robust = regression(groups).fit(method="qr", cov_type="HC2", use_t=True)  # type: ignore[attr-defined]
    assert sqrt(pair(adjust([cross_moments(group) for group in groups])).variance) == pytest.approx(
        robust.bse[1], rel=2e-3
    )


def test_without_covariates_it_is_welch() -> None:
    first, second = (moments_of(group[:, 0]) for group in arms(4))
    found = pair(adjust([cross_moments(group[:, :1]) for group in arms(4)]))
    for ours, theirs in ((found.baseline, mean_value(first)), (found.treatment, mean_value(second))):
        assert isinstance(theirs, ArmValue)
        assert (ours.value, ours.variance) == pytest.approx((theirs.value, theirs.variance), rel=1e-10)


def test_the_variance_kept_is_one_minus_rho_squared() -> None:
    """Deng et al. 2013: var(y - θc) = var(y)·(1 - ρ²); one arm, so ρ is the plain correlation."""
    rows = arms(5)[0][:, :2]
    found = adjust([cross_moments(rows)])
    rho = np.corrcoef(rows.T)[0, 1]
    assert found.variance_kept == pytest.approx(1 - rho**2, rel=1e-10)
    assert found.theta[0] == pytest.approx(np.polyfit(rows[:, 1], rows[:, 0], 1)[0], rel=1e-9)


def test_three_arms_share_one_slope() -> None:
    groups = [*arms(6), arms(7)[1]]
    found = adjust([cross_moments(group) for group in groups])
    rows, arm = np.vstack(groups), np.repeat(np.arange(3), [len(group) for group in groups])
    before = (rows[:, 1:] - rows[:, 1:].mean(axis=0)) / [1.0, 1000.0]
    design = np.column_stack([arm == 0, arm == 1, arm == 2, before]).astype(float)
    model = sm.OLS(rows[:, 0], design, missing="none", hasconst=True).fit(method="qr", cov_type="nonrobust", use_t=True)
    # Centred on everybody's covariates, the arms' own coefficients are the adjusted means.
    assert [one.value for one in found.arms if isinstance(one, ArmValue)] == pytest.approx(model.params[:3], rel=1e-9)
    assert found.theta == pytest.approx(model.params[3:] / [1.0, 1000.0], rel=1e-8)


@given(tables, tables)
def test_moments_merge_in_any_order(left: list[tuple[float, ...]], right: list[tuple[float, ...]]) -> None:
    assert table(left) + table(right) == table(right) + table(left)
    merged, whole = table(left) + table(right), table([*left, *right])
    assert merged.n == whole.n
    assert merged.mean == pytest.approx(whole.mean, abs=1e-9)
    assert np.array(merged.centred) == pytest.approx(np.array(whole.centred), abs=1e-6)


def test_large_levels_keep_their_digits() -> None:
    rows = arms(8)[0]
    found, moved = (adjust([cross_moments(group)]) for group in (rows, rows + 1e8))
    one, other = found.arms[0], moved.arms[0]
    assert isinstance(one, ArmValue)
    assert isinstance(other, ArmValue)
    assert other.value - 1e8 == pytest.approx(one.value, abs=1e-6)
    assert other.variance == pytest.approx(one.variance, rel=1e-5)


@pytest.mark.parametrize("fill", [0.0, 7.0])
def test_units_without_a_pre_period_are_kept(fill: float) -> None:
    """An indicator makes the fill arbitrary: the same as a regression on it; nobody is dropped."""
    rng, groups = np.random.default_rng(9), arms(9)
    for group in groups:
        group[rng.random(len(group)) < 0.3, 1] = np.nan
    made = [np.column_stack([group[:, 0], with_missing(group[:, 1:2], fill)]) for group in groups]
    found = adjust([cross_moments(group) for group in made])
    rows = np.vstack(groups)
    missing = np.isnan(rows[:, 1])
    treated = np.repeat([0.0, 1.0], [len(group) for group in groups])
    design = np.column_stack([np.ones(len(rows)), treated, np.where(missing, 0.0, rows[:, 1]), missing])
    model = sm.OLS(rows[:, 0], design, missing="none", hasconst=True).fit(method="qr", cov_type="nonrobust", use_t=True)
    assert pair(found).difference == pytest.approx(model.params[1], rel=1e-9)
    assert sum(len(group) for group in made) == len(rows)


def test_collinear_and_constant_covariates_do_nothing() -> None:
    groups = arms(10)
    plain = pair(adjust([cross_moments(group) for group in groups]))
    more = [np.column_stack([group, group[:, 1] * 3, np.full(len(group), 4.0)]) for group in groups]
    found = pair(adjust([cross_moments(group) for group in more]))
    assert (found.difference, found.variance) == pytest.approx((plain.difference, plain.variance), rel=1e-8)


def ratios(rng: np.random.Generator, n: int) -> Floats:
    """Clicks, visits, and both of the time before; people differ in their rate and keep it."""
    rate, busy = rng.beta(2, 5, n), rng.gamma(2, 3, n)
    visits, before = rng.poisson(busy) + 1, rng.poisson(busy) + 1
    clicks, clicks_before = rng.binomial(visits, rate), rng.binomial(before, rate)
    return np.column_stack([clicks, visits, clicks_before, before]).astype(float)


def test_a_linearised_ratio_is_the_delta_method_and_covariates_help() -> None:
    rows = ratios(np.random.default_rng(11), 500)
    plain = linearise(cross_moments(rows[:, :2]))
    assert isinstance(plain, CrossMoments)
    (ours,) = adjust([plain]).arms
    theirs = ratio_value(moments_of(rows[:, 0], rows[:, 1]))
    assert isinstance(ours, ArmValue)
    assert isinstance(theirs, ArmValue)
    assert (ours.value, ours.variance) == pytest.approx((theirs.value, theirs.variance), rel=1e-10)
    linear = linearise(cross_moments(rows))
    assert isinstance(linear, CrossMoments)
    part = (rows[:, 0] - theirs.value * rows[:, 1]) / rows[:, 1].mean()
    fit = sm.OLS(part, sm.add_constant(rows[:, 2:], prepend=True, has_constant="raise")).fit(method="qr")
    found = adjust([linear])
    assert found.variance_kept == pytest.approx(1 - fit.rsquared, rel=1e-9)
    assert found.variance_kept < 0.8  # type: ignore[operator]


@pytest.mark.parametrize("kind", ["mean", "ratio"])
def test_a_a_keeps_its_level(kind: str) -> None:
    """.05 ± 4 standard errors; skewed revenue with revenue before, or clicks per visit with both before."""
    runs, n, rng, wrong = 1500, 200, np.random.default_rng(12), 0
    for _ in range(runs):
        moments = []
        for _ in range(2):
            if kind == "ratio":
                linear = linearise(cross_moments(ratios(rng, n)))
                assert isinstance(linear, CrossMoments)
                moments.append(linear)
            else:
                before = rng.gamma(1, 2, n)
                moments.append(cross_moments(np.column_stack([before + rng.gamma(1, 2, n), before])))
        found = pair(adjust(moments))
        wrong += abs(found.difference) > critical_value(0.05, welch_degrees_of_freedom(found)) * sqrt(found.variance)
    assert wrong / runs == pytest.approx(0.05, abs=4 * sqrt(0.05 * 0.95 / runs))


def test_what_cannot_be_adjusted() -> None:
    nobody, one = cross_moments(np.empty((0, 2))), cross_moments(np.array([[1.0, 2.0]]))
    two = cross_moments(np.array([[1.0, 2.0], [2.0, 5.0]]))
    reasons = [arm.reason for arm in adjust([nobody, one]).arms if isinstance(arm, Undefined)]
    assert reasons == ["no_units", "one_unit"]
    (short,) = adjust([two]).arms
    assert isinstance(short, Undefined)
    assert short.reason == "too_few_units"
    flat = adjust([cross_moments(np.array([[3.0, 2.0], [3.0, 5.0], [3.0, 6.0], [3.0, 1.0]]))])
    assert isinstance(flat.variance_kept, Undefined)
    assert flat.arms[0] == ArmValue(value=3.0, variance=0.0, degrees_of_freedom=3.0)
    assert isinstance(pooled_std_error(two, nobody), Undefined)
    zero = linearise(cross_moments(np.array([[1.0, 0.0, 2.0], [2.0, 0.0, 3.0]])))
    assert isinstance(zero, Undefined)
    assert zero.reason == "zero_denominator"
    empty = linearise(cross_moments(np.empty((0, 3))))
    assert isinstance(empty, CrossMoments)
    assert (empty.n, len(empty.mean)) == (0, 2)


def test_nonsense_is_refused() -> None:
    two, three = cross_moments(np.ones((2, 2))), cross_moments(np.ones((2, 3)))
    for call in (lambda: two + three, lambda: adjust([]), lambda: adjust([two, three])):
        with pytest.raises(ValueError, match="variables"):
            call()
    with pytest.raises(ValueError, match="fit"):
        CrossMoments(n=1, mean=(1.0,), centred=((1.0, 2.0),))


def test_the_lift_of_the_population_is_covered_however_strong_the_covariate_is() -> None:
    """A lift of 100% with ρ² = .9: .95 ± 4 standard errors; with the covariates' mean taken as known it is .84."""
    runs, n, rng, covered = 600, 500, np.random.default_rng(11), 0
    for _ in range(runs):
        before = rng.normal(10, 3, (2, n))
        outcome = 10 + np.sqrt(0.9) * (before - 10) + rng.normal(0, 3 * np.sqrt(0.1), (2, n))
        outcome[1] += 10.0
        baseline, treatment = adjust(
            [cross_moments(np.column_stack([y, c])) for y, c in zip(outcome, before, strict=True)]
        ).arms
        assert isinstance(baseline, ArmValue)
        assert isinstance(treatment, ArmValue)
        ends = fieller(ArmPair(treatment=treatment, baseline=baseline), 1.959964)
        assert isinstance(ends, tuple)
        covered += ends[0] <= 1.0 <= ends[1]
    assert covered / runs == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / runs))


@pytest.mark.parametrize("apart", [1.95, 1.97])
def test_what_arms_share_leaves_the_test_of_no_lift_as_it_is(apart: float) -> None:
    """z = 1.95 and 1.97 against 1.96; and the ends solve (T - (1 + θ)B)² = c²(v₁ + (1 + θ)²v₀ + θ²κ)."""
    shared, critical = 0.5, 1.96
    pair = ArmPair(
        treatment=ArmValue(
            value=10 + apart * np.sqrt(0.5), variance=0.25, degrees_of_freedom=99, common_variance=shared
        ),
        baseline=ArmValue(value=10.0, variance=0.25, degrees_of_freedom=99, common_variance=shared),
    )
    ends = fieller(pair, critical)
    assert isinstance(ends, tuple)
    assert (ends[0] > 0) is (apart > critical)
    for lift in ends:
        off = pair.treatment.value - (1 + lift) * pair.baseline.value
        allowed = 0.25 + (1 + lift) ** 2 * 0.25 + lift * lift * shared
        assert off * off == pytest.approx(critical**2 * allowed, rel=1e-9)
