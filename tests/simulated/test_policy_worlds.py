"""Worlds draw what they say, and the baselines are the tests that they claim to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2_contingency
from statsmodels.stats.multitest import multipletests

from simulation.policy.baselines import Call, fixed_horizon, holm, naive_peeking, two_sided_p, z_scores
from simulation.policy.draws import Draws, draw_launch
from simulation.policy.scenarios import BROKEN_SPLIT, FADING, GUARDRAIL_HARM, NULL, ONE_OF_SIX, RAMP_NULL, WORLDS
from simulation.policy.world import CONTROL, TREATMENT, WEEK, Effect, World

MANY = 400


def drawn(world: World, seed: int = 1) -> Draws:
    return draw_launch(world, np.random.default_rng(seed))


def test_an_effect_halves_its_distance_to_where_it_ends() -> None:
    by_day = Effect(early=0.08, late=-0.04, half_life_days=10).by_day(21)
    assert by_day[[0, 10, 20]] == pytest.approx([0.08, 0.02, -0.01])
    assert Effect(early=0.05).by_day(3) == pytest.approx([0.05] * 3)


def test_rates_follow_week_trend_level_and_effect() -> None:
    world = World(
        key="w",
        title="W",
        segments=("low", "everyone"),
        levels=(0.5, 1.0),
        rate=0.1,
        trend=2.0,
        effects={("low", TREATMENT): Effect(early=0.2)},
    )
    last = 0.1 * 2.0 * WEEK[27 % 7]
    assert world.rates[27] == pytest.approx(np.array([[last / 2, last / 2 * 1.2], [last, last]]))
    assert world.rates[0, 1] == pytest.approx([0.1 * WEEK[0]] * 2)


def test_strengths_take_turns() -> None:
    lifts = [ONE_OF_SIX.of(index).true_lift("active", TREATMENT, 0, 28) for index in range(4)]
    assert lifts == pytest.approx([0.135, 0.18, 0.225, 0.135])
    assert ONE_OF_SIX.of(0).true_lift("new", TREATMENT, 0, 28) == 0


def test_true_lift_is_the_mean_over_days() -> None:
    assert FADING.true_lift("everyone", TREATMENT, 0, 1) == pytest.approx(0.08)
    assert FADING.true_lift("everyone", TREATMENT, 10, 11) == pytest.approx(0.015)
    assert FADING.true_lift("everyone", TREATMENT, FADING.days, FADING.days) == FADING.lifts[-1, 0, 1]


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.key)
def test_draws_have_the_expected_values(world: World) -> None:
    """Over many experiments within five standard errors: units, conversions and the guardrail's mean and variance."""
    world = world.of(1)
    all_drawn = [drawn(world, seed) for seed in range(MANY // 10)]
    units = np.sum([one.units for one in all_drawn], axis=(0, 1, 2))
    expected = len(all_drawn) * world.daily_units * (world.shares.sum(axis=(0, 1)) * world.counted)
    assert np.abs(units - expected) == pytest.approx(0, abs=5 * np.sqrt(expected.max()))
    conversions = np.sum([one.conversions for one in all_drawn], axis=(0, 1, 2))
    wanted = len(all_drawn) * world.daily_units * (world.shares * world.rates).sum(axis=(0, 1))
    assert np.abs(conversions - wanted) == pytest.approx(0, abs=5 * np.sqrt(wanted.max()))
    n = np.array([one.units for one in all_drawn])
    means = (n * [one.guardrail_mean for one in all_drawn]).sum(axis=(0, 1, 2)) / n.sum(axis=(0, 1, 2))
    assert means == pytest.approx(world.guardrail_means, abs=5 * world.guardrail_spread / np.sqrt(units.min()))
    variance = np.sum([one.guardrail_m2 for one in all_drawn]) / (n - 1).sum()
    assert variance == pytest.approx(world.guardrail_spread**2, rel=5 * np.sqrt(2 / n.sum()))


def test_the_bug_delivers_48_to_52_and_loses_only_who_did_not_convert() -> None:
    n = drawn(replace(BROKEN_SPLIT, daily_units=2_000_000)).units.sum(axis=(0, 1))
    assert n[1] / n.sum() == pytest.approx(0.48, abs=1e-4)
    assert BROKEN_SPLIT.lifts.max() == 0


def test_a_launch_gives_the_author_s_shares_by_day() -> None:
    assert RAMP_NULL.shares[[0, 2, 3, 7, 27], 0, 1] == pytest.approx([0.1, 0.1, 0.25, 0.5, 0.5])
    assert NULL.shares[5, 3] == pytest.approx([0.5, 0.5])


def test_the_pooled_z_is_the_root_of_the_chi_square() -> None:
    """`scipy.stats.chi2_contingency` without Yates' correction, of (90, 910) and (130, 870)."""
    z = z_scores(np.array([1_000, 1_000]), np.array([90, 130]))
    found = chi2_contingency([[90, 910], [130, 870]], correction=False)
    assert z**2 == pytest.approx([found.statistic])
    assert z > 0
    assert two_sided_p(z) == pytest.approx([found.pvalue])


def test_a_z_without_data_is_none() -> None:
    assert z_scores(np.array([0, 10]), np.array([0, 1])) == pytest.approx([0.0])


def test_holm_is_that_of_statsmodels() -> None:
    p = np.array([[0.04, 0.001], [0.0099, 0.2], [0.0126, 0.9]])
    expected = multipletests(p.ravel(), alpha=0.05, method="holm")[0]
    assert holm(p).ravel().tolist() == expected.tolist()
    assert expected.sum() == 2


def days_of(units: int, *conversions: tuple[int, int]) -> Draws:
    counts = np.array(conversions)[:, None, :]
    nothing = np.zeros(counts.shape)
    return Draws(units=np.full(counts.shape, units), conversions=counts, guardrail_mean=nothing, guardrail_m2=nothing)


ONE = World(key="one", title="One")


def test_peeking_promotes_at_the_first_look_below_5_percent() -> None:
    # z = 1.43, then 2.04 of 220 and 262 in 2,000 each.
    launch = days_of(1_000, (100, 120), (120, 142), (100, 400))
    assert naive_peeking(ONE, launch) == (Call(segment="everyone", variant=TREATMENT, day=2),)


def test_neither_promotes_what_is_worse() -> None:
    launch = days_of(1_000, *[(140, 100)] * 28)
    assert naive_peeking(ONE, launch) == fixed_horizon(ONE, launch) == ()


def test_the_fixed_horizon_sees_all_days_and_only_these() -> None:
    launch = days_of(1_000, *[(100, 106)] * 28, (100, 100))
    assert fixed_horizon(ONE, launch) == (Call(segment="everyone", variant=TREATMENT, day=28),)
    assert fixed_horizon(ONE, days_of(1_000, *[(100, 103)] * 28, (100, 1_000))) == ()


def test_the_fixed_horizon_errs_as_often_as_it_says() -> None:
    """One-sided half of Holm's 5% over six segments: 1 - (1 - .025/6)^6 = .0248 at most."""
    found = [fixed_horizon(NULL, drawn(NULL, seed)) for seed in range(MANY)]
    assert sum(map(bool, found)) / MANY == pytest.approx(0.0248, abs=4 * np.sqrt(0.0248 / MANY))


def test_the_guardrail_world_wins_on_its_primary_metric_only() -> None:
    assert GUARDRAIL_HARM.true_lift("everyone", TREATMENT, 0, 28) > 0
    assert GUARDRAIL_HARM.guardrail_means == pytest.approx([1, 0.92])
    assert GUARDRAIL_HARM.variants == (CONTROL, TREATMENT)
