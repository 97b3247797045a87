"""What the report joins: rules for looking, families, adjustment, beliefs, segments side by side, days, traffic."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from math import inf, log, sqrt
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import multivariate_normal, norm

from analysis.estimate import Belief, Comparison, Interval, Outlook, Report, Undefined
from analysis.inference.sequential import always_valid_p, mixture_scale, multiplier
from analysis.moments import ArrivalKey, CrossMoments, DayKey, Distribution, MetricKey, Moments, MomentTable, Shape
from analysis.plan import Cell, Covariate, EffectPrior, Looks
from analysis.report import build
from tests.stats.builders import at, comparison, conversions, metric, moments_of, plan, segment, table


def mean_with(value: float, std_error: float, n: int = 1_000) -> Moments:
    """Moments of n units whose mean has exactly this standard error."""
    return Moments(n=n, mean=value, m2=std_error * std_error * n * (n - 1))


def means(*values: tuple[float, float], **changes: Any) -> Report:
    """One segment; (mean, its standard error) of every arm, the first of them the control."""
    names = "abcdefg"[: len(values)]
    question = plan(metric(kind="mean"), variants=names, **changes)
    arms = {(1, "all", name): {"visits": mean_with(*value)} for name, value in zip(names, values, strict=True)}
    return build(question, table(arms))


# Lan–DeMets spending of O'Brien–Fleming's kind, two-sided .05, at fifths of the information: the boundaries that
# Reboussin, DeMets, Kim & Lan compute, Controlled Clinical Trials 21 (2000), pp. 190-207.
LAN_DEMETS = (4.8769, 3.3569, 2.6803, 2.2898, 2.0310)


@pytest.mark.parametrize("look", range(5))
def test_a_group_sequential_plan_decides_at_its_boundary(look: int) -> None:
    """2,000 units at this look, planned so that they are (look + 1)/5; the earlier looks at equal steps."""
    planned = 2_000 * 5 / (look + 1)
    earlier = tuple(round(planned * step / 5) for step in range(1, look + 1))
    looks = Looks(planned_units=round(planned), earlier_units={"all": earlier, None: earlier})
    error = sqrt(2) * 0.01
    for z, significant in ((LAN_DEMETS[look] - 0.02, False), (LAN_DEMETS[look] + 0.02, True)):
        found = means((10.0, 0.01), (10.0 + z * error, 0.01), stopping_rule="group_sequential", looks=looks)
        row = comparison(segment(found))
        assert isinstance(row.p_value_adjusted, float)
        assert (row.p_value_adjusted < 0.05) is significant
        assert isinstance(row.difference_in_family, Interval)
        assert (row.difference_in_family.low > 0) is significant
        half_width = (row.difference_in_family.high - row.difference_in_family.low) / 2
        # t with 1,998 degrees of freedom in place of z: 3 parts in a thousand at 4.9.
        assert half_width / error == pytest.approx(LAN_DEMETS[look], rel=4e-3)
        assert found.overall.metrics[0].comparisons[0].p_value_adjusted == row.p_value_adjusted


def test_after_the_last_look_nothing_is_left_to_spend() -> None:
    looks = Looks(planned_units=1_000, earlier_units={"all": (1_000,), None: (1_000,)})
    row = comparison(segment(means((10, 0.01), (11, 0.01), stopping_rule="group_sequential", looks=looks)))
    for number in (row.p_value_adjusted, row.difference_in_family, row.lift_in_family):
        assert isinstance(number, Undefined)
        assert number.reason == "nothing_to_spend"


@pytest.mark.parametrize("last", [2_000, 2_001])
def test_the_same_units_again_have_nothing_to_spend(last: int) -> None:
    """Their outcomes may have changed meanwhile: 15 looks at the same 10,000 units, of which some convert every day,
    err in .26 of A/A tests if all but the first are free. Units that left do not give a look back either."""
    looks = Looks(planned_units=4_000, earlier_units={"all": (1_000, last)})
    row = comparison(segment(means((10, 0.01), (11, 0.01), stopping_rule="group_sequential", looks=looks)))
    assert isinstance(row.p_value_adjusted, Undefined)
    assert row.p_value_adjusted.reason == "nothing_to_spend"


def test_segments_of_a_group_sequential_plan_expect_equal_shares_unless_told() -> None:
    """2,000 of 8,000 units in each of two segments are half of what is planned there, a quarter of 4,000·2 = 8,000."""
    arms = {
        (1, name, arm): {"visits": mean_with(value, 0.01)}
        for name in "xy"
        for arm, value in (("a", 10.0), ("b", 10.05))
    }
    question = {"segments": ("x", "y"), "stopping_rule": "group_sequential", "family": "bonferroni"}

    def half_width(looks: Looks) -> float:
        row = comparison(segment(build(plan(metric(kind="mean"), looks=looks, **question), table(arms))))
        assert isinstance(row.difference_in_family, Interval)
        return (row.difference_in_family.high - row.difference_in_family.low) / 2 / (sqrt(2) * 0.01)

    # One look at half of the information, alpha .025: 2·(2 - 2Φ(z(.025/4)/√.5)) on two sides.
    spent = 4 * norm.sf(norm.isf(0.025 / 4) / sqrt(0.5))
    assert half_width(Looks(planned_units=8_000)) == pytest.approx(norm.isf(spent / 2), rel=4e-3)
    told = Looks(planned_units=8_000, planned_by_segment={"x": 8_000})
    spent = 4 * norm.sf(norm.isf(0.025 / 4) / sqrt(0.25))
    assert half_width(told) == pytest.approx(norm.isf(spent / 2), rel=1e-2)


def test_an_unbounded_lift_of_a_group_sequential_plan_says_so() -> None:
    """The control's mean is half a standard error above 0: no percentage, and yet a look like any other."""
    looks = Looks(planned_units=4_000)
    arms = {
        (1, "all", arm): {"visits": replace(mean_with(value, 0.01), absolute_mean=1.0)}
        for arm, value in (("a", 0.005), ("b", 1.0))
    }
    question = plan(metric(kind="mean"), stopping_rule="group_sequential", looks=looks)
    row = comparison(segment(build(question, table(arms))))
    assert isinstance(row.p_value_adjusted, float)
    assert isinstance(row.lift_in_family, Undefined)
    assert row.lift_in_family.reason == "unbounded"


