"""Q, I², τ², shrinkage, James–Stein, Mantel–Haenszel and contrasts: published examples and identities."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.meta_analysis import combine_effects

from analysis.effects.odds import CommonOdds, StratumRates, mantel_haenszel
from analysis.effects.proportions import Proportion
from analysis.estimate import Interval, Undefined
from analysis.inference.heterogeneity import (
    Contrast,
    EffectEstimate,
    Heterogeneity,
    contrasts,
    heterogeneity,
    pooled_effect,
    spread_at,
    tau_squared,
)
from analysis.inference.shrinkage import james_stein, next_segment, shrink


def estimates(values: object, errors: object) -> list[EffectEstimate]:
    return [EffectEstimate(value=float(v), std_error=float(e)) for v, e in zip(values, errors, strict=True)]  # type: ignore[call-overload]


# Rubin 1981, table 1: coaching effects on the SAT in eight schools.
SCHOOLS = estimates([28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18])
many = st.lists(st.tuples(st.floats(-50, 50), st.floats(0.5, 20)), min_size=3, max_size=12)


def test_eight_schools() -> None:
    """Rubin 1981: one effect for all 7.68562 ± 4.07192, Q 4.70708 on 7 degrees of freedom: no sign of a difference."""
    mean, found = pooled_effect(SCHOOLS), heterogeneity(SCHOOLS)
    assert isinstance(mean, EffectEstimate)
    assert isinstance(found, Heterogeneity)
    assert (mean.value, mean.std_error, found.q) == pytest.approx((7.68562, 4.07192, 4.70708), rel=1e-6)
    assert found.degrees_of_freedom == 7
    assert found.i_squared == 0
    assert [tau_squared(SCHOOLS, m) for m in ("dersimonian_laird", "paule_mandel", "maximum_likelihood")] == [0, 0, 0]


def test_eight_schools_in_full() -> None:
    """Bayesian Data Analysis, 3rd ed., table 5.3 (200 draws, so to about one): means and 95 % intervals, τ unknown."""
    found = shrink(SCHOOLS)
    assert isinstance(found, list)
    assert [one.value for one in found] == pytest.approx([11, 8, 6, 8, 5, 6, 11, 8], abs=1)
    assert (found[0].interval.low, found[0].interval.high) == pytest.approx((-2, 31), abs=1)
    assert (found[4].interval.low, found[4].interval.high) == pytest.approx((-9, 17), abs=1)


@pytest.mark.filterwarnings("ignore::RuntimeWarning:statsmodels")
@given(many)
def test_q_and_tau_squared_are_those_of_statsmodels(rows: list[tuple[float, float]]) -> None:
    values, errors = map(np.array, zip(*rows, strict=True))
    effects = estimates(values, errors)
    theirs = combine_effects(values, errors**2, method_re="dl", use_t=False, alpha=0.05)
    found = heterogeneity(effects)
    assert isinstance(found, Heterogeneity)
    assert found.q == pytest.approx(theirs.q, rel=1e-7, abs=1e-7)
    # Theirs divides by Q also where Q is next to nothing; by Higgins and Thompson (2002) I² is 0 up to Q = df.
    assert found.i_squared == pytest.approx(theirs.i2 if theirs.q > len(rows) - 1 else 0.0, abs=1e-7)
    assert tau_squared(effects, "dersimonian_laird") == pytest.approx(max(0.0, theirs.tau2), rel=1e-7, abs=1e-7)


@given(many)
def test_paule_mandel_makes_q_its_expectation(rows: list[tuple[float, float]]) -> None:
    effects = [EffectEstimate(value=v, std_error=e) for v, e in rows]
    tau2 = tau_squared(effects, "paule_mandel")
    assert isinstance(tau2, float)
    wider = [EffectEstimate(value=v, std_error=sqrt(e * e + tau2)) for v, e in rows]
    found = heterogeneity(wider)
    assert isinstance(found, Heterogeneity)
    if tau2:
        assert found.q == pytest.approx(len(rows) - 1, rel=1e-6)
    else:
        assert found.q <= len(rows) - 1 + 1e-9


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.lists(st.tuples(st.floats(-50, 50), st.floats(0.5, 20)), min_size=4, max_size=4), min_size=1, max_size=3
    )
)
def test_many_at_once_are_paule_and_mandel(groups: list[list[tuple[float, float]]]) -> None:
    """Newton's method, in arrays and in plain floats, against the bracketed root."""
    values, errors = np.array(groups).transpose(2, 0, 1)
    together = spread_at(values, errors**2, len(groups[0]) - 1)
    for group, found in zip(groups, together, strict=True):
        effects = [EffectEstimate(value=v, std_error=e) for v, e in group]
        alone = spread_at(
            *(np.array(column) for column in zip(*[(v, e * e) for v, e in group], strict=True)), len(group) - 1
        )
        assert found == pytest.approx(tau_squared(effects, "paule_mandel"), rel=1e-5, abs=1e-5)
        assert alone == pytest.approx(found, rel=1e-6, abs=1e-8)


