"""The engine beside scipy and statsmodels on random tables, through the report wherever it says the number.

Where they differ, the test's name says so and its docstring why; each difference is asserted to be there still.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from typing import Any

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import (
    confint_proportions_2indep,
    proportion_confint,
    samplesize_proportions_2indep_onetail,
    score_test_proportions_2indep,
)
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from analysis.design.designs import Design
from analysis.design.metrics import Conversion
from analysis.design.power import SampleSize, power, sample_size
from analysis.effects import scores
from analysis.effects.arms import ArmPair, ArmValue
from analysis.effects.cuped import adjust, cross_moments
from analysis.effects.odds import CommonOdds, StratumRates, mantel_haenszel
from analysis.effects.proportions import Proportion, newcombe
from analysis.effects.scores import TwoProportions
from analysis.estimate import Comparison, Interval, Report, Undefined
from analysis.moments import Moments
from analysis.plan import Cell, FamilyMethod
from analysis.report import build
from tests.stats.builders import comparison, conversions, metric, moments_of, one_segment, plan, segment, table

Floats = NDArray[np.float64]
Z = 1.959963984540054

bounded = settings(max_examples=30, derandomize=True, deadline=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Successes of both arms; `treatment` is statsmodels' first sample."""

    treatment: int
    treatment_n: int
    baseline: int
    baseline_n: int

    @property
    def args(self) -> tuple[int, int, int, int]:
        return self.treatment, self.treatment_n, self.baseline, self.baseline_n

    @property
    def proportions(self) -> tuple[Proportion, Proportion]:
        return (
            Proportion(successes=self.treatment, n=self.treatment_n),
            Proportion(successes=self.baseline, n=self.baseline_n),
        )


@st.composite
def counts(draw: st.DrawFn) -> Counts:
    """Rates in [.05, .95], arms of 60 to 5,000."""
    rates = st.floats(0.05, 0.95)
    sizes = [draw(st.integers(60, 5_000)) for _ in range(2)]
    hits = [round(n * draw(rates)) for n in sizes]
    return Counts(treatment=hits[0], treatment_n=sizes[0], baseline=hits[1], baseline_n=sizes[1])