def test_nobody_is_shown_what_is_worse_or_not_on_offer_for_them() -> None:
    """b wins over all and in 19 segments; in the last it is worse than the control, and c forbids a verdict."""
    names = tuple(f"s{number:02d}" for number in range(20))
    rates = {"a": 0.10, "b": 0.108, "c": 0.10}
    arms = {}
    for name in names:
        n, of = (4_000, rates | {"b": 0.06}) if name == "s19" else (200_000, rates)
        for arm, rate in of.items():
            arms[1, name, arm] = {"visits": conversions(round(rate * n), n)}
    found = build(plan(variants=("a", "b", "c"), segments=names), table(arms))
    assert found.overall.verdict.variant == "b"
    assert found.recommendation is not None
    assert found.recommendation.advice == "per_segment"
    cells = [
        Cell(epoch=1, segment="adults", weights={"a": 1, "b": 1}),
        Cell(epoch=1, segment="kids", weights={"a": 1, "b": 0}),
    ]
    arms = {(1, "adults", arm): {"visits": conversions(x, 20_000)} for arm, x in (("a", 2_000), ("b", 2_600))}
    arms[1, "kids", "a"] = {"visits": conversions(500, 5_000)}
    found = build(plan(segments=("adults", "kids"), cells=cells), table(arms))
    assert found.recommendation is not None
    assert found.recommendation.advice == "per_segment"
    assert found.recommendation.winners == (("adults", "b"),)


