"""Numbers that others have published, or that follow by arithmetic: one row each, to six significant digits.

An independent recomputation stands behind every expected value; none was produced by this engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import TypeVar

import numpy as np
import pytest
import statsmodels.api as sm

from analysis.design.designs import Design
from analysis.design.metrics import Conversion
from analysis.design.power import SampleSize, sample_size
from analysis.effects.arms import ArmPair, ArmValue
from analysis.effects.cuped import adjust, cross_moments, pooled_std_error
from analysis.effects.equivalence import MarginTest, difference_above, rate_above
from analysis.effects.lift import fieller
from analysis.effects.means import (
    critical_value,
    mean_value,
    two_sided_p,
    wald_interval,
    welch_degrees_of_freedom,
)
from analysis.effects.odds import CommonOdds, StratumRates, mantel_haenszel
from analysis.effects.proportions import Proportion, newcombe, wald_value, wilson
from analysis.effects.quantiles import Ranks, ranks
from analysis.effects.ratios import ratio_value
from analysis.effects.scores import TwoProportions, score_interval, score_z
from analysis.estimate import Undefined
from analysis.inference.bayes import Beta, compare_rates
from analysis.inference.dunnett import Alternative, dunnett_critical
from analysis.inference.group_sequential import any_look_chance, obrien_fleming, pocock
from analysis.inference.heterogeneity import EffectEstimate, Heterogeneity, heterogeneity, pooled_effect
from analysis.inference.msprt import log_mixture_ratio, normal_mixture_bound, running_p_value
from analysis.inference.multiplicity import benjamini_hochberg, benjamini_yekutieli, bonferroni, holm
from analysis.inference.sequential import mixture_scale, multiplier
from analysis.inference.shrinkage import james_stein
from analysis.moments import ArmKey, Moments, MomentTable
from analysis.plan import Cell
from analysis.report import build
from tests.stats.builders import moments_of, plan

Z = critical_value(0.05)


@dataclass(frozen=True, slots=True)
class Row:
    """`expected` to six digits; of an identity `compute` gives both sides in turn and nothing is expected."""

    what: str
    source: str
    compute: Callable[[], Sequence[float]]
    expected: Sequence[float] | None


T = TypeVar("T")


def defined(value: T | Undefined | None) -> T:
    assert value is not None
    assert not isinstance(value, Undefined)
    return value


def rate(successes: int, n: int) -> Proportion:
    return Proportion(successes=successes, n=n)


def two(treatment: Proportion, baseline: Proportion) -> list[TwoProportions]:
    return [TwoProportions(treatment=treatment, baseline=baseline)]


def pooled_z() -> Sequence[float]:
    z = defined(score_z(two(rate(5, 83), rate(12, 99)), corrected=False))
    return z, two_sided_p(z, inf)


NEWCOMBE = rate(56, 70), rate(48, 80)


def difference_of_rates() -> Sequence[float]:
    first, second = (wald_value(one) for one in NEWCOMBE)
    return (
        *wald_interval(ArmPair(treatment=first, baseline=second), Z),
        *newcombe(*NEWCOMBE, Z),
        *score_interval(two(*NEWCOMBE), Z),
        *score_interval(two(*NEWCOMBE), Z, corrected=False),
    )


def wilson_of_four() -> Sequence[float]:
    return [end for x, n in ((81, 263), (15, 148), (0, 20), (1, 29)) for end in wilson(rate(x, n), Z)]


def mean_of(moments: Moments) -> ArmValue:
    return defined(mean_value(moments))


def from_sums(n: int, total: float, squares: float) -> ArmValue:
    return mean_of(Moments(n=n, mean=total / n, m2=squares - total * total / n))


SLEEP = (
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)


def welch_on_sleep() -> Sequence[float]:
    first, second = (mean_of(moments_of(values)) for values in SLEEP)
    pair = ArmPair(treatment=first, baseline=second)
    t, freedom = pair.difference / sqrt(pair.variance), welch_degrees_of_freedom(pair)
    return t, freedom, two_sided_p(t, freedom), *wald_interval(pair, critical_value(0.05, freedom))


GBSTATS = ArmPair(treatment=from_sums(3_461, 2422.7, 134698.29), baseline=from_sums(3_407, 1396.87, 52377.9767))


def welch_on_gbstats() -> Sequence[float]:
    freedom = welch_degrees_of_freedom(GBSTATS)
    error, critical = sqrt(GBSTATS.variance), critical_value(0.05, freedom)
    p = two_sided_p(GBSTATS.difference / error, freedom)
    # Their sums have six digits themselves, and the difference .29000 of them.
    return round(GBSTATS.difference, 5), error, freedom, p, *wald_interval(GBSTATS, critical)


def fieller_on_gbstats() -> Sequence[float]:
    return defined(fieller(GBSTATS, critical_value(0.05, welch_degrees_of_freedom(GBSTATS))))


def delta_method_and_regression() -> Sequence[float]:
    rng, n = np.random.default_rng(20180819), 400
    events = rng.poisson(3, n) + 1
    unit = np.repeat(np.arange(n), events)
    clicked = rng.random(unit.size) < rng.beta(2, 5, n)[unit]
    robust = {"groups": unit, "use_correction": False, "df_correction": False}
    fit = sm.OLS(clicked.astype(float), np.ones(unit.size)).fit(
        method="pinv", cov_type="cluster", cov_kwds=robust, use_t=False
    )
    found = defined(ratio_value(moments_of(np.bincount(unit, weights=clicked, minlength=n), events)))
    return sqrt(found.variance), float(fit.bse[0]) * sqrt(n / (n - 1))


def covariate_arms() -> list[np.ndarray]:
    rng = np.random.default_rng(2013)
    before = [rng.normal(10, 3, n) for n in (150, 90)]
    return [np.column_stack([arm + 2 * x + rng.normal(0, 4, len(x)), x]) for arm, x in enumerate(before)]


def cuped_and_regression() -> Sequence[float]:
    arms = covariate_arms()
    rows = np.vstack(arms)
    treated = np.repeat([0.0, 1.0], [len(arm) for arm in arms])
    design = np.column_stack([np.ones(len(rows)), treated, rows[:, 1] - rows[:, 1].mean()])
    fit = sm.OLS(rows[:, 0], design).fit(method="qr", cov_type="nonrobust", use_t=True)
    moments = [cross_moments(arm) for arm in arms]
    baseline, treatment = (defined(arm) for arm in adjust(moments).arms)
    error = defined(pooled_std_error(moments[1], moments[0]))
    return treatment.value - baseline.value, float(fit.params[1]), error, float(fit.bse[1])


def variance_kept_and_correlation() -> Sequence[float]:
    arm = covariate_arms()[0]
    rho = float(np.corrcoef(arm.T)[0, 1])
    return defined(adjust([cross_moments(arm)]).variance_kept), 1 - rho**2


def sample_ratio(weights: dict[str, float], counts: dict[str, int]) -> tuple[float, float]:
    question = plan(variants=tuple(weights), cells=[Cell(epoch=1, segment="all", weights=weights)])
    units = {ArmKey(1, "all", variant): count for variant, count in counts.items()}
    found = build(question, MomentTable(units=units)).overall.srm
    return defined(found.chi_square), defined(found.p_value)


def four_sample_ratios() -> Sequence[float]:
    _, first = sample_ratio({"a": 1, "b": 1}, {"a": 1_000, "b": 1_200})
    second = sample_ratio({"a": 0.6, "b": 0.2, "c": 0.2}, {"a": 310, "b": 98, "c": 115})
    _, third = sample_ratio({"a": 0.5, "b": 0.5, "c": 0}, {"a": 550, "b": 450, "c": 0})
    return first, *second, third


THROMBOLYSIS = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0
]  # fmt: skip


def rejections() -> Sequence[float]:
    methods = (bonferroni, holm, benjamini_hochberg, benjamini_yekutieli)
    return [sum(p <= 0.05 for p in method(THROMBOLYSIS)) for method in methods]


def fourth_adjusted() -> Sequence[float]:
    return [method(THROMBOLYSIS)[3] for method in (benjamini_hochberg, holm, benjamini_yekutieli)]


def confidence_sequence() -> Sequence[float]:
    rho = mixture_scale(0.05, 5_000)
    return rho, *(float(multiplier(n, 0.05, rho)) / sqrt(n) for n in (100, 1_000, 5_000, 10_000, 100_000))


def mixture_ratio() -> Sequence[float]:
    found = defined(log_mixture_ratio(0.1, 2, 2_000, 0.01))
    return float(np.exp(found)), running_p_value([found])


def dunnett(alternative: Alternative) -> Sequence[float]:
    return [dunnett_critical([sqrt(0.5)] * k, 0.05, alternative=alternative) for k in range(1, 7)]


def units_an_arm(design: Design, difference: float, power: float) -> float:
    found = sample_size(design, difference=difference, target_power=power)
    assert isinstance(found, SampleSize)
    return found.control


def sample_sizes() -> Sequence[float]:
    miller = Design(metric=Conversion(rate=0.2), null_variance="baseline")
    return units_an_arm(miller, 0.05, 0.8), units_an_arm(Design(metric=Conversion(rate=0.5)), 0.25, 0.9)


def beliefs() -> Sequence[float]:
    first, second = compare_rates([Beta(successes=121, failures=1881), Beta(successes=141, failures=1861)])
    return second.chance_to_be_best, second.expected_loss, first.expected_loss


def batters() -> Sequence[float]:
    averages = [hits / 45 for hits in (18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7)]
    mean = sum(averages) / 18
    factor, shrunk = defined(james_stein(averages, mean * (1 - mean) / 45))
    return factor, shrunk[0]


def eight_schools() -> Sequence[float]:
    values, errors = (28, 8, -3, 7, -1, 1, 18, 12), (15, 10, 16, 11, 9, 11, 10, 18)
    schools = [EffectEstimate(value=float(v), std_error=float(e)) for v, e in zip(values, errors, strict=True)]
    mean, found = defined(pooled_effect(schools)), heterogeneity(schools)
    assert isinstance(found, Heterogeneity)
    return mean.value, mean.std_error, found.q


# Admitted and rejected men, admitted and rejected women, in six departments.
ADMISSIONS = [
    (512, 313, 89, 19),
    (353, 207, 17, 8),
    (120, 205, 202, 391),
    (138, 279, 131, 244),
    (53, 138, 94, 299),
    (22, 351, 24, 317),
]


def admissions() -> Sequence[float]:
    strata = [StratumRates(treatment=rate(a, a + b), baseline=rate(c, c + d)) for a, b, c, d in ADMISSIONS]
    found = mantel_haenszel(strata)
    assert isinstance(found, CommonOdds)
    return defined(found.odds_ratio), found.chi_square, found.p_value


def non_inferiority() -> Sequence[float]:
    treatment, baseline = rate(390, 500), rate(400, 500)
    pair = ArmPair(treatment=wald_value(treatment), baseline=wald_value(baseline))
    tests = (
        difference_above(pair, -0.05),
        rate_above(treatment, baseline, -0.05),
        rate_above(treatment, baseline, -0.05, corrected=False),
    )
    found = [defined(test) for test in tests]
    assert all(isinstance(test, MarginTest) for test in found)
    return [test.statistic for test in found]


def median_of_a_hundred() -> Sequence[float]:
    found = ranks(100, 0.5)
    assert isinstance(found, Ranks)
    return found.low, found.high, found.coverage


PEEKS = (1, 2, 5, 10, 20, 50, 100)
ROWS = (
    Row("pooled z, 5/83 v 12/99", "statsmodels documentation", pooled_z, (-1.40783, 0.159181)),
    Row(
        "56/70 - 48/80: Wald, Newcombe's hybrid, Miettinen-Nurminen, Mee",
        "Newcombe 1998, methods 1, 10 and score",
        difference_of_rates,
        (0.0575049, 0.342495, 0.0524315, 0.333873, 0.0528297, 0.338173, 0.0533338, 0.337729),
    ),
    Row(
        "Wilson 81/263, 15/148, 0/20, 1/29",
        "Newcombe 1998",
        wilson_of_four,
        (0.255289, 0.366210, 0.0623864, 0.160487, 0, 0.161125, 0.00611321, 0.171755),
    ),
    Row(
        "Welch on `sleep`",
        "R documentation",
        welch_on_sleep,
        (-1.86081, 17.7765, 0.0793941, -3.36548, 0.205483),
    ),
    Row(
        "difference of spend",
        "gbstats' tests",
        welch_on_gbstats,
        (0.290000, 0.124784, 5841.74, 0.0201584, 0.0453779, 0.534622),
    ),
    Row("lift of spend", "Fieller's formula, arithmetic", fieller_on_gbstats, (0.0940620, 1.70869)),
    Row("ratio's standard error = cluster-robust OLS", "Deng et al. 2018", delta_method_and_regression, None),
    Row("CUPED = ANCOVA", "Deng et al. 2013", cuped_and_regression, None),
    Row("variance cut = rho squared", "Deng et al. 2013", variance_kept_and_correlation, None),
    Row(
        "SRM 821,588 / 815,482",
        "Kohavi, Tang, Xu 2020",
        lambda: sample_ratio({"a": 1, "b": 1}, {"a": 821_588, "b": 815_482}),
        (22.7744, 1.82179e-06),
    ),
    Row(
        "SRM 1000/1200; 310/98/115 at .6/.2/.2; 550/450/0 at .5/.5/0",
        "arithmetic",
        four_sample_ratios,
        (2.00787e-05, 1.49649, 0.473195, 0.00156540),
    ),
    Row("15 p-values, rejections: Bonferroni, Holm, BH, BY", "Benjamini & Hochberg 1995", rejections, (3, 3, 4, 3)),
    Row("the fourth adjusted: BH, Holm, BY", "the same", fourth_adjusted, (0.035625, 0.114, 0.118212)),
    Row(
        "asymptotic confidence sequence tuned at 5,000: rho, half-widths",
        "Waudby-Smith et al., eq. 9",
        confidence_sequence,
        (0.0398401, 0.669439, 0.106375, 0.0429243, 0.0306148, 0.0105521),
    ),
    Row(
        "normal-mixture bound, v_opt 100",
        "confseq",
        lambda: [float(normal_mixture_bound(v, 0.05, 100)) for v in (10, 100, 1_000, 10_000)],
        (12.1908, 30.3521, 102.512, 356.164),
    ),
    Row("mSPRT, .1, V 2, n 2000, tau squared .01", "Johari et al.", mixture_ratio, (28.4033, 0.0352071)),
    Row(
        "O'Brien-Fleming, K = 5",
        "Jennison & Turnbull 2000",
        lambda: obrien_fleming(5),
        (4.56174, 3.22564, 2.63372, 2.28087, 2.04007),
    ),
    Row(
        "Pocock, K = 2, 3, 4, 5, 10",
        "Jennison & Turnbull 2000",
        lambda: [pocock(looks)[0] for looks in (2, 3, 4, 5, 10)],
        (2.17827, 2.28948, 2.36130, 2.41318, 2.55501),
    ),
    Row(
        "any-look error at 1.96",
        "Armitage et al. 1969",
        lambda: [any_look_chance([Z] * looks) for looks in PEEKS],
        (0.05, 0.0831178, 0.141689, 0.193357, 0.247911, 0.320450, 0.373619),
    ),
    Row(
        "Dunnett, two-sided, k = 1 to 6",
        "tables",
        lambda: dunnett("two_sided"),
        (1.95996, 2.21213, 2.34897, 2.44177, 2.51146, 2.56700),
    ),
    Row(
        "Dunnett, one-sided, k = 1 to 6",
        "tables",
        lambda: dunnett("greater"),
        (1.64485, 1.91633, 2.06208, 2.16033, 2.23382, 2.29219),
    ),
    Row("sample size 20 -> 25 %; .50 -> .75", "Evan Miller; R power.prop.test", sample_sizes, (1030.22, 76.7069)),
    Row(
        "Beta(121, 1881) v Beta(141, 1861)",
        "closed form = quadrature",
        beliefs,
        (0.899842, 3.70776e-04, 0.0103608),
    ),
    Row("18 batters: factor, Clemente", "Efron & Morris 1977", batters, (0.211653, 0.293914)),
    Row("eight schools: mean, error, Q", "Rubin 1981", eight_schools, (7.68562, 4.07192, 4.70708)),
    Row("UCB admissions, Mantel-Haenszel", "R documentation", admissions, (0.904697, 1.42695, 0.232263)),
    Row(
        "non-inferiority 390/500 v 400/500, margin .05: Wald, Miettinen-Nurminen, Farrington-Manning",
        "arithmetic",
        non_inferiority,
        (1.16493, 1.16354, 1.16412),
    ),
    Row("median of 100: ranks, coverage", "textbook", median_of_a_hundred, (40, 61, 0.964800)),
)


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.what} ({row.source})" for row in ROWS])
def test_reference(row: Row) -> None:
    found = list(row.compute())
    if row.expected is None:
        assert found[0::2] == pytest.approx(found[1::2], rel=1e-9)
    else:
        assert [f"{value:.6g}" for value in found] == [f"{value:.6g}" for value in row.expected]
