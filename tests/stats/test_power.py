"""Power, sample size, detectable effect and duration: published numbers, statsmodels, inverses, simulation."""

from __future__ import annotations

from math import inf, nan, sqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.stats.power import NormalIndPower, TTestIndPower

from analysis.comparison import Evidence, StratumMoments, compare
from analysis.design.designs import Design
from analysis.design.metrics import Conversion, Count, Mean, Metric, Ratio, from_moments
from analysis.design.power import DetectableEffect, SampleSize, minimum_detectable_effect, power, sample_size
from analysis.design.rules import Arms, Rule
from analysis.effects.proportions import Proportion
from analysis.effects.ratios import ratio_value
from analysis.effects.scores import TwoProportions, score_z
from analysis.estimate import Undefined
from analysis.inference.sequential import mixture_scale, multiplier
from analysis.moments import Moments
from analysis.plan import MetricKind
from tests.stats.builders import reason

UNIT = Mean(mean=10.0, std_dev=1.0)


def size(design: Design, difference: float, target: float = 0.8) -> SampleSize:
    found = sample_size(design, difference=difference, target_power=target)
    assert isinstance(found, SampleSize)
    return found


def chance(design: Design, control_units: float, difference: float) -> float:
    found = power(design, control_units=control_units, difference=difference)
    assert isinstance(found, float)
    return found


def test_evan_miller() -> None:
    """Evan Miller's sample size calculator, 20 % → 25 %, power .8: 1,030 an arm; digits by arithmetic."""
    found = size(Design(metric=Conversion(rate=0.2), null_variance="baseline"), 0.05)
    assert found.control == pytest.approx(1030.22, abs=0.005)
    assert found.treatment == found.control
    assert found.total == 2062


def test_r_power_prop_test() -> None:
    """R, example(power.prop.test): p1 .50, p2 .75, power .90: n = 76.7; digits by arithmetic."""
    found = size(Design(metric=Conversion(rate=0.5)), 0.25, 0.9)
    assert found.control == pytest.approx(76.7069, abs=5e-5)
    assert found.total == 154


def test_r_power_t_test() -> None:
    """R, example(power.t.test): n 20, delta 1 has power .8689528; delta 1, power .90 needs n = 22.02110."""
    assert chance(Design(metric=UNIT), 20, 1.0) == pytest.approx(0.8689528, abs=5e-8)
    assert size(Design(metric=UNIT), 1.0, 0.9).control == pytest.approx(22.02110, abs=5e-6)
    # One-sided R prints 17.84713, its root being searched to 1e-4 only.
    assert size(Design(metric=UNIT, rule=Rule(sides=1)), 1.0, 0.9).control == pytest.approx(17.84713, abs=2e-5)


@pytest.mark.parametrize(
    ("units", "treatment_per_control", "tolerance"),
    [(3, 1.0, 1e-9), (12, 1.0, 1e-9), (400, 1.0, 1e-9), (400, 0.25, 2e-3), (400, 3.0, 2e-3)],
)
@pytest.mark.parametrize("effect", [0.1, 0.5, 2.0])
def test_power_of_a_t_test_is_that_of_statsmodels(
    units: int, treatment_per_control: float, tolerance: float, effect: float
) -> None:
    """TTestIndPower pools the variances: the same at equal arms; at unequal ones Welch has fewer degrees of freedom."""
    arms = Arms(treatment_per_control=treatment_per_control)
    theirs = TTestIndPower().power(
        effect_size=effect, nobs1=units, alpha=0.025, ratio=treatment_per_control, df=None, alternative="larger"
    )
    ours = chance(Design(metric=UNIT, rule=Rule(alpha=0.025, sides=1), arms=arms), units, effect)
    assert ours == pytest.approx(float(theirs), abs=tolerance)
    assert ours == chance(Design(metric=UNIT, arms=arms), units, effect)


@pytest.mark.parametrize("treatment_per_control", [1.0, 0.25, 3.0])
def test_in_large_samples_it_is_the_normal_power_of_statsmodels(treatment_per_control: float) -> None:
    """Two-sided, theirs also counts decisions for the wrong side: 2e-6 at a power of .8."""
    design = Design(metric=UNIT, arms=Arms(treatment_per_control=treatment_per_control))
    units, effect = 200_000, 0.0085
    theirs = NormalIndPower(ddof=0).power(
        effect_size=effect, nobs1=units, alpha=0.025, ratio=treatment_per_control, alternative="larger"
    )
    assert chance(design, units, effect) == pytest.approx(float(theirs), abs=1e-5)
    needed = NormalIndPower(ddof=0).solve_power(
        effect_size=effect,
        nobs1=None,
        alpha=0.05,
        power=0.8,
        ratio=treatment_per_control,
        alternative="two-sided",
    )
    assert size(design, effect).control == pytest.approx(float(np.squeeze(needed)), rel=3e-5)


