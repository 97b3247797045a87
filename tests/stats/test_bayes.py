"""Chance to be best and expected loss: closed forms, simulation of the posteriors, priors learnt from the past."""

from __future__ import annotations

from math import exp, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln
from scipy.stats import norm

from analysis.effects.arms import ArmValue
from analysis.effects.proportions import Proportion
from analysis.estimate import Undefined
from analysis.inference.bayes import (
    JEFFREYS,
    UNIFORM,
    Beta,
    Normal,
    beta_posterior,
    compare_means,
    compare_rates,
    learn_prior,
    normal_posterior,
)
from analysis.inference.heterogeneity import EffectEstimate


def beta(successes: float, failures: float) -> Beta:
    return Beta(successes=successes, failures=failures)


def normal(mean: float, std_dev: float) -> Normal:
    return Normal(mean=mean, std_dev=std_dev)


A, B = beta(121, 1881), beta(141, 1861)


def chance_in_closed_form(a: Beta, b: Beta) -> float:
    """P(b > a) = Σ B(a₁ + i, f₁ + f₂)/((f₂ + i)·B(1 + i, f₂)·B(a₁, f₁)), Miller 2015, for whole successes of b."""
    return sum(
        exp(
            betaln(a.successes + i, a.failures + b.failures)
            - np.log(b.failures + i)
            - betaln(1 + i, b.failures)
            - betaln(a.successes, a.failures)
        )
        for i in range(int(b.successes))
    )


def loss_in_closed_form(chosen: Beta, other: Beta) -> float:
    """E(other - chosen)⁺, Stucchio 2015: each mean times the chance with one success more."""
    more_other, more_chosen = (beta(arm.successes + 1, arm.failures) for arm in (other, chosen))
    return other.mean * chance_in_closed_form(chosen, more_other) - chosen.mean * chance_in_closed_form(
        more_chosen, other
    )


def test_121_of_2002_against_141_of_2002() -> None:
    """Closed form (Miller; Stucchio) = quadrature: .899842, losses 3.70776e-04 and .0103608."""
    first, second = compare_rates([A, B])
    assert second.chance_to_be_best == pytest.approx(0.899842, rel=1e-6)
    assert (second.expected_loss, first.expected_loss) == pytest.approx((3.70776e-04, 0.0103608), rel=2e-6)
    assert second.chance_to_be_best == pytest.approx(chance_in_closed_form(A, B), rel=1e-10)
    assert second.expected_loss == pytest.approx(loss_in_closed_form(B, A), rel=1e-9)
    assert first.expected_loss == pytest.approx(loss_in_closed_form(A, B), rel=1e-9)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60), st.floats(0.3, 3e3), st.integers(1, 60), st.floats(0.3, 3e3))
def test_two_rates_equal_the_closed_form(a: int, b: float, c: int, d: float) -> None:
    first, second = beta(a, b), beta(c, d)
    found = compare_rates([first, second])
    assert found[1].chance_to_be_best == pytest.approx(chance_in_closed_form(first, second), rel=1e-8, abs=1e-12)
    assert found[1].expected_loss == pytest.approx(loss_in_closed_form(second, first), rel=1e-7, abs=1e-12)
    assert found[0].expected_loss - found[1].expected_loss == pytest.approx(second.mean - first.mean, abs=1e-11)


@pytest.mark.parametrize(("mean", "std_dev"), [(1.0, 2.0), (-3.0, 0.01), (0.0, 1e-6), (12.0, 1.0), (5.0, 300.0)])
def test_two_means_equal_the_closed_form(mean: float, std_dev: float) -> None:
    """Φ(d/s), s·φ(d/s) - d·Φ(-d/s), also far in the tail and about a mean of 1e8."""
    spread = sqrt(1 + std_dev**2)
    for level in (0.0, 1e8):
        first, second = compare_means([normal(level, 1), normal(level + mean, std_dev)])
        assert second.chance_to_be_best == pytest.approx(norm.cdf(mean / spread), rel=1e-8)
        assert first.chance_to_be_best == pytest.approx(norm.sf(mean / spread), rel=1e-8)
        loss = spread * norm.pdf(mean / spread) - mean * norm.sf(mean / spread)
        assert second.expected_loss == pytest.approx(loss, rel=1e-7, abs=1e-13)


def test_five_rates_by_simulation() -> None:
    arms, rng, draws = [beta(30 + 4 * i, 970 - 30 * i) for i in range(5)], np.random.default_rng(1), 400_000
    sample = rng.beta([arm.successes for arm in arms], [arm.failures for arm in arms], (draws, 5))
    best = np.bincount(sample.argmax(axis=1), minlength=5) / draws
    loss = (sample.max(axis=1)[:, None] - sample).mean(axis=0)
    for one, chance, cost in zip(compare_rates(arms), best, loss, strict=True):
        assert one.chance_to_be_best == pytest.approx(chance, abs=4 * sqrt(chance * (1 - chance) / draws) + 1e-5)
        assert one.expected_loss == pytest.approx(cost, abs=2e-4)


