"""Confidence sequences and adjusted p-values: published numbers, duality, agreement with another implementation."""

from __future__ import annotations

from math import sqrt

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

from analysis.effects.means import critical_value
from analysis.estimate import SMALLEST_P, Undefined
from analysis.inference.families import adjust
from analysis.inference.multiplicity import (
    benjamini_hochberg,
    benjamini_yekutieli,
    bonferroni,
    e_benjamini_hochberg,
    hochberg,
    holm,
)
from analysis.inference.sequential import always_valid_p, mixture_scale, multiplier
from tests.stats.builders import plan

RHO = mixture_scale(0.05, 5_000)


def test_mixture_scale_of_waudby_smith() -> None:
    """arXiv 2103.06476, optimised at t by arithmetic."""
    assert pytest.approx(0.0398401, rel=4e-6) == RHO


@pytest.mark.parametrize(
    ("n", "half_width"),
    [(100, 0.669439), (1_000, 0.106375), (5_000, 0.0429243), (10_000, 0.0306148), (100_000, 0.0105521)],
)
def test_half_widths_for_a_standard_deviation_of_one(n: int, half_width: float) -> None:
    """arXiv 2103.06476, eq. 9, by arithmetic; the standard error is 1/√n."""
    assert multiplier(n, 0.05, RHO) / sqrt(n) == pytest.approx(half_width, rel=5e-6)


def test_the_sequence_is_narrowest_where_it_was_tuned() -> None:
    at_horizon = multiplier(5_000, 0.05, RHO)
    for other in (1_000, 3_000, 7_000, 20_000):
        assert multiplier(5_000, 0.05, mixture_scale(0.05, other)) >= at_horizon * (1 - 1e-4)


@given(st.integers(1, 10**9), st.floats(0.0001, 0.5), st.integers(1, 10**7))
def test_looking_at_any_time_costs_width(units: int, alpha: float, tuned_for: int) -> None:
    assert multiplier(units, alpha, mixture_scale(alpha, tuned_for)) > critical_value(alpha)


@given(st.floats(-40, 40), st.integers(2, 10**7), st.floats(0.001, 0.5))
def test_always_valid_p_is_dual_to_the_interval(z: float, units: int, alpha: float) -> None:
    rho = mixture_scale(0.05, 5_000)
    p = always_valid_p(z, units, rho)
    assume(abs(p - alpha) > 1e-9)
    assert (abs(z) > multiplier(units, alpha, rho)) == (p < alpha)


def test_always_valid_p_is_one_over_the_mixture_of_likelihood_ratios() -> None:
    """Johari et al.'s mSPRT for diff .1, variance 2, n 2000 an arm, τ² .01: Λ 28.4033, p .0352071.

    Their V·/n is the squared standard error .001; their mixing variance in standard errors is τ²/.001 = v = 10.
    """
    assert always_valid_p(0.1 / sqrt(0.001), 1, sqrt(0.01 / 0.001)) == pytest.approx(0.0352071, rel=4e-6)


@pytest.mark.parametrize(("z", "expected"), [(0.0, 1.0), (1e5, SMALLEST_P), (float("inf"), SMALLEST_P)])
def test_always_valid_p_stays_a_probability(z: float, expected: float) -> None:
    assert always_valid_p(z, 10_000, RHO) == expected


BH_1995 = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "rejections", "fourth"),
    [
        (bonferroni, 3, 0.1425),
        (holm, 3, 0.114),
        (hochberg, 3, 0.114),
        (benjamini_hochberg, 4, 0.035625),
        (benjamini_yekutieli, 3, 0.118212),
    ],
)
def test_benjamini_and_hochberg_1995_table(method: object, rejections: int, fourth: float) -> None:
    """JRSS B 57 (1995) 289-300, the example: fifteen p-values of a thrombolysis trial; adjusted ones by arithmetic."""
    adjusted = method(BH_1995)  # type: ignore[operator]
    assert sum(p <= 0.05 for p in adjusted) == rejections
    assert adjusted[3] == pytest.approx(fourth, rel=1e-5)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (bonferroni, "bonferroni"),
        (holm, "holm"),
        (hochberg, "simes-hochberg"),
        (benjamini_hochberg, "fdr_bh"),
        (benjamini_yekutieli, "fdr_by"),
    ],
)
@settings(max_examples=20, deadline=None)
@given(p_values=st.lists(st.floats(1e-12, 1), min_size=1, max_size=12))
def test_adjusted_p_values_are_those_of_statsmodels(ours: object, theirs: str, p_values: list[float]) -> None:
    expected = multipletests(p_values, alpha=0.05, method=theirs, is_sorted=False)[1]
    assert ours(p_values) == pytest.approx(expected, rel=1e-9)  # type: ignore[operator]