@pytest.mark.parametrize(
    ("rule", "critical"),
    [
        (Rule(), 1.95996),
        (Rule(sides=1), 1.64485),
        # Dunnett's tables, two treatments, two-sided 5 %; Bonferroni for two: the normal quantile at .0125.
        (Rule(critical=2.21213), 2.21213),
        (Rule(comparisons=2), 2.24140),
        (Rule(comparisons=3, sides=1), 2.12805),
    ],
)
def test_the_critical_value_decides_the_size(rule: Rule, critical: float) -> None:
    """n = 2·(c + z.8)²/δ² for a known variance of 1."""
    found = size(Design(metric=UNIT, rule=rule, arms=Arms(treatments=2)), 0.01)
    assert found.control == pytest.approx(2 * (critical + 0.841621) ** 2 / 0.01**2, rel=3e-5)
    assert found.total == pytest.approx(3 * found.control, abs=3)


def test_several_treatments_need_least_with_a_larger_control() -> None:
    """Dunnett: four treatments, a control of √4 times their size."""

    def total(treatment_per_control: float) -> int:
        arms = Arms(treatments=4, treatment_per_control=treatment_per_control)
        return size(Design(metric=UNIT, rule=Rule(critical=2.44177), arms=arms), 0.02).total

    assert total(0.5) < min(total(0.4), total(0.62), total(1.0))


@pytest.mark.parametrize("metric", [Conversion(rate=0.1), UNIT, Count(rate=0.4, dispersion=3.0)])
def test_covariates_save_their_share_of_the_sample(metric: Metric) -> None:
    """n is proportional to 1 - ρ²."""
    with_covariates = type(metric)(**{name: getattr(metric, name) for name in metric.__slots__} | {"explained": 0.36})
    plain, adjusted = size(Design(metric=metric), 0.01).control, size(Design(metric=with_covariates), 0.01).control
    assert adjusted / plain == pytest.approx(0.64, rel=1e-3)


def test_counts_vary_with_their_mean() -> None:
    """Poisson 1 against 1.1: n = (z.025 + z.2)²·(1 + 1.1)/.1²; three times that at a dispersion of 3."""
    poisson = 7.848880 * 2.1 / 0.1**2
    assert size(Design(metric=Count(rate=1.0)), 0.1).control == pytest.approx(poisson, rel=2e-3)
    assert size(Design(metric=Count(rate=1.0, dispersion=3.0)), 0.1).control == pytest.approx(3 * poisson, rel=2e-3)


def test_a_ratio_varies_by_the_delta_method() -> None:
    """The same per-unit variance as the report's ratio_value has from the same units."""
    rng = np.random.default_rng(59)
    y = rng.poisson(5, 3_000) + 1.0
    x = rng.binomial(y.astype(int), rng.beta(1, 3, 3_000)).astype(float)
    dx, dy = x - x.mean(), y - y.mean()
    moments = Moments(
        n=3_000,
        mean=float(x.mean()),
        m2=float(dx @ dx),
        denominator_mean=float(y.mean()),
        denominator_m2=float(dy @ dy),
        co_m2=float(dx @ dy),
    )
    metric, seen = from_moments("ratio", moments), ratio_value(moments)
    assert isinstance(metric, Ratio)
    assert not isinstance(seen, Undefined)
    assert metric.value == pytest.approx(seen.value)
    assert metric.variance_at(0.5) == pytest.approx(seen.variance * 3_000, rel=1e-9)
    as_mean = Mean(mean=metric.value, std_dev=sqrt(metric.variance_at(0.0)))
    assert size(Design(metric=metric), 0.01).control == pytest.approx(size(Design(metric=as_mean), 0.01).control)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("conversion", Conversion(rate=0.25)),
        ("count", Count(rate=0.25, dispersion=0.75 * 4 / 3)),
        ("mean", Mean(mean=0.25, std_dev=0.5)),
    ],
)
def test_a_metric_as_seen_so_far(kind: MetricKind, expected: Metric) -> None:
    """One unit of four: s² = .25."""
    found = from_moments(kind, Moments(n=4, mean=0.25, m2=0.75))
    assert found == expected


