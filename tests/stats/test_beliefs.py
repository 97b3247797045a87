"""Beliefs of all scopes at once: closed forms, the quadrature of `bayes`, and priors learnt from past reports."""

from __future__ import annotations

from dataclasses import replace
from math import nan, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from analysis.estimate import Belief, Undefined
from analysis.inference.bayes import Beta, Chance, Normal, compare_means, compare_rates
from analysis.inference.beliefs import (
    arm_beliefs,
    learn_lift_prior,
    normal_beliefs,
    rate_arm_beliefs,
    rate_beliefs,
    two_arm_beliefs,
)
from analysis.plan import EffectPrior
from analysis.report import to_dict
from tests.stats.builders import rates


def only(found: list[Belief | Undefined]) -> Belief:
    (belief,) = found
    assert isinstance(belief, Belief)
    return belief


def test_120_of_2000_against_140_of_2000() -> None:
    """Closed form (Miller; Stucchio) = quadrature: .899842, losses 3.70776e-04 and .0103608."""
    found = only(rate_beliefs([140], [2_000], [120], [2_000]))
    assert found.chance_to_beat == pytest.approx(0.899842, rel=1e-6)
    assert (found.loss_if_treatment, found.loss_if_baseline) == pytest.approx((3.70776e-04, 0.0103608), rel=2e-6)
    less = only(rate_beliefs([140], [2_000], [120], [2_000], direction="decrease"))
    assert less.chance_to_beat == pytest.approx(1 - found.chance_to_beat, rel=1e-12)
    assert (less.loss_if_treatment, less.loss_if_baseline) == (found.loss_if_baseline, found.loss_if_treatment)


def exact(s: int, n: int, s0: int, n0: int) -> tuple[Chance, Chance]:
    baseline, treatment = compare_rates(
        [Beta(successes=s0 + 1, failures=n0 - s0 + 1), Beta(successes=s + 1, failures=n - s + 1)]
    )
    return baseline, treatment


counts = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)).map(lambda pair: (min(pair), max(pair)))
few = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda pair: (min(pair), max(pair)))


@settings(deadline=None, max_examples=60)
@given(counts | few, counts | few)
def test_two_rates_equal_the_adaptive_quadrature(arm: tuple[int, int], other: tuple[int, int]) -> None:
    """Both arms from nobody to a million units: right to 1e-6."""
    found = only(rate_beliefs([arm[0]], [arm[1]], [other[0]], [other[1]]))
    baseline, treatment = exact(*arm, *other)
    assert found.chance_to_beat == pytest.approx(treatment.chance_to_be_best, abs=1e-6)
    assert found.loss_if_treatment == pytest.approx(treatment.expected_loss, abs=1e-7)
    assert found.loss_if_baseline == pytest.approx(baseline.expected_loss, abs=1e-7)


def test_scopes_do_not_mix() -> None:
    successes, units, base, base_units = [140, 3, 0], [2_000, 10, 0], [120, 1, 5], [2_000, 40, 50]
    together = rate_beliefs(successes, units, base, base_units)
    for i, row in enumerate(zip(successes, units, base, base_units, strict=True)):
        alone, one = only(rate_beliefs(*([value] for value in row))), together[i]
        assert isinstance(one, Belief)
        assert one.chance_to_beat == pytest.approx(alone.chance_to_beat, abs=1e-8)
        assert one.loss_if_treatment == pytest.approx(alone.loss_if_treatment, abs=1e-8)


@pytest.mark.parametrize(("difference", "error"), [(0.3, 0.2), (-0.3, 0.2), (0.0, 1.0), (1e-4, 1e-3), (8.0, 1.0)])
def test_a_difference_equals_the_closed_form(difference: float, error: float) -> None:
    """Φ(z) and the normal loss σ·(φ(z) - z·Φ(-z)), by scipy's distributions."""
    found, z = only(normal_beliefs([difference], [error])), difference / error
    assert found.chance_to_beat == pytest.approx(norm.cdf(z), rel=1e-12)
    assert found.loss_if_treatment == pytest.approx(error * (norm.pdf(z) - z * norm.sf(z)), rel=1e-9, abs=1e-18)
    assert found.loss_if_baseline - found.loss_if_treatment == pytest.approx(difference, rel=1e-12)
    less = only(normal_beliefs([difference], [error], "decrease"))
    assert (less.loss_if_baseline, less.chance_to_beat) == pytest.approx((found.loss_if_treatment, norm.cdf(-z)))


def test_a_prior_of_the_lift_is_one_of_the_difference() -> None:
    """Lift N(.1, .2²) over 5: difference N(.5, 1); with 2 ± 1 that is 1.25 ± √½, by hand. Flat where there is no value.

    A lift over a negative value has the other sign: N(-.5, 1).
    """
    prior = EffectPrior(mean=0.1, std_dev=0.2)
    found = normal_beliefs([2.0, 2.0, 2.0], [1.0] * 3, prior=prior, baseline_values=[5.0, 0.0, -5.0])
    for belief, (mean, error) in zip(found, [(1.25, sqrt(0.5)), (2.0, 1.0), (0.75, sqrt(0.5))], strict=True):
        assert isinstance(belief, Belief)
        assert belief.chance_to_beat == pytest.approx(norm.cdf(mean / error), rel=1e-9)
        assert belief.loss_if_baseline - belief.loss_if_treatment == pytest.approx(mean)