def test_a_lift_that_stays_is_no_novelty_where_the_metric_falls() -> None:
    """+20 % every day, at daily rates of .10, .03, .02 …: the differences fall, the lift does not."""
    daily = (0.10, 0.03, 0.02, 0.015, 0.01, 0.01, 0.01)
    by_day = {
        DayKey(1, "all", arm, day): conversions(round(20_000 * rate * factor), 20_000)
        for arm, factor in (("a", 1.0), ("b", 1.2))
        for day, rate in enumerate(daily)
    }
    arms = {
        (1, "all", "a"): {"visits": conversions(3_900, 20_000)},
        (1, "all", "b"): {"visits": conversions(4_680, 20_000)},
    }
    found = segment(build(plan(novelty_days=7), table(arms, by_day=by_day)))
    assert "novelty" not in [one.code for one in found.findings]
    assert [day.difference for day in found.novelty[0].days] == pytest.approx([0.2 * rate for rate in daily])


def test_a_floor_with_rare_peaks_waits_where_the_split_is_uneven() -> None:
    """100 for everybody and 5,100 for one in 500, 9:1: the effective events of the values are many, those of the spread
    are not. A/A tests err in .33 over 100 looks unless such a metric waits."""
    rows = {}
    for arm, n in (("a", 9_000), ("b", 1_000)):
        values = np.full(n, 100.0)
        values[: n // 500] = 5_100.0
        d = values - values.mean()
        shape = Shape(
            n=n, mean=float(values.mean()), m2=float(d @ d), m3=float((d**3).sum()), smallest=100, largest=5_100
        )
        rows[arm] = (moments_of(values), shape)
    arms = {(1, "all", arm): {"visits": moments} for arm, (moments, _) in rows.items()}
    shapes = {MetricKey(1, "all", arm, "visits"): shape for arm, (_, shape) in rows.items()}
    cells = [Cell(epoch=1, segment="all", weights={"a": 9, "b": 1})]
    found = segment(build(plan(metric(kind="mean"), cells=cells), table(arms, shapes=shapes)))
    assert found.verdict.outcome == "too_early"
    assert "skewed_metric" in [one.code for one in found.findings]


def test_one_look_is_said_to_be_one_look() -> None:
    assert [one.code for one in means((10, 1), (10, 1), stopping_rule="fixed_horizon").findings] == ["single_look"]
    assert means((10, 1), (10, 1)).findings == ()


def test_three_arms_with_a_prior_have_no_chances_of_a_flat_one() -> None:
    arms = {(1, "all", arm): {"visits": conversions(x, 2_000)} for arm, x in (("a", 200), ("b", 230), ("c", 215))}
    question = plan(variants=("a", "b", "c"), lift_prior=EffectPrior(mean=0.0, std_dev=0.001))
    found = segment(build(question, table(arms)))
    assert found.metrics[0].beliefs == ()
    belief = comparison(found).belief
    assert isinstance(belief, Belief)
    assert 0.5 < belief.chance_to_beat < 0.52


def three_treatments(**changes: Any) -> list[Comparison]:
    """z of 2.3, 2.0 and 1.0 against the control, equal errors."""
    error = sqrt(2) * 0.01
    arms = [(10.0, 0.01), *((10 + z * error, 0.01) for z in (2.3, 2.0, 1.0))]
    found = means(*arms, stopping_rule="fixed_horizon", **changes)
    return list(segment(found).metrics[0].comparisons)


def test_dunnett_in_the_report() -> None:
    """Against the trivariate normal law with correlations of 1/2, by its distribution function."""
    rows = three_treatments(family="dunnett")
    correlated = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    for row, z in zip(rows, (2.3, 2.0, 1.0), strict=False):
        expected = 1 - multivariate_normal.cdf(np.full(3, z), cov=correlated, lower_limit=np.full(3, -z))
        assert row.p_value_adjusted == pytest.approx(expected, rel=6e-3)
        assert isinstance(row.difference_in_family, Interval)
        half_width = (row.difference_in_family.high - row.difference_in_family.low) / 2
        assert half_width / (sqrt(2) * 0.01) == pytest.approx(2.34897, rel=3e-3)
    assert all(
        isinstance(row.p_value_adjusted, Undefined) and row.p_value_adjusted.reason == "not_in_family"
        for row in rows[3:]
    )


@pytest.mark.parametrize(
    ("family", "factors"),
    [
        pytest.param("bonferroni", (6, 6), id="bonferroni: 6·p"),
        pytest.param("holm", (6, 5), id="holm: 6·p₁, 5·p₂"),
        pytest.param("benjamini_hochberg", (6, 3), id="benjamini-hochberg: 6/1·p₁, 6/2·p₂"),
        pytest.param("benjamini_yekutieli", (14.7, 7.35), id="benjamini-yekutieli: times 1 + 1/2 + … + 1/6 = 2.45"),
    ],
)
def test_families_of_the_report(family: str, factors: tuple[float, float]) -> None:
    """Six pairs, p of 2.3 and 2.0 standard errors the smallest: c against others is 1.3, .7 and less."""
    rows = three_treatments(family=family)
    once = sorted(row.p_value for row in rows if isinstance(row.p_value, float))
    found = sorted(row.p_value_adjusted for row in rows if isinstance(row.p_value_adjusted, float))
    assert found[1] >= found[0]
    step_up = family.startswith("benjamini")
    second = min(1.0, factors[1] * once[1])
    assert found[1] == pytest.approx(second, rel=1e-12) or (step_up and found[1] < second)
    assert found[0] == pytest.approx(min(factors[0] * once[0], second) if step_up else factors[0] * once[0], rel=1e-12)


def test_hochberg_is_never_weaker_than_holm() -> None:
    holm, hochberg = (three_treatments(family=family) for family in ("holm", "hochberg"))
    pairs = [(one.p_value_adjusted, other.p_value_adjusted) for one, other in zip(holm, hochberg, strict=True)]
    assert all(isinstance(a, float) and isinstance(b, float) and b <= a for a, b in pairs)
    assert any(b < a for a, b in pairs if isinstance(a, float) and isinstance(b, float))


def test_e_values_of_the_report_are_those_of_always_valid_p() -> None:
    """Two treatments in one segment: three pairs; e-BH's k-th largest e, times k/3, is compared with 1/alpha."""
    error = sqrt(2) * 0.01
    found = means((10, 0.01), (10 + 5 * error, 0.01), (10, 0.01), family="e_benjamini_hochberg")
    rows = segment(found).metrics[0].comparisons
    p = sorted(always_valid_p(z, 2_000, mixture_scale(0.05 / 3, 5_000)) for z in (5.0, 5.0, 0.0))
    expected = min(3 * p[0], 3 / 2 * p[1], p[2])
    assert rows[0].p_value_adjusted == pytest.approx(expected, rel=1e-6)


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
        assert arm.value == values[-(-len(values) // 2) - 1]
    row = comparison(found)
    # Var(median) = 1/(4·rows·f²) with f = 1/(2·scale) at the median of an exponential law.
    counts = [sum(map(len, of)) for of in rows.values()]
    expected = sqrt(sum(scale**2 / count for scale, count in zip(scales.values(), counts, strict=True)))
    assert row.difference.std_error == pytest.approx(expected, rel=0.15)
    assert isinstance(row.difference.fixed, Interval)
    assert row.difference.fixed.low < 0.5 * log(2) < row.difference.fixed.high
    assert isinstance(row.difference.always_valid, Interval)


def test_chances_of_the_reference_posteriors() -> None:
    """Beta(121, 1881) and Beta(141, 1861): P .899842, losses 3.70776e-04 choosing b and .0103608 choosing a."""
    found = segment(
        build(
            plan(),
            table(
                {
                    (1, "all", "a"): {"visits": conversions(120, 2000)},
                    (1, "all", "b"): {"visits": conversions(140, 2000)},
                }
            ),
        )
    )
    belief = comparison(found).belief
    assert isinstance(belief, Belief)
    assert belief.chance_to_beat == pytest.approx(0.899842, abs=5e-7)
    assert belief.loss_if_treatment == pytest.approx(3.70776e-4, rel=2e-6)
    assert belief.loss_if_baseline == pytest.approx(0.0103608, rel=2e-6)
    arms = found.metrics[0].beliefs
    assert [arm.variant for arm in arms] == ["a", "b"]
    assert [arm.chance_to_be_best for arm in arms] == pytest.approx([1 - 0.899842, 0.899842], abs=5e-7)
    assert [arm.expected_loss for arm in arms] == pytest.approx([0.0103608, 3.70776e-4], rel=2e-6)


def test_chances_of_three_means_add_up_and_order_as_they_should() -> None:
    found = segment(means((10, 0.1), (10.1, 0.1), (10.3, 0.1)))
    chances = [arm.chance_to_be_best for arm in found.metrics[0].beliefs]
    assert sum(chances) == pytest.approx(1.0)
    assert chances == sorted(chances)
    rng = np.random.default_rng(1)
    drawn = rng.normal([10, 10.1, 10.3], 0.1, (400_000, 3)).argmax(axis=1)
    assert chances == pytest.approx(np.bincount(drawn) / 400_000, abs=4e-3)


SCHOOLS = ((28, 15), (8, 10), (-3, 16), (7, 11), (-1, 9), (1, 11), (18, 10), (12, 18))


def test_eight_schools_as_segments() -> None:
    """Rubin 1981: Q 4.70708 on 7 degrees, pooled 7.68562 ± 4.07192."""
    names = tuple("ABCDEFGH")
    arms = {}
    for name, (effect, error) in zip(names, SCHOOLS, strict=True):
        arms[1, name, "a"] = {"visits": mean_with(500.0, error / sqrt(2))}
        arms[1, name, "b"] = {"visits": mean_with(500.0 + effect, error / sqrt(2))}
    found = build(plan(metric(kind="mean"), segments=names), table(arms))
    (row,) = found.segment_comparisons
    assert (row.treatment, row.baseline, row.degrees_of_freedom) == ("b", "a", 7)
    assert row.q == pytest.approx(4.70708, abs=5e-6)
    assert row.pooled.value == pytest.approx(7.68562, abs=5e-6)
    assert row.pooled.std_error == pytest.approx(4.07192, abs=5e-6)
    assert row.tau == 0.0
    assert not row.differ
    assert [one.segment for one in row.segments] == list(names)
    assert [one.raw for one in row.segments] == pytest.approx([effect for effect, _ in SCHOOLS])
    assert found.recommendation is not None
    assert found.recommendation.advice == "wait"


def test_one_winner_for_all_where_segments_do_not_differ() -> None:
    arms = {
        (1, name, arm): {"visits": conversions(x, 20_000)}
        for name in ("new", "old")
        for arm, x in (("a", 2_000), ("b", 2_600))
    }
    found = build(plan(segments=("new", "old"), variant_names={"b": "Bold"}), table(arms))
    advice = found.recommendation
    assert advice is not None
    assert (advice.advice, advice.variant) == ("one_for_all", "b")
    assert "Bold" in advice.sentence


def test_winners_of_their_own_where_segments_contradict() -> None:
    arms = {
        (1, name, arm): {"visits": conversions(x, 20_000)}
        for name, treated in (("new", 2_600), ("old", 1_500))
        for arm, x in (("a", 2_000), ("b", treated))
    }
    found = build(plan(segments=("new", "old")), table(arms))
    assert found.segment_comparisons[0].differ
    assert found.recommendation is not None
    assert found.recommendation.advice == "per_segment"
    assert found.recommendation.winners == (("new", "b"), ("old", "a"))


def test_an_open_comparison_says_when_it_decides_and_a_decided_one_does_not() -> None:
    """100 units a day in the last seven whole days; the sequence meets 0 where z·√(n/now) is its multiplier."""
    error = sqrt(2) * 0.05
    arms = {
        (1, "all", "a"): {"visits": mean_with(10, 0.05)},
        (1, "all", "b"): {"visits": mean_with(10 + 2 * error, 0.05)},
    }
    days = [(at(0) + timedelta(days=day)).date().isoformat() for day in range(10)]
    arrivals = {ArrivalKey("all", day): 100 if day >= days[2] else 5_000 for day in days}
    question = plan(metric(kind="mean"), watermark_at=at(9 * 86_400), minimum_lift=0.02)
    row = comparison(segment(build(question, table(arms, arrivals=arrivals))))
    assert isinstance(row.outlook, Outlook)
    assert isinstance(row.outlook.units_left, int)
    rho = mixture_scale(0.05, 5_000)
    total = 2_000 + row.outlook.units_left
    assert multiplier(total, 0.05, rho) == pytest.approx(2 * sqrt(total / 2_000), rel=1e-3)
    assert row.outlook.days_left == pytest.approx(row.outlook.units_left / 100)
    at_end = error * sqrt(2_000 / 5_000)
    critical = multiplier(5_000, 0.05, rho)
    assert row.outlook.detectable_lift == pytest.approx((critical + norm.isf(0.2)) * at_end / 10, rel=1e-6)
    decided = comparison(segment(means((10, 0.01), (11, 0.01))))
    assert decided.outlook is None


def test_an_effect_far_beyond_the_plan_is_doubted() -> None:
    codes = [one.code for one in segment(means((10, 0.01), (20, 0.01))).findings]
    assert codes == ["too_good_to_be_true"]


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


def test_a_single_value_that_makes_the_difference_is_named() -> None:
    """999 units of 0 and 1 alike in both arms, and one of 5,000 in b: without it there is no difference."""
    usual = [0.0] * 500 + [1.0] * 499
    values = {"a": [*usual, 1.0], "b": [*usual, 5_000.0]}
    arms = {(1, "all", name): {"visits": moments_of(of)} for name, of in values.items()}
    shapes = {}
    for name, of in values.items():
        x = np.array(of)
        d = x - x.mean()
        shapes[MetricKey(1, "all", name, "visits")] = Shape(
            n=len(x), mean=float(x.mean()), m2=float(d @ d), m3=float((d**3).sum()), smallest=0.0, largest=max(of)
        )
    found = segment(build(plan(metric(kind="mean")), table(arms, shapes=shapes)))
    messages = {one.code: one.message for one in found.findings}
    assert "5,000" in messages["outlier_influence"]


def test_a_cut_off_that_was_found_is_told() -> None:
    arms = {(1, "all", name): {"visits": mean_with(10.0, 0.05)} for name in "ab"}
    question = plan(metric(kind="mean", name="Revenue", winsor_quantile=0.99))
    found = build(question, table(arms, caps={"visits": 312.5}))
    assert [(one.code, one.severity) for one in found.findings] == [("winsorised", "info")]
    assert "312.5" in found.findings[0].message
    assert "0.99" in found.findings[0].message


def test_the_clock_counts_variance_not_units() -> None:
    """Two epochs of 1,000 units an arm, standard deviations 1 and 5: u = 2,000·(1 + 25)/1 = 52,000."""
    cells = [Cell(epoch=epoch, segment="all", weights={"a": 1, "b": 1}) for epoch in (1, 2)]
    arms = {
        (epoch, "all", name): {"visits": Moments(n=1_000, mean=value, m2=deviation**2 * 999)}
        for epoch, deviation in ((1, 1.0), (2, 5.0))
        for name, value in (("a", 10.0), ("b", 10.3))
    }
    row = comparison(segment(build(plan(metric(kind="mean"), cells=cells), table(arms))))
    error = sqrt(0.25 * (2 / 1000 + 50 / 1000))
    assert row.difference.std_error == pytest.approx(error)
    z = 0.3 / error
    assert row.p_value_always_valid == pytest.approx(always_valid_p(z, 52_000, mixture_scale(0.05, 5_000)))


def test_values_of_both_signs_count_by_their_size() -> None:
    """Margins of ±1 around .01: the sum is near nothing, the effective number of events is (Σ|x|)²/Σx² = n."""

    def margin(mean: float) -> Moments:
        n = 1_000
        return Moments(n=n, mean=mean, m2=n * (1 - mean * mean), absolute_mean=1.0)

    arms = {(1, "all", "a"): {"visits": margin(0.01)}, (1, "all", "b"): {"visits": margin(0.02)}}
    found = segment(build(plan(metric(kind="mean")), table(arms)))
    assert isinstance(comparison(found).difference.always_valid, Interval)
    assert "few_events" not in [one.code for one in found.findings]


def test_ends_of_intervals_are_ordered_at_rising_levels() -> None:
    """At one look, at every look, in the family of two segments at every look: wider and wider."""
    arms = {(1, name, arm): {"visits": conversions(x, 1_000)} for name in "xy" for arm, x in (("a", 100), ("b", 120))}
    row = comparison(segment(build(plan(segments=("x", "y")), table(arms))))
    for once, always, family in (
        (row.difference.fixed, row.difference.always_valid, row.difference_in_family),
        (row.lift.fixed, row.lift.always_valid, row.lift_in_family),
    ):
        widths = [one.high - one.low for one in (once, always, family) if isinstance(one, Interval)]
        assert len(widths) == 3
        assert all(a < b for a, b in pairwise(widths))
    assert row.difference.value is not inf


def test_a_metric_without_any_event_is_named() -> None:
    arms = {(1, "all", arm): {"visits": conversions(0, 2_000)} for arm in "ab"}
    found = build(plan(), table(arms))
    assert [(one.code, one.severity, one.metric) for one in found.findings] == [("no_events", "warning", "visits")]
    assert "4,000" in found.findings[0].message
    few = {(1, "all", arm): {"visits": conversions(0, 90)} for arm in "ab"}
    assert build(plan(), table(few)).findings == ()


@pytest.mark.parametrize(("outside", "severity"), [(200, "warning"), (201, "critical")])
def test_where_most_are_outside_of_the_plan_nothing_can_be_trusted(outside: int, severity: str) -> None:
    arms = {(1, "all", arm): {"visits": conversions(10, 100)} for arm in "ab"}
    found = build(plan(), table(arms, units_outside=outside))
    assert [(one.code, one.severity) for one in found.findings] == [("exposures_outside", severity)]


def test_a_table_without_anything_gives_reasons() -> None:
    found = build(plan(segments=("x", "y")), MomentTable())
    assert found.units == 0
    row = comparison(segment(found))
    assert isinstance(row.belief, Undefined)
    assert found.recommendation is not None
    assert found.recommendation.advice == "wait"


@pytest.mark.slow
@pytest.mark.parametrize(("watched", "names_somebody"), [(True, False), (False, True)], ids=["with shapes", "without"])
def test_an_uneven_split_of_a_floor_with_peaks_names_nobody_by_chance(watched: bool, names_somebody: bool) -> None:
    """100 A/A tests split 9:1, 30 looks of 200 units: 100 for everybody, 5,100 for one in 500."""
    rng = np.random.default_rng(17)
    cells = [Cell(epoch=1, segment="all", weights={"a": 9, "b": 1})]
    question = plan(metric(kind="mean"), cells=cells)
    wrong = 0
    for _ in range(100):
        peaks = {"a": np.cumsum(rng.binomial(180, 0.002, 30)), "b": np.cumsum(rng.binomial(20, 0.002, 30))}
        for look in range(9, 30, 2):
            arms, shapes = {}, {}
            for arm, n in (("a", 180 * (look + 1)), ("b", 20 * (look + 1))):
                share = peaks[arm][look] / n
                sums = {"mean": 100 + 5_000 * share, "m2": 5_000.0**2 * n * share * (1 - share)}
                cubes = 5_000.0**3 * n * share * (1 - share) * (1 - 2 * share)
                arms[1, "all", arm] = {"visits": Moments(n=n, **sums)}
                shapes[MetricKey(1, "all", arm, "visits")] = Shape(
                    n=n, m3=cubes, smallest=100.0, largest=5_100.0 if share else 100.0, **sums
                )
            found = segment(build(question, table(arms, shapes=shapes if watched else {})))
            if found.verdict.outcome not in ("undecided", "too_early"):
                wrong += 1
                break
    assert (wrong / 100 > 0.05 + 4 * sqrt(0.05 * 0.95 / 100)) is names_somebody, wrong
