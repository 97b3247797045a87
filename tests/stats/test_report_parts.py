"""Parts of the report: strata, covariates, medians, days and margins."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest
import statsmodels.api as sm

from analysis.estimate import Interval, Undefined
from analysis.moments import CrossMoments, DayKey, Distribution, MetricKey, Moments
from analysis.plan import Cell, Covariate
from analysis.report import build
from tests.stats.builders import comparison, conversions, metric, moments_of, plan, segment, table
from tests.stats.exact_means import mean_with


def test_post_stratification_weighs_segments_instead_of_pooling_them() -> None:
    """Means 1 and 101 in segments of 400 and 600 units; 250 and 150 in b by chance, 200:400 in the other.

    Pooled, the difference of b is moved by that chance; weighted it is .4·2 + .6·3 = 2.6, with variance
    .16·(4/150 + 4/250) + .36·(9/200 + 9/400).
    """
    rows = {
        (1, "small", "a"): {"visits": Moments(n=150, mean=1.0, m2=4.0 * 149)},
        (1, "small", "b"): {"visits": Moments(n=250, mean=3.0, m2=4.0 * 249)},
        (1, "large", "a"): {"visits": Moments(n=200, mean=101.0, m2=9.0 * 199)},
        (1, "large", "b"): {"visits": Moments(n=400, mean=104.0, m2=9.0 * 399)},
    }
    question = {"segments": ("small", "large")}
    plain = build(plan(metric(kind="mean"), **question), table(rows))
    found = build(plan(metric(kind="mean"), post_stratified=True, **question), table(rows))
    row = comparison(found.overall)
    assert row.difference.value == pytest.approx(0.4 * 2 + 0.6 * 3)
    assert row.difference.std_error == pytest.approx(sqrt(0.16 * (4 / 150 + 4 / 250) + 0.36 * (9 / 200 + 9 / 400)))
    pooled = (250 * 3 + 400 * 104) / 650 - (150 * 1 + 200 * 101) / 350
    assert comparison(plain.overall).difference.value == pytest.approx(pooled)
    assert found.segments == plain.segments


def test_small_segments_share_a_stratum_in_a_post_stratified_plan() -> None:
    """Two segments of 60 units an arm are below the minimum of 100 alone, and pooled for all together."""
    rows = {
        (1, name, arm): {"visits": Moments(n=60, mean=value, m2=59.0)}
        for name, base in (("x", 1.0), ("y", 5.0))
        for arm, value in (("a", base), ("b", base + 1))
    }
    found = build(plan(metric(kind="mean"), segments=("x", "y"), post_stratified=True), table(rows))
    assert comparison(found.overall).difference.value == pytest.approx(1.0)
    assert comparison(found.segments[0]).difference.value == Undefined(
        reason="too_few_units",
        message="There is no stretch of time yet in which both have enough units side by side.",
    )


def test_covariates_in_the_report_are_a_regression() -> None:
    """The difference is the treatment's coefficient in the least-squares regression on two covariates."""
    rng = np.random.default_rng(20261122)
    n = 400
    before, other = rng.exponential(5, 2 * n), rng.normal(0, 1, 2 * n)
    treated = np.repeat([0.0, 1.0], n)
    y = 20 + 2 * before - other + 0.5 * treated + rng.normal(0, 2, 2 * n)
    covariates = (
        Covariate(key="before", event_name="visit", lookback_seconds=86_400),
        Covariate(key="other", event_name="view", lookback_seconds=86_400),
    )
    arms, cross = {}, {}
    for arm, flag in (("a", 0.0), ("b", 1.0)):
        chosen = np.column_stack([y, before, other])[treated == flag]
        centred = chosen - chosen.mean(axis=0)
        products = tuple(map(tuple, (centred.T @ centred).tolist()))
        cross[MetricKey(1, "all", arm, "visits")] = CrossMoments(
            n=n, mean=tuple(chosen.mean(axis=0).tolist()), centred=products
        )
        arms[1, "all", arm] = {"visits": moments_of(chosen[:, 0])}
    question = plan(metric(kind="mean", covariates=covariates))
    row = comparison(segment(build(question, table(arms, cross=cross))))
    fit = sm.OLS(y, sm.add_constant(np.column_stack([treated, before, other]))).fit()
    assert row.difference.value == pytest.approx(fit.params[1], rel=1e-9)
    assert row.difference.std_error == pytest.approx(fit.bse[1], rel=5e-3)
    plain = y[treated == 1].var(ddof=1) / n + y[treated == 0].var(ddof=1) / n
    assert row.variance_kept == pytest.approx(fit.bse[1] ** 2 / plain, rel=1e-2)
    assert isinstance(row.variance_kept, float)
    assert row.variance_kept < 0.1