@st.composite
def samples(draw: st.DrawFn) -> tuple[Floats, Floats]:
    """Two arms of unlike size and spread, near normal or with a long tail, far from 0 or not."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shift, scale = draw(st.floats(-50, 1e4)), draw(st.floats(0.01, 1e3))

    def arm() -> Floats:
        n = draw(st.integers(20, 400))
        values: Floats = rng.lognormal(0, 1.5, n) if draw(st.booleans()) else rng.normal(0, 1, n)
        return shift + scale * draw(st.floats(0.5, 2)) * values

    return arm(), arm()


def report_on(kind: str, treatment: Moments, baseline: Moments, **changes: Any) -> Report:
    denominator = {"denominator_event_name": "visit"} if kind == "ratio" else {}
    asked = metric(kind=kind, **denominator)
    question = plan(asked, min_units=20, **changes)
    return build(question, table({(1, "all", "a"): {"visits": baseline}, (1, "all", "b"): {"visits": treatment}}))


def compared(kind: str, treatment: Moments, baseline: Moments, **changes: Any) -> Comparison:
    return comparison(segment(report_on(kind, treatment, baseline, **changes)))


def rates_compared(given_counts: Counts) -> Comparison:
    treatment = conversions(given_counts.treatment, given_counts.treatment_n)
    return compared("conversion", treatment, conversions(given_counts.baseline, given_counts.baseline_n))


def ends(interval: Interval | Undefined) -> tuple[float, float]:
    assert isinstance(interval, Interval)
    return interval.low, interval.high


@bounded
@given(samples())
def test_welch_is_the_one_of_scipy(arms: tuple[Floats, Floats]) -> None:
    treatment, baseline = arms
    ours = compared("mean", moments_of(treatment), moments_of(baseline))
    theirs = scipy.stats.ttest_ind(treatment, baseline, equal_var=False)
    interval = theirs.confidence_interval(0.95)
    size = float(np.abs(np.concatenate(arms)).max())
    assert ours.difference.value == pytest.approx(treatment.mean() - baseline.mean(), rel=1e-9, abs=1e-12 * size)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-6)
    assert ends(ours.difference.fixed) == pytest.approx((interval.low, interval.high), rel=1e-7, abs=1e-10 * size)


@bounded
@given(samples())
def test_the_standard_error_of_means_is_the_one_of_statsmodels(arms: tuple[Floats, Floats]) -> None:
    treatment, baseline = arms
    theirs = CompareMeans(DescrStatsW(treatment, ddof=0), DescrStatsW(baseline, ddof=0))
    ours = compared("mean", moments_of(treatment), moments_of(baseline))
    assert ours.difference.std_error == pytest.approx(theirs.std_meandiff_separatevar, rel=1e-9)
    low, high = theirs.tconfint_diff(alpha=0.05, alternative="two-sided", usevar="unequal")
    size = float(np.abs(np.concatenate(arms)).max())
    assert ends(ours.difference.fixed) == pytest.approx((low, high), rel=1e-7, abs=1e-10 * size)


@bounded
@given(st.integers(0, 2**32 - 1), st.integers(20, 500), st.integers(20, 500))
def test_a_fieller_interval_ends_where_the_test_of_the_scaled_arm_has_p_of_alpha(seed: int, n1: int, n0: int) -> None:
    """At an end θ of the interval, treatment and (1 + θ)·baseline differ with p = .05 or less by scipy's z of them.

    Fieller here takes the critical value of the test of the difference, so Welch's degrees of freedom at θ = 0.
    """
    rng = np.random.default_rng(seed)
    treatment, baseline = rng.gamma(2, 3, n1), rng.gamma(2, 2.5, n0)
    ours = compared("mean", moments_of(treatment), moments_of(baseline))
    critical = scipy.stats.t.isf(0.025, scipy.stats.ttest_ind(treatment, baseline, equal_var=False).df)
    for theta in ends(ours.lift.fixed):
        statistic = scipy.stats.ttest_ind(treatment, (1 + theta) * baseline, equal_var=False).statistic
        assert abs(statistic) == pytest.approx(critical, rel=1e-8)


@bounded
@given(st.integers(0, 2**32 - 1), st.integers(30, 300), st.integers(30, 300))
def test_a_ratio_is_the_weighted_regression_of_statsmodels(seed: int, n1: int, n0: int) -> None:
    """R = Σx/Σy is the least-squares constant of x/y weighted by y; HC0 divides by n where we divide by n - 1."""
    rng = np.random.default_rng(seed)
    arms, variance, value = [], 0.0, []
    for n in (n1, n0):
        y = rng.poisson(3, n) + 1.0
        x = y * rng.gamma(2, 1, n)
        fit = sm.WLS(x / y, np.ones(n), weights=y).fit(cov_type="HC0", method="qr", use_t=False)
        variance += float(fit.bse[0]) ** 2 * n / (n - 1)
        value.append(float(fit.params[0]))
        arms.append(moments_of(x, y))
    ours = compared("ratio", *arms)
    assert ours.difference.value == pytest.approx(value[0] - value[1], rel=1e-8, abs=1e-11)
    assert ours.difference.std_error == pytest.approx(sqrt(variance), rel=1e-8)


@bounded
@given(st.integers(0, 2**32 - 1), st.integers(30, 300), st.integers(30, 300), st.integers(1, 3))
def test_cuped_is_the_analysis_of_covariance_of_statsmodels(seed: int, n1: int, n0: int, covariates: int) -> None:
    rng = np.random.default_rng(seed)
    before = rng.normal(size=(n1 + n0, covariates))
    treated = np.repeat([1.0, 0.0], [n1, n0])
    y = 3 + 0.4 * treated + before @ rng.normal(size=covariates) + rng.normal(size=n1 + n0)
    rows = np.column_stack([y, before])
    found = adjust([cross_moments(rows[:n1]), cross_moments(rows[n1:])])
    treatment, baseline = found.arms
    assert isinstance(treatment, ArmValue)
    assert isinstance(baseline, ArmValue)
    fit = sm.OLS(y, np.column_stack([np.ones(n1 + n0), treated, before])).fit(
        method="qr", cov_type="nonrobust", use_t=True
    )
    assert ArmPair(treatment=treatment, baseline=baseline).difference == pytest.approx(
        fit.params[1], rel=1e-8, abs=1e-11
    )
    assert found.theta == pytest.approx(tuple(fit.params[2:]), rel=1e-8, abs=1e-10)


@bounded
@given(counts())
def test_the_score_test_of_equal_rates_is_the_one_of_statsmodels(given_counts: Counts) -> None:
    theirs = score_test_proportions_2indep(*given_counts.args, value=None, compare="diff", correction=True)
    assert rates_compared(given_counts).p_value == pytest.approx(theirs.pvalue, rel=1e-8)


@bounded
@given(counts())
def test_the_score_interval_of_the_lift_is_the_one_of_statsmodels(given_counts: Counts) -> None:
    """Their ratio form is right, only that of the difference is not."""
    low, high = confint_proportions_2indep(
        *given_counts.args, method="score", compare="ratio", alpha=0.05, correction=True
    )
    assert ends(rates_compared(given_counts).lift.fixed) == pytest.approx((low - 1, high - 1), rel=1e-6, abs=1e-8)


@bounded
@given(counts())
def test_newcombe_and_wald_are_those_of_statsmodels(given_counts: Counts) -> None:
    low, high = confint_proportions_2indep(*given_counts.args, method="newcomb", compare="diff", alpha=0.05)
    assert newcombe(*given_counts.proportions, Z) == pytest.approx((low, high), rel=1e-9, abs=1e-12)
    low, high = confint_proportions_2indep(*given_counts.args, method="wald", compare="diff", alpha=0.05)
    ours = rates_compared(given_counts).difference
    assert ours.std_error == pytest.approx((high - low) / 2 / Z, rel=1e-9)
    assert ours.value == pytest.approx((high + low) / 2, rel=1e-9, abs=1e-12)


@bounded
@given(counts())
def test_the_interval_of_an_arm_is_wilsons_of_statsmodels(given_counts: Counts) -> None:
    report = report_on(
        "conversion",
        conversions(given_counts.treatment, given_counts.treatment_n),
        conversions(given_counts.baseline, given_counts.baseline_n),
    )
    arm = next(arm for arm in segment(report).metrics[0].arms if arm.variant == "b")
    theirs = proportion_confint(given_counts.treatment, given_counts.treatment_n, alpha=0.05, method="wilson")
    assert ends(arm.interval) == pytest.approx(theirs, rel=1e-9)


def log_likelihood(given_counts: Counts, treatment: float, baseline: float) -> float:
    rates = (
        (given_counts.treatment, given_counts.treatment_n, treatment),
        (given_counts.baseline, given_counts.baseline_n, baseline),
    )
    return sum(x * log(p) + (n - x) * log(1 - p) for x, n, p in rates)


@bounded
@given(counts(), st.floats(0.01, 0.03), st.sampled_from([-1, 1]))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_statsmodels_is_wrong_about_a_score_test_with_a_margin(given_counts: Counts, margin: float, sign: int) -> None:
    """Known difference: `count0` where `nobs0` belongs, so its restricted rates are not the likeliest ones.

    Its own value function says so: rates with the same difference, those of the maximum found by searching, have a
    larger likelihood. Ours are that maximum.
    """
    value = sign * margin
    theirs = score_test_proportions_2indep(*given_counts.args, value=value, compare="diff", correction=False)
    low, high = max(0.0, value) + 1e-9, min(1.0, 1.0 + value) - 1e-9
    best = scipy.optimize.minimize_scalar(
        lambda p: -log_likelihood(given_counts, p, p - value),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-12},
    )
    p1, p0 = float(best.x), float(best.x) - value
    z = (
        given_counts.treatment / given_counts.treatment_n - given_counts.baseline / given_counts.baseline_n - value
    ) / sqrt(p1 * (1 - p1) / given_counts.treatment_n + p0 * (1 - p0) / given_counts.baseline_n)
    treatment, baseline = given_counts.proportions
    ours = scores.score_z([TwoProportions(treatment=treatment, baseline=baseline)], margin=value, corrected=False)
    assert ours == pytest.approx(z, rel=1e-5, abs=1e-6)
    if 0 < theirs.prop1_null < 1 and 0 < theirs.prop2_null < 1:
        assert -best.fun > log_likelihood(given_counts, theirs.prop1_null, theirs.prop2_null)
    assert theirs.prop1_null != pytest.approx(p1, rel=1e-6)


def test_the_published_score_interval_is_ours_and_not_that_of_statsmodels() -> None:
    """Known difference, Newcombe 1998: 56/70 - 48/80 has [.0528297, .338173] by Miettinen & Nurminen."""
    example = Counts(treatment=56, treatment_n=70, baseline=48, baseline_n=80)
    published = (0.0528297, 0.338173)
    assert ends(rates_compared(example).difference.fixed) == pytest.approx(published, rel=2e-6)
    theirs = confint_proportions_2indep(*example.args, method="score", compare="diff", alpha=0.05, correction=True)
    assert theirs != pytest.approx(published, rel=1e-3)


@bounded
@given(st.lists(st.tuples(st.integers(40, 3_000), st.integers(1, 9)), min_size=2, max_size=5))
def test_the_sample_ratio_test_is_the_chi_square_of_scipy(arms: list[tuple[int, int]]) -> None:
    names = "abcde"[: len(arms)]
    weights = {name: float(weight) for name, (_, weight) in zip(names, arms, strict=True)}
    observed = [n for n, _ in arms]
    expected = np.array(list(weights.values())) / sum(weights.values()) * sum(observed)
    assume(expected.min() >= 5)
    question = plan(variants=names, cells=[Cell(epoch=1, segment="all", weights=weights)])
    moments = {(1, "all", name): {"visits": conversions(n // 2, n)} for name, n in zip(names, observed, strict=True)}
    ours = segment(build(question, table(moments))).srm
    theirs = scipy.stats.chisquare(observed, expected)
    assert (ours.chi_square, ours.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-9)
    assert ours.degrees_of_freedom == len(arms) - 1


@pytest.mark.parametrize(
    ("family", "theirs"),
    [
        ("bonferroni", "bonferroni"),
        ("holm", "holm"),
        ("hochberg", "simes-hochberg"),
        ("benjamini_hochberg", "fdr_bh"),
        ("benjamini_yekutieli", "fdr_by"),
    ],
)
@bounded
@given(seed=st.integers(0, 2**32 - 1), segments=st.integers(1, 6), arms=st.integers(2, 4))
def test_a_reports_family_is_adjusted_as_statsmodels_does(
    family: FamilyMethod, theirs: str, seed: int, segments: int, arms: int
) -> None:
    """Segments × pairs of variants on the primary metric, at one look."""
    rng = np.random.default_rng(seed)
    variants, names = "abcd"[:arms], [f"s{index}" for index in range(segments)]
    question = plan(variants=variants, segments=names, stopping_rule="fixed_horizon", family=family)
    report = build(
        question,
        table(
            {
                (1, name, variant): {"visits": conversions(int(rng.binomial(2_000, rng.uniform(0.1, 0.14))), 2_000)}
                for name in names
                for variant in variants
            }
        ),
    )
    pairs = [pair for scope in report.segments for pair in scope.metrics[0].comparisons]
    assert len(pairs) == segments * arms * (arms - 1) // 2
    adjusted = multipletests([pair.p_value for pair in pairs], alpha=0.05, method=theirs)[1]
    assert [pair.p_value_adjusted for pair in pairs] == pytest.approx(list(adjusted), rel=1e-9)


@bounded
@given(st.lists(st.tuples(*[st.integers(0, 40)] * 4), min_size=2, max_size=6))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_mantel_haenszel_with_sparse_tables_is_the_one_of_statsmodels(rows: list[tuple[int, int, int, int]]) -> None:
    assume(all(a + b and c + d for a, b, c, d in rows))
    strata = [
        StratumRates(treatment=Proportion(successes=a, n=a + b), baseline=Proportion(successes=c, n=c + d))
        for a, b, c, d in rows
    ]
    found = mantel_haenszel(strata)
    theirs = StratifiedTable([np.array(row, dtype=float).reshape(2, 2) for row in rows])
    assume(not isinstance(found, Undefined) and np.isfinite(theirs.oddsratio_pooled) and theirs.oddsratio_pooled > 0)
    assert isinstance(found, CommonOdds)
    assert found.odds_ratio == pytest.approx(theirs.oddsratio_pooled, rel=1e-9)
    expected = theirs.oddsratio_pooled_confint(alpha=0.05, method="normal")
    assert ends(found.interval) == pytest.approx(expected, rel=1e-7)


def test_statsmodels_corrects_a_small_mantel_haenszel_excess_beyond_zero() -> None:
    """Known difference: an excess below ½ is 0 after the correction; they square what is left of the ½.

    Mantel & Haenszel (1959), and R: the correction is min(½, |excess|).
    """
    rows = [(5, 5, 6, 5), (4, 4, 4, 4)]
    strata = [
        StratumRates(treatment=Proportion(successes=a, n=a + b), baseline=Proportion(successes=c, n=c + d))
        for a, b, c, d in rows
    ]
    found = mantel_haenszel(strata, corrected=True)
    assert isinstance(found, CommonOdds)
    assert (found.chi_square, found.p_value) == (0.0, 1.0)
    theirs = StratifiedTable([np.array(row, dtype=float).reshape(2, 2) for row in rows])
    assert theirs.test_null_odds(correction=True).statistic > 0.01


@bounded
@given(st.floats(0.02, 0.6), st.floats(0.05, 0.4), st.floats(0.6, 0.95))
def test_the_sample_size_of_rates_is_the_one_of_statsmodels(rate: float, lift: float, target: float) -> None:
    """One tail at α/2: two-sided, what falls beyond the wrong end is not counted by either."""
    difference = rate * lift
    assume(rate + difference < 0.95)
    design = Design(metric=Conversion(rate=rate))
    found = sample_size(design, difference=difference, target_power=target)
    assert isinstance(found, SampleSize)
    theirs = samplesize_proportions_2indep_onetail(difference, rate, target, ratio=1, alpha=0.05, value=0)
    assert found.control == pytest.approx(theirs, rel=1e-4)
    assert power(design, control_units=found.control, difference=difference) == pytest.approx(target, abs=1e-9)


def test_one_segment_helper_compares_against_the_first_arm() -> None:
    """What all of the above leans on: `a` is the control, the difference is that of `b` over it."""
    pair = comparison(segment(one_segment({"a": conversions(10, 1_000), "b": conversions(20, 1_000)})))
    assert (pair.treatment, pair.baseline) == ("b", "a")
    assert pair.difference.value == pytest.approx(0.01)