def test_a_spread_at_no_q_at_all_is_infinite() -> None:
    assert spread_at(np.array([1.0, 2.0]), np.ones(2), 0.0) == np.inf
    assert spread_at(np.array([2.0, 2.0]), np.ones(2), 0.0) == 0.0


def test_equal_errors_make_all_three_the_textbook_variances() -> None:
    """With one error σ: the methods of moments give s² - σ², maximum likelihood (k-1)/k·s² - σ². By hand: s² 250/3."""
    effects = estimates([0.0, 10.0, 15.0, 20.0], [2.0] * 4)
    s2 = float(np.var([0, 10, 15, 20], ddof=1))
    assert tau_squared(effects, "dersimonian_laird") == pytest.approx(s2 - 4, rel=1e-10)
    assert tau_squared(effects, "paule_mandel") == pytest.approx(s2 - 4, rel=1e-9)
    assert tau_squared(effects, "maximum_likelihood") == pytest.approx(0.75 * s2 - 4, rel=1e-4)


def test_q_is_chi_square_when_segments_do_not_differ() -> None:
    rng, errors = np.random.default_rng(2), np.linspace(0.2, 3, 10)
    p_values = [heterogeneity(estimates(1 + errors * rng.normal(size=10), errors)).p_value for _ in range(2000)]  # type: ignore[union-attr]
    assert kstest(p_values, "uniform").statistic < 1.63 / sqrt(2000)


def test_eighteen_batters() -> None:
    """Efron & Morris 1977: hits in the first 45 times at bat of 1970; factor .211653, Clemente from .400 to .293914."""
    hits = [18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7]
    averages = [h / 45 for h in hits]
    mean = sum(averages) / 18
    found = james_stein(averages, mean * (1 - mean) / 45)
    assert not isinstance(found, Undefined)
    factor, shrunk = found
    assert factor == pytest.approx(0.211653, rel=3e-6)
    assert shrunk[0] == pytest.approx(0.293914, rel=3e-6)
    assert sum(shrunk) == pytest.approx(sum(averages))


def test_james_stein_at_its_ends() -> None:
    assert james_stein([1.0, 1.0, 1.0, 1.0], 1.0) == (0.0, [1.0] * 4)
    assert james_stein([0.0, 0.1, 0.0, 0.1], 1.0) == (0.0, [pytest.approx(0.05)] * 4)
    assert isinstance(james_stein([1.0, 2.0, 3.0], 1.0), Undefined)
    with pytest.raises(ValueError, match="variance"):
        james_stein([1.0] * 4, 0.0)


@given(many, st.floats(0, 500))
def test_shrinkage_for_a_known_variance_is_the_textbook_formula(rows: list[tuple[float, float]], tau2: float) -> None:
    effects = [EffectEstimate(value=v, std_error=e) for v, e in rows]
    found, mean = shrink(effects, tau_squared=tau2), pooled_effect(effects, tau2)
    assert isinstance(found, list)
    assert isinstance(mean, EffectEstimate)
    for one, effect in zip(found, effects, strict=True):
        kept = tau2 / (tau2 + effect.variance)
        error = sqrt(kept * effect.variance + (1 - kept) ** 2 * mean.variance)
        assert one.kept == pytest.approx(kept, abs=1e-12)
        assert one.value == pytest.approx(mean.value + kept * (effect.value - mean.value), rel=1e-9, abs=1e-9)
        assert one.std_error == pytest.approx(error, rel=1e-9)
        assert one.interval.high - one.value == pytest.approx(1.959964 * error, rel=1e-6)


@settings(deadline=None, max_examples=40)
@given(many, st.sampled_from([-1e6, 0.0, 1e6]))
def test_shrinkage_moves_with_the_level_and_keeps_the_order_of_equal_errors(
    rows: list[tuple[float, float]], level: float
) -> None:
    base = shrink([EffectEstimate(value=v, std_error=e) for v, e in rows])
    moved = shrink([EffectEstimate(value=v + level, std_error=e) for v, e in rows])
    assert isinstance(base, list)
    assert isinstance(moved, list)
    low, high = min(v for v, _ in rows), max(v for v, _ in rows)
    for one, other in zip(base, moved, strict=True):
        assert other.value - level == pytest.approx(one.value, abs=1e-6)
        assert low - 1e-9 <= one.value <= high + 1e-9
        assert one.interval.low < one.value < one.interval.high


def test_a_further_segment_by_hand() -> None:
    """Four effects with error 1, τ² = 3: mean 1.5, its variance 4/4, so ± 1.96·√(3 + 1)."""
    found = next_segment(estimates([0, 1, 2, 3], [1] * 4), 3.0)
    assert isinstance(found, Interval)
    assert (found.low, found.high) == pytest.approx((1.5 - 3.919928, 1.5 + 3.919928), rel=1e-6)