def test_rounding_and_large_numbers_are_no_nonsense() -> None:
    """A rate a rounding error above 1; a ratio whose product of variances is no float."""
    assert from_moments("conversion", Moments(n=3, mean=1 + 1e-15)) == Conversion(rate=1.0)
    huge = from_moments(
        "ratio", Moments(n=3, mean=1e90, m2=1e180, denominator_mean=1e90, denominator_m2=1e180, co_m2=1e180)
    )
    assert isinstance(huge, Ratio)
    assert huge.variance_at(1.0) == pytest.approx(0.0, abs=1e-9)


def test_what_was_not_seen_is_named() -> None:
    assert reason(from_moments("mean", Moments())) == "no_units"
    assert reason(from_moments("conversion", Moments(n=1, mean=1.0))) == "one_unit"
    assert reason(from_moments("count", Moments(n=5))) == "no_events"
    assert reason(from_moments("ratio", Moments(n=5, mean=1.0))) == "zero_denominator"


METRICS: list[tuple[Metric, float]] = [
    (Conversion(rate=0.05), 0.03),
    (Conversion(rate=0.7, explained=0.2), -0.05),
    (Mean(mean=-3.0, std_dev=12.0), 2.0),
    (Count(rate=0.8, dispersion=2.5), 0.2),
    (Count(rate=0.8, dispersion=2.5), -0.2),
]

rules = st.builds(
    Rule,
    alpha=st.sampled_from([0.01, 0.05]),
    sides=st.sampled_from([1, 2]),
    comparisons=st.integers(1, 4),
    margin=st.sampled_from([0.0, -0.01]),
    tuned_for_units=st.sampled_from([None, 500, 50_000]),
)

arms = st.builds(Arms, treatments=st.integers(1, 3), treatment_per_control=st.sampled_from([0.2, 1.0, 2.0]))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(METRICS), rules, arms, st.floats(0.5, 0.99))
def test_size_effect_and_power_are_inverses(of: tuple[Metric, float], rule: Rule, split: Arms, target: float) -> None:
    metric, difference = of
    design = Design(metric=metric, rule=rule, arms=split)
    needed = size(design, difference, target)
    assume(needed.control > 2.01 / min(1, split.treatment_per_control))
    assert chance(design, needed.control, difference) == pytest.approx(target, abs=1e-8)
    found = minimum_detectable_effect(
        design, control_units=needed.control, target_power=target, direction=1 if difference > 0 else -1
    )
    assert isinstance(found, DetectableEffect)
    assert found.difference == pytest.approx(difference, rel=1e-6)
    if metric.value > 0:
        assert found.lift == pytest.approx(difference / metric.value, rel=1e-6)
    else:
        assert reason(found.lift) == "baseline_not_positive"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(METRICS), arms, st.floats(2, 1e6), st.floats(1.05, 50), st.floats(0.05, 0.9))
def test_more_units_and_larger_effects_have_more_power(
    of: tuple[Metric, float], split: Arms, units: float, factor: float, part: float
) -> None:
    design, difference = Design(metric=of[0], arms=split), of[1]
    units /= min(1, split.treatment_per_control)
    assert chance(design, units, difference) <= chance(design, units * factor, difference) * (1 + 1e-9)
    if chance(design, units, difference) > 0.5:
        assert chance(design, units, difference * part) <= chance(design, units, difference) * (1 + 1e-9)


@given(st.sampled_from(METRICS), st.floats(2, 1e4))
@settings(max_examples=30, deadline=None)
def test_without_a_difference_a_test_decides_towards_a_side_at_half_its_level(
    of: tuple[Metric, float], units: float
) -> None:
    assert chance(Design(metric=of[0]), units, 0.0) == pytest.approx(0.025, rel=1e-6)
    assert chance(Design(metric=of[0], rule=Rule(sides=1)), units, 0.0) == pytest.approx(0.05, rel=1e-6)


def two(successes: int, n: int, of_baseline: int, n_baseline: int) -> TwoProportions:
    return TwoProportions(
        treatment=Proportion(successes=successes, n=n), baseline=Proportion(successes=of_baseline, n=n_baseline)
    )