def test_without_cross_products_a_metric_is_compared_as_it_is() -> None:
    covariate = Covariate(key="before", event_name="visit", lookback_seconds=86_400)
    arms = {(1, "all", name): {"visits": mean_with(value, 0.1)} for name, value in (("a", 5.0), ("b", 5.5))}
    adjusted = build(plan(metric(kind="mean", covariates=(covariate,))), table(arms))
    assert adjusted.segments == build(plan(metric(kind="mean")), table(arms)).segments


def distribution(rows: list[list[float]], thresholds: list[float]) -> Distribution:
    """By definition: rows of every unit."""
    up_to = []
    for threshold in thresholds:
        counts = [float(sum(value <= threshold for value in unit)) for unit in rows]
        up_to.append(moments_of(counts, [float(len(unit)) for unit in rows]))
    return Distribution(thresholds=tuple(thresholds), up_to=tuple(up_to))


def test_medians_of_rows_in_the_report() -> None:
    """Exponential values of 1 and 1.5 on average, one to three from each of 800 units: medians log 2 and 1.5·log 2."""
    rng = np.random.default_rng(7)
    scales = {"a": 1.0, "b": 1.5}
    rows = {
        arm: [rng.exponential(scale, rng.integers(1, 4)).tolist() for _ in range(800)] for arm, scale in scales.items()
    }
    together = sorted(value for arm in rows.values() for unit in arm for value in unit)
    question = plan(metric(kind="quantile", quantile=0.5))
    sums = {
        (1, "all", arm): {"visits": moments_of([sum(unit) for unit in of], [float(len(unit)) for unit in of])}
        for arm, of in rows.items()
    }
    known = {MetricKey(1, "all", arm, "visits"): distribution(of, together) for arm, of in rows.items()}
    found = segment(build(question, table(sums, distributions=known)))
    for arm, of in zip(found.metrics[0].arms, rows.values(), strict=True):
        values = sorted(value for unit in of for value in unit)
        middle = -(-len(values) // 2) - 1
        assert values[middle - 1] < arm.value <= values[middle], "between the thresholds, which are all values"
    row = comparison(found)
    # Var(median) = 1/(4·rows·f²) with f = 1/(2·scale) at the median of an exponential law.
    counts = [sum(map(len, of)) for of in rows.values()]
    expected = sqrt(sum(scale**2 / count for scale, count in zip(scales.values(), counts, strict=True)))
    assert row.difference.std_error == pytest.approx(expected, rel=0.15)
    assert isinstance(row.difference.fixed, Interval)
    assert row.difference.fixed.low < 0.5 * log(2) < row.difference.fixed.high
    assert isinstance(row.difference.always_valid, Interval)


@pytest.mark.parametrize(("margin", "equal"), [(0.01, False), (0.02, True), (None, False)])
def test_practically_equal_variants(margin: float | None, equal: bool) -> None:
    """Rates of .1 among 200,000 an arm: a multiplier of about 3.2 (400,000 units, tuned for 5,000) times √(18/200,000)
    of the rate makes an interval of the lift of ± .03; among a million an arm ± .014."""
    arms = {(1, "all", name): {"visits": conversions(100_000, 1_000_000)} for name in "ab"}
    found = segment(build(plan(minimum_lift=margin), table(arms)))
    interval = comparison(found).lift_in_family
    assert isinstance(interval, Interval)
    assert 0.01 < interval.high < 0.02
    assert ("practically_equal" in [one.code for one in found.findings]) is equal


def test_of_data_that_cannot_be_trusted_nothing_is_called_practically_equal() -> None:
    """As above, and the split was meant to be 2:1."""
    arms = {(1, "all", name): {"visits": conversions(100_000, 1_000_000)} for name in "ab"}
    cells = [Cell(epoch=1, segment="all", weights={"a": 2, "b": 1})]
    found = segment(build(plan(minimum_lift=0.02, cells=cells), table(arms)))
    codes = [one.code for one in found.findings]
    assert "srm" in codes
    assert "practically_equal" not in codes


def test_days_since_exposure_in_the_report() -> None:
    """An effect of 1 on the first day and none later, errors of .05 a day."""
    arms = {(1, "all", name): {"visits": mean_with(10.0, 0.05)} for name in "ab"}
    by_day = {
        DayKey(1, "all", name, day): mean_with(1.0 + (name == "b") * (day == 0), 0.05)
        for name in "ab"
        for day in range(8)
    }
    found = segment(build(plan(metric(kind="mean"), novelty_days=8), table(arms, by_day=by_day)))
    (novelty,) = found.novelty
    assert [day.day for day in novelty.days] == list(range(8))
    assert [day.difference for day in novelty.days] == pytest.approx([1.0] + [0.0] * 7)
    assert [day.units for day in novelty.days] == [2_000] * 8
    assert "novelty" in [one.code for one in found.findings]