def test_what_has_no_spread_has_no_belief() -> None:
    found = normal_beliefs([1.0, nan, 1.0, 1.0], [0.0, 1.0, nan, 1.0])
    assert [isinstance(one, Undefined) and one.reason for one in found] == ["zero_variance"] * 3 + [False]
    impossible = rate_beliefs([5, nan], [4, 10], [1, 1], [10, 10])
    assert all(isinstance(one, Undefined) for one in impossible)
    assert arm_beliefs(["a", "b"], [1.0, nan], [1.0, 1.0]) == arm_beliefs([], [], []) == ()
    assert rate_arm_beliefs(["a"], [3], [2]) == ()


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(0.1, 3)), min_size=1, max_size=5),
    st.sampled_from(["increase", "decrease"]),
)
def test_arms_equal_the_adaptive_quadrature(arms: list[tuple[float, float]], direction: Any) -> None:
    expected = compare_means([Normal(mean=mean, std_dev=error) for mean, error in arms], direction)
    values, errors = zip(*arms, strict=True)
    found = arm_beliefs("abcde"[: len(arms)], values, errors, direction)
    assert [one.variant for one in found] == list("abcde"[: len(arms)])
    for one, other in zip(found, expected, strict=True):
        assert one.chance_to_be_best == pytest.approx(other.chance_to_be_best, abs=1e-6)
        assert one.expected_loss == pytest.approx(other.expected_loss, abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(counts.filter(lambda pair: pair[1] > 200), min_size=2, max_size=4),
    st.sampled_from(["increase", "decrease"]),
)
def test_arms_of_rates_equal_the_adaptive_quadrature(arms: list[tuple[int, int]], direction: Any) -> None:
    expected = compare_rates([Beta(successes=s + 1, failures=n - s + 1) for s, n in arms], direction)
    found = rate_arm_beliefs("abcd"[: len(arms)], [s for s, _ in arms], [n for _, n in arms], direction)
    for one, other in zip(found, expected, strict=True):
        assert one.chance_to_be_best == pytest.approx(other.chance_to_be_best, abs=1e-5)
        assert one.expected_loss == pytest.approx(other.expected_loss, abs=1e-5)


def test_two_arms_are_their_comparison() -> None:
    belief = only(normal_beliefs([0.3], [0.5]))
    found = two_arm_beliefs("b", "a", belief)
    expected = arm_beliefs(["a", "b"], [1.0, 1.3], [0.3, 0.4])
    for one, other in zip(found, expected, strict=True):
        assert one.variant == other.variant
        assert one.chance_to_be_best == pytest.approx(other.chance_to_be_best, abs=1e-9)
        assert one.expected_loss == pytest.approx(other.expected_loss, abs=1e-9)


def past(lift: float, error: float, outcome: str = "undecided") -> dict[str, Any]:
    """A stored report, as far as it is read."""
    one = {"baseline": "a", "lift": {"value": lift, "std_error": error}}
    between = {"baseline": "b", "lift": {"value": 9.0, "std_error": 0.1}}
    unknown = {"baseline": "a", "lift": {"value": {"undefined": "no_units", "message": ""}, "std_error": 1.0}}
    metrics = [
        {"role": "primary", "comparisons": [one, between, unknown]},
        {"role": "guardrail", "comparisons": [{"baseline": "a", "lift": {"value": 7.0, "std_error": 0.1}}]},
    ]
    return {"control": "a", "overall": {"verdict": {"outcome": outcome}, "metrics": metrics}}


def test_a_prior_is_learnt_from_past_reports() -> None:
    """300 lifts from N(.01, .04²), errors of .01 to .05; broken experiments of 10 (1,000 %) are left out."""
    rng = np.random.default_rng(12)
    errors = rng.uniform(0.01, 0.05, 300)
    lifts = rng.normal(0.01, 0.04, 300) + errors * rng.normal(size=300)
    reports = [past(float(lift), float(error)) for lift, error in zip(lifts, errors, strict=True)]
    prior = learn_lift_prior([*reports, *[past(10.0, 0.01, "untrustworthy")] * 20])
    assert isinstance(prior, EffectPrior)
    assert prior.mean == pytest.approx(0.01, abs=4 * 0.003)
    assert prior.std_dev == pytest.approx(0.04, abs=0.008)


def test_reports_as_built_and_as_stored_teach_the_same() -> None:
    reports = [rates(a=1_000, b=b) for b in (700, 950, 1_000, 1_100, 1_400)]
    prior = learn_lift_prior(reports)
    assert isinstance(prior, EffectPrior)
    assert prior == learn_lift_prior([to_dict(report) for report in reports])
    # The mean of the five lifts is .03; larger ones are known less well and weigh a little less.
    assert prior.mean == pytest.approx(0.03, abs=0.005)
    nothing = learn_lift_prior(reports[:1])
    assert isinstance(nothing, Undefined)
    broken = replace(
        reports[0],
        overall=replace(reports[0].overall, verdict=replace(reports[0].overall.verdict, outcome="untrustworthy")),
    )
    assert isinstance(learn_lift_prior([broken] * 5), Undefined)