def test_contrasts_are_each_segment_against_the_others() -> None:
    """Effects 4, 1, 1 with errors 1, √2, √2: the others together 1 ± 1, so 3 ± √2; a half of Q's evidence, by hand."""
    first, second, third = contrasts(estimates([4, 1, 1], [1, sqrt(2), sqrt(2)]))
    assert isinstance(first, Contrast)
    assert (first.difference, first.std_error) == pytest.approx((3, sqrt(2)))
    assert first.p_value == pytest.approx(0.0338949, rel=1e-5)
    assert second == third
    two = contrasts(SCHOOLS[:2])
    assert [isinstance(one, Contrast) and one.p_value for one in two] == pytest.approx(
        [heterogeneity(SCHOOLS[:2]).p_value] * 2  # type: ignore[union-attr]
    )


@pytest.mark.parametrize("effects", [[], SCHOOLS[:1]], ids=["none", "one"])
def test_one_segment_differs_from_nothing(effects: list[EffectEstimate]) -> None:
    for found in (heterogeneity(effects), tau_squared(effects), shrink(effects), *contrasts(effects)):
        assert isinstance(found, Undefined)
        assert found.reason == "too_few_segments"
        assert found.message == "Fewer than two segments have an effect that can be compared yet."
    assert isinstance(pooled_effect([]), Undefined)
    assert isinstance(next_segment([], 1.0), Undefined)
    assert isinstance(shrink(SCHOOLS[:2]), Undefined)


def test_equal_effects_are_one() -> None:
    same = estimates([2, 2, 2], [1, 2, 3])
    assert heterogeneity(same) == Heterogeneity(q=0, degrees_of_freedom=2, p_value=1, i_squared=0)
    assert tau_squared(same, "paule_mandel") == tau_squared(same, "maximum_likelihood") == 0


def test_nonsense_is_refused() -> None:
    for wrong in (0.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="standard error"):
            EffectEstimate(value=1.0, std_error=wrong)
    for call in (lambda: pooled_effect(SCHOOLS, -1.0), lambda: shrink(SCHOOLS, tau_squared=-1.0)):
        with pytest.raises(ValueError, match="negative"):
            call()


# Admitted and rejected men, admitted and rejected women, in Berkeley's six largest departments, 1973.
UCB = [
    (512, 313, 89, 19),
    (353, 207, 17, 8),
    (120, 205, 202, 391),
    (138, 279, 131, 244),
    (53, 138, 94, 299),
    (22, 351, 24, 317),
]


def strata(tables: list[tuple[int, int, int, int]]) -> list[StratumRates]:
    return [
        StratumRates(treatment=Proportion(successes=a, n=a + b), baseline=Proportion(successes=c, n=c + d))
        for a, b, c, d in tables
    ]


def test_ucb_admissions() -> None:
    """R: `mantelhaen.test(UCBAdmissions)`: χ² 1.4269, p .2323, odds ratio .9046968, [.7719074, 1.0603298]."""
    found = mantel_haenszel(strata(UCB))
    assert isinstance(found, CommonOdds)
    assert isinstance(found.interval, Interval)
    assert (found.odds_ratio, found.chi_square, found.p_value) == pytest.approx((0.904697, 1.42695, 0.232263), rel=3e-6)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.7719074, 1.0603298), rel=1e-7)


@given(st.lists(st.tuples(*[st.integers(1, 500)] * 4), min_size=1, max_size=6))
def test_mantel_haenszel_is_the_one_of_statsmodels(tables: list[tuple[int, int, int, int]]) -> None:
    found = mantel_haenszel(strata(tables), corrected=False)
    theirs = StratifiedTable([np.array(table).reshape(2, 2) for table in tables])
    assert isinstance(found, CommonOdds)
    assert isinstance(found.interval, Interval)
    assert found.odds_ratio == pytest.approx(theirs.oddsratio_pooled, rel=1e-9)
    assert found.chi_square == pytest.approx(theirs.test_null_odds(correction=False).statistic, rel=1e-7, abs=1e-9)
    expected = theirs.oddsratio_pooled_confint(alpha=0.05, method="normal")
    assert (found.interval.low, found.interval.high) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(
    ("table", "reason"), [((5, 5, 0, 10), "unbounded"), ((0, 10, 0, 10), "zero_variance"), ((0, 10, 5, 5), None)]
)
def test_tables_with_zeros(table: tuple[int, int, int, int], reason: str | None) -> None:
    found = mantel_haenszel(strata([table]))
    if reason == "zero_variance":
        assert isinstance(found, Undefined)
        return
    assert isinstance(found, CommonOdds)
    assert isinstance(found.interval, Undefined)
    assert found.p_value < 0.05
    assert found.odds_ratio == 0 if reason is None else isinstance(found.odds_ratio, Undefined)
