"""Quantiles: textbook ranks, exact binomial coverage, differences, and several rows per unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom, norm

from analysis.aggregate import aggregate
from analysis.aggregation.distributions import shares
from analysis.effects.arms import ArmPair, ArmValue
from analysis.effects.means import wald_interval
from analysis.effects.quantiles import (
    QuantileEstimate,
    Ranks,
    ValueCounts,
    clustered_quantile,
    count_values,
    counts_at,
    distribution_value,
    quantile_value,
    ranks,
    rows_up_to,
)
from analysis.estimate import Interval, Undefined
from analysis.moments import Distribution
from analysis.report import build
from tests.stats.builders import at, events, exposures, metric, plan, segment


def test_the_median_of_a_hundred() -> None:
    """Any textbook: the 40th and the 61st, coverage .964800."""
    found = ranks(100, 0.5)
    assert isinstance(found, Ranks)
    assert (found.low, found.high) == (40, 61)
    assert found.coverage == pytest.approx(0.964800, abs=5e-7)


@given(st.integers(0, 5000), st.floats(0.01, 0.99), st.floats(0.001, 0.5))
def test_ranks_are_the_narrowest_that_leave_half_of_alpha_on_each_side(n: int, quantile: float, alpha: float) -> None:
    found = ranks(n, quantile, alpha)
    if isinstance(found, Undefined):
        # With so few, all values may lie on one side.
        assert max(binom.pmf(0, n, quantile), binom.pmf(n, n, quantile)) > alpha / 2 * (1 - 1e-9)
        return
    close = alpha / 2 * (1 + 1e-9)
    assert binom.cdf(found.low - 1, n, quantile) <= close < binom.cdf(found.low, n, quantile) * (1 + 1e-6)
    assert binom.sf(found.high - 1, n, quantile) <= close < binom.sf(found.high - 2, n, quantile) * (1 + 1e-6)
    expected = binom.cdf(found.high - 1, n, quantile) - binom.cdf(found.low - 1, n, quantile)
    assert found.coverage == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("n", "quantile", "low", "high"), [(6, 0.5, 1, 6), (72, 0.95, 64, 72), (10**6, 0.5, 499_020, 500_981)]
)
def test_smallest_sizes_and_a_million(n: int, quantile: float, low: int, high: int) -> None:
    """2·.5⁶ < .05 but 2·.5⁵ is not; .95⁷² < .025 but .95⁷¹ is not; 500,000.5 ± 1.96·500."""
    found = ranks(n, quantile)
    assert isinstance(found, Ranks)
    assert (found.low, found.high) == (low, high)
    assert n > 100 or isinstance(ranks(n - 1, quantile), Undefined)


values = st.lists(st.integers(-20, 20).map(float), max_size=40)


@given(values, values)
def test_counts_merge_and_rank(left: list[float], right: list[float]) -> None:
    merged = count_values(left) + count_values(right)
    assert merged == count_values(right) + count_values(left) == count_values([*left, *right])
    assert [merged.ranked(rank + 1) for rank in range(merged.n)] == sorted([*left, *right])


def test_quantile_of_the_first_hundred_numbers() -> None:
    found = quantile_value(count_values(range(1, 101)), 0.5)
    assert isinstance(found, QuantileEstimate)
    assert isinstance(found.interval, Interval)
    assert isinstance(found.arm, ArmValue)
    assert (found.value, found.interval.low, found.interval.high) == (50, 40, 61)
    # 21 wide at coverage .9648: z 2.1063; the normal theory says √(.25/100)/f = 5 for a density of 1/100.
    assert sqrt(found.arm.variance) == pytest.approx(21 / 2 / norm.isf((1 - 0.964800) / 2), rel=1e-5)
    assert sqrt(found.arm.variance) == pytest.approx(5, rel=0.02)


@pytest.mark.parametrize(("n", "quantile", "expected"), [(30, 0.1, 3), (10, 0.25, 3), (4, 0.5, 2), (1, 0.9, 1)])
def test_the_sample_quantile_is_the_value_at_the_next_whole_rank(n: int, quantile: float, expected: float) -> None:
    assert counts_at(count_values(range(1, n + 1)), quantile) == expected


def test_difference_of_two_medians_is_covered() -> None:
    """Lognormal against the same doubled: 95 % ± 4 standard errors, and the single interval at its own coverage."""
    runs, n, rng, covered, alone = 1500, 300, np.random.default_rng(1), 0, 0
    for _ in range(runs):
        first, second = (quantile_value(count_values(k * rng.lognormal(0, 1, n)), 0.5) for k in (1, 2))
        assert isinstance(first, QuantileEstimate)
        assert isinstance(second, QuantileEstimate)
        assert isinstance(first.arm, ArmValue)
        assert isinstance(second.arm, ArmValue)
        assert isinstance(first.interval, Interval)
        low, high = wald_interval(ArmPair(treatment=second.arm, baseline=first.arm), 1.959964)
        covered += low <= 1 <= high
        alone += first.interval.low <= 1 <= first.interval.high
    assert covered / runs == pytest.approx(0.95, abs=4 * sqrt(0.05 * 0.95 / runs))
    expected = ranks(n, 0.5)
    assert isinstance(expected, Ranks)
    assert alone / runs == pytest.approx(expected.coverage, abs=4 * sqrt(0.05 * 0.95 / runs))


def test_rows_of_one_unit_are_alike() -> None:
    """Ten page loads each, most of the spread between people: .95 ± 4 se by the delta method, far less row by row."""
    runs, people, loads, rng = 800, 150, 10, np.random.default_rng(2)
    unit_ids = np.repeat(np.arange(people), loads)
    covered = naive = 0
    for _ in range(runs):
        shown = (rng.normal(0, 1, people)[:, None] + 0.3 * rng.normal(size=(people, loads))).ravel()
        rows = count_values(shown)
        up_to = rows_up_to(shown, unit_ids, counts_at(rows, 0.5))  # type: ignore[arg-type]
        found, as_if = clustered_quantile(rows, up_to, 0.5), quantile_value(rows, 0.5)
        assert isinstance(found, QuantileEstimate)
        assert isinstance(found.interval, Interval)
        assert isinstance(as_if, QuantileEstimate)
        assert isinstance(as_if.interval, Interval)
        covered += found.interval.low <= 0 <= found.interval.high
        naive += as_if.interval.low <= 0 <= as_if.interval.high
    assert covered / runs == pytest.approx(0.95, abs=4 * sqrt(0.05 * 0.95 / runs))
    assert naive / runs < 0.6


def test_one_row_per_unit_is_nearly_the_unclustered_interval() -> None:
    shown = np.random.default_rng(3).normal(size=2000)
    rows = count_values(shown)
    up_to = rows_up_to(shown, range(2000), counts_at(rows, 0.9))  # type: ignore[arg-type]
    assert up_to.mean == pytest.approx(0.9)
    found, plain = clustered_quantile(rows, up_to, 0.9), quantile_value(rows, 0.9)
    assert isinstance(found, QuantileEstimate)
    assert isinstance(plain, QuantileEstimate)
    assert isinstance(found.arm, ArmValue)
    assert isinstance(plain.arm, ArmValue)
    assert found.value == plain.value
    assert found.arm.variance == pytest.approx(plain.arm.variance, rel=0.1)


@pytest.mark.parametrize(
    ("step", "exists"), [pytest.param(1.0, True, id="fine"), pytest.param(8.0, False, id="coarse")]
)
def test_values_in_steps_have_a_standard_error_where_the_interval_holds_several(step: float, exists: bool) -> None:
    """1,000 normal values of σ 100: the median's interval is ±1.96·1.2533·100/√1000 = ±7.8 wide, two steps of 8."""
    values = np.round(np.random.default_rng(4).normal(0, 100, 1_000) / step) * step
    rows = count_values(values)
    up_to = rows_up_to(values, range(1_000), counts_at(rows, 0.5))  # type: ignore[arg-type]
    for found in (quantile_value(rows, 0.5), clustered_quantile(rows, up_to, 0.5)):
        assert isinstance(found, QuantileEstimate)
        assert isinstance(found.interval, Interval)
        assert isinstance(found.arm, ArmValue) is exists