def test_power_of_the_score_test_by_simulation() -> None:
    """S = 4,000 experiments of 1:2 arms, .2 against .25, through the report's statistic."""
    runs, rng, n = 4_000, np.random.default_rng(61), 600
    design = Design(metric=Conversion(rate=0.2), arms=Arms(treatment_per_control=2.0))
    control, treatment = rng.binomial(n, 0.2, runs), rng.binomial(2 * n, 0.25, runs)
    zs = [score_z([two(int(b), 2 * n, int(a), n)]) for a, b in zip(control, treatment, strict=True)]
    found = np.mean([not isinstance(z, Undefined) and z > 1.959964 for z in zs])
    expected = chance(design, n, 0.05)
    assert found == pytest.approx(expected, abs=4 * sqrt(expected * (1 - expected) / runs) + 0.005)


def test_power_of_non_inferiority_by_simulation() -> None:
    """S = 4,000: 78 % against 80 % with a margin of 5 points, one-sided, through the Farrington–Manning statistic."""
    runs, rng, n = 4_000, np.random.default_rng(67), 1_500
    design = Design(metric=Conversion(rate=0.8), rule=Rule(sides=1, margin=-0.05))
    control, treatment = rng.binomial(n, 0.8, runs), rng.binomial(n, 0.78, runs)
    zs = [
        score_z([two(int(b), n, int(a), n)], margin=-0.05, corrected=False)
        for a, b in zip(control, treatment, strict=True)
    ]
    found = np.mean([not isinstance(z, Undefined) and z > 1.644854 for z in zs])
    expected = chance(design, n, -0.02)
    assert 0.5 < expected < 0.75
    assert found == pytest.approx(expected, abs=4 * sqrt(expected * (1 - expected) / runs) + 0.005)


def test_power_of_a_confidence_sequence_by_simulation() -> None:
    """S = 4,000: the sequence of the engine at its horizon, through `compare` on drawn moments."""
    runs, rng, n, effect = 4_000, np.random.default_rng(71), 1_500, 0.12
    design = Design(metric=Mean(mean=1.0, std_dev=1.0), rule=Rule(tuned_for_units=5_000))
    evidence = Evidence(alpha=0.05, rho=mixture_scale(0.05, 5_000))
    means = rng.normal([1.0, 1.0 + effect], 1 / sqrt(n), (runs, 2))
    spreads = rng.chisquare(n - 1, (runs, 2))
    decided = 0
    for (mean0, mean1), (m0, m1) in zip(means.tolist(), spreads.tolist(), strict=True):
        stratum = StratumMoments(
            units=2 * n, treatment=Moments(n=n, mean=mean1, m2=m1), baseline=Moments(n=n, mean=mean0, m2=m0)
        )
        effect_seen = compare("mean", [stratum], evidence)
        p = effect_seen.p_value_always_valid
        decided += isinstance(p, float) and p < 0.05 and mean1 > mean0
    expected = chance(design, n, effect)
    assert 0.4 < expected < 0.8
    assert decided / runs == pytest.approx(expected, abs=4 * sqrt(expected * (1 - expected) / runs))


def test_looking_at_any_time_costs_units() -> None:
    """At the horizon it is tuned for: ((c + z.8)/(1.96 + z.8))² with c the multiplier there, for 3,008 units an arm."""
    once, always = size(Design(metric=UNIT), 0.1), size(Design(metric=UNIT, rule=Rule(tuned_for_units=6_000)), 0.1)
    c = multiplier(round(2 * always.control), 0.05, mixture_scale(0.05, 6_000))
    assert always.control / once.control == pytest.approx(((c + 0.841621) / (1.959964 + 0.841621)) ** 2, rel=2e-3)
    one_sided = size(Design(metric=UNIT, rule=Rule(tuned_for_units=6_000, sides=1)), 0.1)
    assert once.control < one_sided.control < always.control


@pytest.mark.parametrize(
    ("metric", "rule", "units", "difference", "expected"),
    [
        (Conversion(rate=0.2), Rule(), 0, 0.1, "no_units"),
        (Conversion(rate=0.2), Rule(), 1, 0.1, "one_unit"),
        (Conversion(rate=0.2), Rule(), 100, 0.9, "out_of_range"),
        (Conversion(rate=0.2), Rule(), 100, -0.3, "out_of_range"),
        (Conversion(rate=0.2), Rule(margin=-1.5), 100, 0.1, "out_of_range"),
        (Count(rate=0.2), Rule(), 100, -0.3, "out_of_range"),
        (Conversion(rate=0.0), Rule(), 100, 0.0, "zero_variance"),
        (Mean(mean=1.0, std_dev=0.0), Rule(), 100, 1.0, "zero_variance"),
    ],
)
def test_power_that_does_not_exist_is_named(
    metric: Metric, rule: Rule, units: float, difference: float, expected: str
) -> None:
    assert reason(power(Design(metric=metric, rule=rule), control_units=units, difference=difference)) == expected


