"""The engine beside tea-tasting. Every known difference has a test of its own, with the reason."""

from __future__ import annotations

from math import exp, sqrt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis.design.designs import Design
from analysis.design.metrics import Mean
from analysis.design.power import SampleSize, sample_size
from analysis.effects.arms import ArmPair, ArmValue
from analysis.effects.cuped import adjust, cross_moments
from analysis.effects.means import welch_degrees_of_freedom
from analysis.effects.ratios import ratio_value
from analysis.estimate import Undefined
from analysis.inference.multiplicity import benjamini_hochberg, benjamini_yekutieli, bonferroni, hochberg, holm
from analysis.report import build
from tests.peers.tables import Tables, bounded, compared, ends, number, tables
from tests.stats.builders import conversions, moments_of, plan, segment, table

tt = pytest.importorskip("tea_tasting")
multiplicity = pytest.importorskip("tea_tasting.multiplicity")


def analysed(found: Tables, **metrics: Any) -> Any:
    """Variant 0 is the control."""
    arms = (found.baseline, found.treatment)
    units = pa.table(
        {
            "variant": np.repeat([0, 1], [arm.n for arm in arms]),
            "x": np.concatenate([arm.x for arm in arms]),
            "y": np.concatenate([arm.y for arm in arms]),
            "before": np.concatenate([arm.before for arm in arms]),
        }
    )
    return tt.Experiment(**metrics).analyze(units, control=0)


def scale_of(found: Tables) -> float:
    return float(max(np.abs(found.treatment.x).max(), np.abs(found.baseline.x).max()))


@bounded
@given(tables())
@pytest.mark.parametrize("kind", ["mean", "ratio"])
def test_means_and_ratios(kind: str, found: Tables) -> None:
    """Difference, Welch's p-value and interval, and the lift."""
    ours = compared(kind, found)
    theirs = analysed(found, m=tt.Mean("x") if kind == "mean" else tt.RatioOfMeans("x", "y"))["m"]
    assert ours.difference.value == pytest.approx(theirs.effect_size, rel=1e-7, abs=1e-11 * scale_of(found))
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-6)
    expected = theirs.effect_size_ci_lower, theirs.effect_size_ci_upper
    assert ends(ours.difference.fixed) == pytest.approx(expected, rel=1e-7, abs=1e-10 * scale_of(found))
    assert ours.lift.value == pytest.approx(theirs.rel_effect_size, rel=1e-7, abs=1e-10)


@bounded
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=12))
@pytest.mark.parametrize(
    ("ours", "method", "options"),
    [
        (holm, "adjust_fwer", {"arbitrary_dependence": True, "method": "bonferroni"}),
        (hochberg, "adjust_fwer", {"arbitrary_dependence": False, "method": "bonferroni"}),
        (benjamini_hochberg, "adjust_fdr", {"arbitrary_dependence": False}),
        (benjamini_yekutieli, "adjust_fdr", {"arbitrary_dependence": True}),
    ],
    ids=["holm", "hochberg", "benjamini-hochberg", "benjamini-yekutieli"],
)
def test_families(ours: Any, method: str, options: dict[str, Any], p_values: list[float]) -> None:
    results = {index: {"m": {"pvalue": p}} for index, p in enumerate(p_values)}
    theirs = getattr(multiplicity, method)(results, "m", **options)
    assert ours(p_values) == pytest.approx([min(row["pvalue_adj"], 1) for row in theirs.to_dicts()], rel=1e-9)
    assert max(bonferroni(p_values)) >= max(p_values)


@bounded
@given(st.floats(0.1, 100), st.floats(0.15, 0.5), st.sampled_from([0.7, 0.8, 0.9]))
def test_sample_size_of_means(spread: float, effect: float, target: float) -> None:
    """Theirs rounds both arms together up; two-sided, it also counts decisions for the wrong side.

    Below effects of about a tenth of a standard deviation their search meets a NaN of the noncentral t and raises.
    """
    rng = np.random.default_rng(4)
    values = rng.normal(0, 1, 500)
    values = 10 + spread * (values - values.mean()) / values.std(ddof=1)
    theirs = tt.Mean("x", effect_size=effect * spread, power=target).solve_power(pa.table({"x": values}), "n_obs")
    ours = sample_size(Design(metric=Mean(mean=10.0, std_dev=spread)), difference=effect * spread, target_power=target)
    assert isinstance(ours, SampleSize)
    assert ours.total == pytest.approx(theirs[0].n_obs, abs=2, rel=1e-4)