def at_thresholds(rows: Sequence[float], thresholds: NDArray[np.float64]) -> Distribution:
    return Distribution(
        thresholds=tuple(thresholds.tolist()),
        up_to=tuple(rows_up_to(rows, range(len(rows)), float(at)) for at in thresholds),
    )


@pytest.mark.parametrize(
    ("draw", "quantile"),
    [
        pytest.param(lambda rng: rng.poisson(20, 1_000), 0.9, id="items"),
        pytest.param(
            lambda rng: rng.choice([9.99, 19.99, 29.99, 49.99], 1_000, p=[0.3, 0.3, 0.25, 0.15]), 0.5, id="prices"
        ),
        pytest.param(lambda rng: rng.lognormal(size=1_000), 0.9, id="as good as continuous"),
    ],
)
def test_values_in_steps_name_no_false_difference(draw: Callable[[np.random.Generator], Any], quantile: float) -> None:
    """A/A tests of 1,000 units an arm: upper deciles of Poisson(20) whose error is read off one step err in .2."""
    rng, found, false = np.random.default_rng(5), 0, 0
    for _ in range(100):
        arms = [draw(rng).astype(float) for _ in "ab"]
        places = shares(quantile, 2_000)
        thresholds = np.unique(np.quantile(np.concatenate(arms), places))
        first, second = (distribution_value(at_thresholds(arm.tolist(), thresholds), quantile) for arm in arms)
        if isinstance(first, ArmValue) and isinstance(second, ArmValue):
            found += 1
            false += abs(first.value - second.value) > 1.96 * sqrt(first.variance + second.variance)
    assert found == 100
    assert false <= binom.ppf(0.999, 100, 0.05)