def test_the_smaller_rate_is_best_where_less_is_better() -> None:
    more, less = compare_rates([A, B]), compare_rates([A, B], "decrease")
    assert less[0].chance_to_be_best == pytest.approx(more[1].chance_to_be_best, rel=1e-10)
    assert less[0].expected_loss == pytest.approx(more[1].expected_loss, rel=1e-9)
    first, second = compare_means([normal(0, 1), normal(1, 1)], "decrease")
    assert first.chance_to_be_best == pytest.approx(norm.cdf(1 / sqrt(2)), rel=1e-9)
    assert first.expected_loss < second.expected_loss


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.floats(0.05, 1e6), st.floats(0.05, 1e6)), min_size=1, max_size=6))
def test_chances_sum_to_one_and_losses_are_finite(parameters: list[tuple[float, float]]) -> None:
    found = compare_rates([beta(*pair) for pair in parameters])
    assert sum(one.chance_to_be_best for one in found) == pytest.approx(1, rel=1e-9)
    assert all(0 <= one.expected_loss <= 1 for one in found)
    means = [pair[0] / (pair[0] + pair[1]) for pair in parameters]
    for one, mean in zip(found, means, strict=True):
        # The expected loss is E max - mean: the same expected maximum from every arm.
        assert one.expected_loss + mean == pytest.approx(found[0].expected_loss + means[0], abs=1e-8)


def test_equal_arms_are_equally_good_and_a_single_one_is_best() -> None:
    assert [one.chance_to_be_best for one in compare_rates([JEFFREYS] * 4)] == pytest.approx([0.25] * 4, rel=1e-10)
    (alone,) = compare_means([normal(3, 1)])
    assert (alone.chance_to_be_best, alone.expected_loss) == (pytest.approx(1), 0.0)
    assert compare_rates([]) == compare_means([]) == []


def test_posteriors() -> None:
    assert beta_posterior(Proportion(successes=120, n=2000)) == A
    assert beta_posterior(Proportion(successes=0, n=3), JEFFREYS) == beta(0.5, 3.5)
    arm = ArmValue(value=4.0, variance=1.0, degrees_of_freedom=50)
    assert normal_posterior(arm) == normal(4, 1)
    # Precisions 1 and 1/4: mean 4·.8, variance .8, by hand.
    shrunk = normal_posterior(arm, normal(0, 2))
    assert isinstance(shrunk, Normal)
    assert (shrunk.mean, shrunk.std_dev) == pytest.approx((3.2, sqrt(0.8)))
    flat = normal_posterior(ArmValue(value=4.0, variance=0.0, degrees_of_freedom=50))
    assert isinstance(flat, Undefined)
    assert normal_posterior(flat) is flat


@pytest.mark.parametrize("make", [lambda: beta(0, 1), lambda: normal(0, 0), lambda: normal(float("nan"), 1)])
def test_no_distribution_is_refused(make: object) -> None:
    with pytest.raises(ValueError, match="needs"):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("method", ["dersimonian_laird", "paule_mandel", "maximum_likelihood"])
def test_a_prior_is_learnt_from_past_effects(method: str) -> None:
    """400 experiments with N(.02, .05²) effects and errors of .02 to .1: both numbers come back."""
    rng = np.random.default_rng(8)
    errors = rng.uniform(0.02, 0.1, 400)
    values = rng.normal(0.02, 0.05, 400) + errors * rng.normal(size=400)
    past = [EffectEstimate(value=float(v), std_error=float(e)) for v, e in zip(values, errors, strict=True)]
    prior = learn_prior(past, method)  # type: ignore[arg-type]
    assert isinstance(prior, Normal)
    assert prior.mean == pytest.approx(0.02, abs=4 * 0.004)
    assert prior.std_dev == pytest.approx(0.05, abs=0.012)


def test_nothing_is_learnt_from_no_spread() -> None:
    same = [EffectEstimate(value=1.0, std_error=1.0)] * 5
    for past, reason in ((same, "no_spread"), (same[:1], "too_few_segments")):
        found = learn_prior(past)
        assert isinstance(found, Undefined)
        assert found.reason == reason


def test_stopping_at_a_small_loss_keeps_the_promised_loss_on_average_over_the_prior() -> None:
    """Rates from the uniform prior: the realised loss of the arm chosen by expected loss is what was expected."""
    rng, runs, n = np.random.default_rng(6), 100, 50
    realised, expected = [], []
    for _ in range(runs):
        rates = rng.random(3)
        found = compare_rates(
            [beta_posterior(Proportion(successes=int(x), n=n), UNIFORM) for x in rng.binomial(n, rates)]
        )
        chosen = min(range(3), key=lambda i: found[i].expected_loss)
        realised.append(rates.max() - rates[chosen])
        expected.append(found[chosen].expected_loss)
    gap = np.array(realised) - np.array(expected)
    assert gap.mean() == pytest.approx(0, abs=4 * gap.std() / sqrt(runs))