@given(p_values=st.lists(st.floats(1e-12, 1), min_size=1, max_size=12))
def test_each_method_is_at_least_as_sharp_as_the_one_with_fewer_assumptions(p_values: list[float]) -> None:
    chain = [method(p_values) for method in (benjamini_hochberg, hochberg, holm, bonferroni)]
    for p, *adjusted in zip(p_values, *chain, strict=True):
        assert [p, *adjusted, 1.0] == pytest.approx(sorted([p, *adjusted, 1.0]), rel=1e-12)


def rejected_by_e_bh(e_values: list[float], alpha: float) -> set[int]:
    """Wang & Ramdas (2022), definition 1, word for word: the k̂ largest, k̂ = max{k: k·e₍ₖ₎/m ≥ 1/α}."""
    m = len(e_values)
    order = sorted(range(m), key=lambda index: -e_values[index])
    most = max((k for k in range(1, m + 1) if k * e_values[order[k - 1]] / m >= 1 / alpha), default=0)
    return set(order[:most])


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=12), st.floats(0.001, 0.5))
def test_e_bh_rejects_what_its_definition_rejects(e_values: list[float], alpha: float) -> None:
    adjusted = e_benjamini_hochberg(e_values)
    assume(all(abs(q - alpha) > 1e-9 for q in adjusted))
    rejected = {index for index, q in enumerate(adjusted) if q <= alpha}
    assert {e_values[i] for i in rejected} == {e_values[i] for i in rejected_by_e_bh(e_values, alpha)}


def test_e_bh_by_hand() -> None:
    """Four e-values: 4/(1·100), 4/(2·50), 4/(3·2) and the last, below 1, is no evidence."""
    assert e_benjamini_hochberg([50, 0.5, 100, 2]) == pytest.approx([0.04, 1.0, 0.04, 2 / 3])


def test_e_values_at_the_ends_of_their_range() -> None:
    assert e_benjamini_hochberg([float("inf"), 0.0]) == [pytest.approx(2 * SMALLEST_P, rel=1e-12), 1.0]


@pytest.mark.parametrize("wrong", [-1.0, float("nan")])
def test_what_is_no_e_value_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="e-value"):
        e_benjamini_hochberg([3.0, wrong])


@pytest.mark.parametrize(
    "method", [bonferroni, holm, hochberg, benjamini_hochberg, benjamini_yekutieli, e_benjamini_hochberg]
)
def test_an_empty_family_is_empty(method: object) -> None:
    assert method([]) == []  # type: ignore[operator]


def test_members_without_a_p_value_count_and_stay_undefined() -> None:
    """Three members, one unknown: Holm gives 3·.01 and 2·.02, not 2·.01 and .02."""
    unknown = Undefined(reason="no_units", message="")
    adjusted = adjust(plan(), {"x": 0.01, "y": unknown, "z": 0.02})
    assert adjusted == {"x": pytest.approx(0.03), "y": unknown, "z": pytest.approx(0.04)}


def test_the_family_is_controlled_as_the_plan_says() -> None:
    adjusted = adjust(plan(family="benjamini_hochberg"), {"x": 0.01, "y": 0.02, "z": 0.9})
    assert adjusted == {"x": pytest.approx(0.03), "y": pytest.approx(0.03), "z": pytest.approx(0.9)}


def test_critical_values_are_the_quantiles() -> None:
    assert critical_value(0.05) == pytest.approx(norm.isf(0.025), rel=1e-12)
    # Student's t, two-sided 5 %, 10 degrees of freedom: any table.
    assert critical_value(0.05, 10) == pytest.approx(2.228139, rel=1e-6)