@pytest.mark.parametrize("quantile", [0.5, 0.9])
def test_a_large_effect_moves_the_arms_away_from_the_dense_thresholds_and_no_precision_is_lost(quantile: float) -> None:
    """Lognormal values, 40,000 units an arm, b's a fifth larger: Var = q(1 - q)/(n·f²) with f the density there."""
    rng = np.random.default_rng(6)
    rows = [(f"u{n}", "ab"[n % 2], "all", 1, at(0)) for n in range(80_000)]
    drawn = rng.lognormal(0.0, 1.0, len(rows)) * np.where(np.arange(len(rows)) % 2, 1.22, 1.0)
    question = plan(metric(kind="quantile", quantile=quantile))
    happened = [(unit, "visit", value, at(1)) for (unit, *_), value in zip(rows, drawn.tolist(), strict=True)]
    found = segment(build(question, aggregate(exposures(rows), events(happened), question)))
    place = norm.ppf(quantile)
    errors = [
        scale * np.exp(place) / norm.pdf(place) * sqrt(quantile * (1 - quantile) / 40_000) for scale in (1.0, 1.22)
    ]
    difference = found.metrics[0].comparisons[0].difference
    assert difference.std_error == pytest.approx(np.hypot(*errors), rel=0.08)
    medians = [np.quantile(drawn[arm::2], quantile) for arm in (0, 1)]
    assert difference.value == pytest.approx(medians[1] - medians[0], abs=0.25 * np.hypot(*errors))


@pytest.mark.parametrize("units", [40, 20_000], ids=["beside forty", "beside as many"])
def test_a_large_segment_has_its_precision_whoever_is_beside_it(units: int) -> None:
    """Lognormal values, 20,000 units of an arm: Var(upper decile) = .09/(n·f²) with f the density there."""
    rng = np.random.default_rng(4)
    rows = [
        (f"{where}{n}", "ab"[n % 2], where, 1, at(0))
        for where, size in (("l", 40_000), ("s", units))
        for n in range(size)
    ]
    values = rng.lognormal(0.0, 1.0, len(rows)).tolist()
    question = plan(metric(kind="quantile", quantile=0.9), segments=("l", "s"))
    happened = [(unit, "visit", value, at(1)) for (unit, *_), value in zip(rows, values, strict=True)]
    report = build(question, aggregate(exposures(rows), events(happened), question))
    density = norm.pdf(norm.ppf(0.9)) / np.exp(norm.ppf(0.9))
    for scope, size in ((report.overall, 40_000 + units), (report.segments[0], 40_000)):
        expected = sqrt(2 * 0.09 / (size / 2)) / density
        assert scope.metrics[0].comparisons[0].difference.std_error == pytest.approx(expected, rel=0.1)


def test_degenerate_groups() -> None:
    nobody, few = quantile_value(count_values([]), 0.5), quantile_value(count_values([1, 2, 3]), 0.5)
    assert isinstance(nobody, Undefined)
    assert nobody.reason == "no_units"
    assert isinstance(few, QuantileEstimate)
    assert few.value == 2
    assert isinstance(few.interval, Undefined)
    assert few.interval.reason == "too_few_units"
    zeros = quantile_value(count_values([0.0] * 90 + [5.0] * 10), 0.5)
    assert isinstance(zeros, QuantileEstimate)
    assert zeros.value == 0
    assert isinstance(zeros.arm, Undefined)
    assert zeros.arm.reason == "zero_variance"
    alone = clustered_quantile(count_values([1, 2]), rows_up_to([1, 2], ["a", "a"], 1), 0.5)
    assert isinstance(alone, Undefined)
    assert alone.reason == "one_unit"
    wide = clustered_quantile(count_values([1, 2]), rows_up_to([1, 2], ["a", "b"], 1), 0.5)
    assert isinstance(wide, QuantileEstimate)
    assert isinstance(wide.interval, Undefined)


def test_nonsense_is_refused() -> None:
    for call in (
        lambda: ranks(10, 0.0),
        lambda: ranks(10, 0.5, 1.0),
        lambda: ValueCounts(values=(2, 1), counts=(1, 1)),
    ):
        with pytest.raises(ValueError, match=r"quantile|ascend"):
            call()