def test_everybody_against_nobody_is_certain() -> None:
    """Nobody in the control, everybody in the treatment: no spread as it is, but one under the hypothesis."""
    assert chance(Design(metric=Conversion(rate=0.0)), 10, 1.0) == 1.0
    assert chance(Design(metric=Conversion(rate=0.0)), 2, 1.0) == 1.0
    assert chance(Design(metric=Conversion(rate=0.0), rule=Rule(comparisons=10)), 2, 1.0) == 0.0


def test_sizes_that_do_not_exist_are_named() -> None:
    assert reason(sample_size(Design(metric=UNIT), difference=0.0)) == "no_effect"
    assert reason(sample_size(Design(metric=UNIT, rule=Rule(margin=-0.1)), difference=-0.1)) == "no_effect"
    assert reason(sample_size(Design(metric=UNIT), difference=1e-9)) == "too_many_units"
    assert reason(sample_size(Design(metric=Conversion(rate=0.9)), difference=0.2)) == "out_of_range"
    assert reason(sample_size(Design(metric=Mean(mean=1.0, std_dev=0.0)), difference=0.2)) == "zero_variance"
    assert size(Design(metric=UNIT), 1e6) == SampleSize(control=2.0, treatment=2.0, total=4)
    assert size(Design(metric=UNIT, arms=Arms(treatment_per_control=0.1)), 1e6).treatment == 2.0


def test_effects_that_do_not_exist_are_named() -> None:
    def detectable(metric: Metric, units: float, rule: Rule | None = None, direction: int = 1) -> str:
        design = Design(metric=metric, rule=rule or Rule())
        return reason(minimum_detectable_effect(design, control_units=units, direction=direction))  # type: ignore[arg-type]

    assert detectable(Conversion(rate=0.05), 50, direction=-1) == "unreachable"
    assert detectable(Conversion(rate=1.0), 50) == "unreachable"
    assert detectable(Conversion(rate=0.5), 1) == "one_unit"
    assert detectable(UNIT, 0) == "no_units"
    assert detectable(Mean(mean=1.0, std_dev=0.0), 50) == "zero_variance"
    assert detectable(Conversion(rate=0.5), 50, Rule(margin=-1.2)) == "out_of_range"


@pytest.mark.parametrize("target", [0.49, 1.0, nan])
def test_target_powers_that_are_none_are_refused(target: float) -> None:
    with pytest.raises(ValueError, match="target power"):
        sample_size(Design(metric=UNIT), difference=1.0, target_power=target)
    with pytest.raises(ValueError, match="target power"):
        minimum_detectable_effect(Design(metric=UNIT), control_units=10, target_power=target)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Rule(alpha=0.0),
        lambda: Rule(alpha=0.5, sides=1),
        lambda: Rule(comparisons=0),
        lambda: Rule(margin=inf),
        lambda: Rule(critical=2.2, comparisons=2),
        lambda: Rule(critical=2.2, tuned_for_units=100),
        lambda: Rule(critical=0.0),
        lambda: Rule(tuned_for_units=0),
        lambda: Arms(treatments=0),
        lambda: Arms(treatment_per_control=0.0),
        lambda: Conversion(rate=1.1),
        lambda: Conversion(rate=0.5, explained=1.0),
        lambda: Mean(mean=nan, std_dev=1.0),
        lambda: Mean(mean=0.0, std_dev=-1.0),
        lambda: Count(rate=-0.1),
        lambda: Ratio(numerator_mean=1, denominator_mean=0, numerator_variance=1, denominator_variance=1, covariance=0),
        lambda: Ratio(numerator_mean=1, denominator_mean=1, numerator_variance=1, denominator_variance=1, covariance=2),
        lambda: power(Design(metric=UNIT), control_units=-1, difference=0),
        lambda: power(Design(metric=UNIT), control_units=10, difference=nan),
    ],
)
def test_nonsense_is_refused(build: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        build()  # type: ignore[operator]