@bounded
@given(st.integers(600, 5_000), st.integers(600, 5_000))
def test_sample_ratio_in_large_samples(n1: int, n0: int) -> None:
    """From 1,000 units on theirs is the normal approximation; its square is our chi-square."""
    moments = {
        (1, "all", "a"): {"visits": conversions(n0 // 2, n0)},
        (1, "all", "b"): {"visits": conversions(n1 // 2, n1)},
    }
    ours = segment(build(plan(), table(moments))).srm
    units = pa.table({"variant": np.repeat([0, 1], [n0, n1])})
    theirs = tt.Experiment(s=tt.SampleRatio(correction=False)).analyze(units, control=0)["s"]
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-6)


@bounded
@given(tables())
def test_known_difference_lift_intervals(found: Tables) -> None:
    """Theirs is the delta method's on the scale of logarithms, with degrees of freedom of its own; ours Fieller's.

    Only ours leaves out 0 exactly when p < alpha. Theirs is rebuilt from the arms.
    """
    ours = compared("mean", found)
    assume(not isinstance(ours.lift.fixed, Undefined))
    theirs = analysed(found, m=tt.Mean("x"))["m"]
    relative = [
        ArmValue(
            value=1.0, variance=float(arm.x.var(ddof=1)) / arm.n / arm.x.mean() ** 2, degrees_of_freedom=arm.n - 1.0
        )
        for arm in (found.treatment, found.baseline)
    ]
    pair = ArmPair(treatment=relative[0], baseline=relative[1])
    half = scipy.stats.t.isf(0.025, welch_degrees_of_freedom(pair)) * sqrt(pair.variance)
    ratio = 1 + number(ours.lift.value)
    rebuilt = ratio * exp(-half) - 1, ratio * exp(half) - 1
    assert (theirs.rel_effect_size_ci_lower, theirs.rel_effect_size_ci_upper) == pytest.approx(rebuilt, rel=1e-6)
    low, high = ends(ours.lift.fixed)
    assert (low > 0 or high < 0) == (number(ours.p_value) < 0.05)
    assert (low, high) != pytest.approx(rebuilt, rel=1e-9)


def test_known_difference_a_lift_interval_that_contradicts_the_test_of_the_difference() -> None:
    """On the scale of logarithms some intervals leave out 0 without the test of the difference rejecting, or contain it
    although it does."""
    rng = np.random.default_rng(11)
    contradictions = 0
    for _ in range(400):
        units = pa.table({"variant": np.repeat([0, 1], 60), "x": rng.gamma(0.8, 1 + 0.33 * np.repeat([0, 1], 60))})
        theirs = tt.Experiment(m=tt.Mean("x")).analyze(units, control=0)["m"]
        outside = theirs.rel_effect_size_ci_lower > 0 or theirs.rel_effect_size_ci_upper < 0
        contradictions += outside != (theirs.pvalue < 0.05)
    assert contradictions > 0


@bounded
@given(tables())
def test_known_difference_cuped(found: Tables) -> None:
    """Their slope is that of all units together, treatment effect included; ours is that within arms (ANCOVA's).

    With their slope in our formula, and without the degrees of freedom that slopes cost, the numbers are theirs.
    """
    arms = [found.treatment, found.baseline]
    x, before = (np.concatenate([getattr(arm, name) for arm in arms]) for name in ("x", "before"))
    total = np.cov(x, before)[0, 1] / before.var(ddof=1)
    theirs = analysed(found, m=tt.Mean("x", covariate="before"))["m"]
    rebuilt = [arm.x - total * arm.before for arm in arms]
    assert theirs.effect_size == pytest.approx(
        rebuilt[0].mean() - rebuilt[1].mean(), rel=1e-6, abs=1e-9 * scale_of(found)
    )
    std_error = sqrt(sum(float(one.var(ddof=1)) / len(one) for one in rebuilt))
    assert theirs.effect_size / theirs.statistic == pytest.approx(std_error, rel=1e-6)
    ours = adjust([cross_moments(np.column_stack([arm.x, arm.before])) for arm in arms])
    assert ours.theta[0] != pytest.approx(total, rel=1e-12)
    treatment, baseline = ours.arms
    assert isinstance(treatment, ArmValue)
    assert isinstance(baseline, ArmValue)
    pair = ArmPair(treatment=treatment, baseline=baseline)
    assert sqrt(pair.variance) == pytest.approx(std_error, rel=0.05)
    assert pair.difference == pytest.approx(theirs.effect_size, abs=0.5 * std_error)


def test_known_difference_no_spread() -> None:
    """Theirs divides by a standard error of 0; ours refuses, with a reason."""
    units = pa.table({"variant": np.repeat([0, 1], 50), "x": np.repeat([1.0, 2.0], 50)})
    with np.errstate(all="ignore"):
        theirs = tt.Experiment(m=tt.Mean("x")).analyze(units, control=0)["m"]
    assert not np.isfinite(theirs.statistic)
    ours = ratio_value(moments_of([1.0, 2.0], [0.0, 0.0]))
    assert isinstance(ours, Undefined)
    assert ours.reason == "zero_denominator"
