"""Thompson sampling in batches: states, chances, weights, and what cannot be adapted."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta, norm

from experiments.domain.adaptive import (
    AdaptivePolicy,
    ArmState,
    Batch,
    BatchArm,
    Posterior,
    arm_states,
    best_counts,
    floored,
    read_step,
    recompute,
    take_step,
)
from experiments.domain.definition import Randomisation
from experiments.domain.errors import FrozenField, IllegalTransition, InvalidInput
from experiments.domain.metric import Metric, MetricKind, MetricRole, MetricUse
from experiments.domain.policy import AnalysisPlan, Family, StoppingRule
from experiments.domain.promotion import share_plan
from tests.unit.builders import NOW, VISIT, definition, plan, running

BATCH = Batch(experiment="banner", segment="everyone", epoch=3, snapshot_id=7)
# Four standard errors of a chance that is sampled 20,000 times.
DRAWS, REACH = 20_000, 4 * 0.5 / 20_000**0.5


def state(variant: str, mean: float, std_error: float = 0.1, units: float = 1_000) -> ArmState:
    return ArmState(variant=variant, units=int(units), effective_units=units, mean=mean, std_error=std_error)


def chances(arms: list[ArmState], posterior: Posterior, *, higher: bool = True) -> dict[str, float]:
    wins = best_counts(arms, posterior, DRAWS, "seed", higher_is_better=higher)
    return {variant: won / sum(wins.values()) for variant, won in wins.items()}


def rate(variant: str, successes: int, units: int) -> BatchArm:
    p = successes / units
    return BatchArm(variant=variant, units=units, mean=p, variance=p * (1 - p) * units / max(units - 1, 1))


@pytest.mark.parametrize("z", [-2.0, -0.5, 0.0, 1.3, 3.0])
def test_two_normals_are_ordered_with_the_chance_of_the_difference(z: float) -> None:
    errors = (0.3, 0.4)
    arms = [state("a", 1.0, errors[0]), state("b", 1.0 + z * 0.5, errors[1])]
    assert chances(arms, Posterior.NORMAL)["b"] == pytest.approx(norm.cdf(z), abs=REACH)


@pytest.mark.parametrize("counts", [((0, 50), (0, 50)), ((3, 200), (9, 180)), ((500, 1_000), (540, 1_000))])
def test_two_rates_are_ordered_with_the_integral_of_their_posteriors(counts: Any) -> None:
    arms = arm_states([[rate("a", *counts[0]), rate("b", *counts[1])]], ("a", "b"))
    (x0, n0), (x1, n1) = counts
    expected, _ = quad(lambda p: beta.pdf(p, 1 + x1, 1 + n1 - x1) * beta.cdf(p, 1 + x0, 1 + n0 - x0), 0, 1, limit=200)
    assert chances(list(arms), Posterior.BETA)["b"] == pytest.approx(expected, abs=REACH)


def test_the_best_of_four_normals_is_the_integral_over_all_others() -> None:
    means, errors = [0.0, 0.2, 0.3, 0.1], [0.1, 0.2, 0.15, 0.3]
    found = chances([state(str(k), m, s) for k, (m, s) in enumerate(zip(means, errors, strict=True))], Posterior.NORMAL)

    def density(x: float, k: int) -> float:
        below = [norm.cdf(x, means[j], errors[j]) for j in range(4) if j != k]
        return float(norm.pdf(x, means[k], errors[k]) * np.prod(below))

    for k in range(4):
        expected, _ = quad(density, -3, 3, args=(k,), limit=200)
        assert found[str(k)] == pytest.approx(expected, abs=REACH)


def test_where_less_is_better_the_lowest_is_the_best() -> None:
    arms = [state("a", 1.0), state("b", 1.1)]
    up, down = (chances(arms, Posterior.NORMAL, higher=higher) for higher in (True, False))
    assert up["b"] == pytest.approx(down["a"], abs=2 * REACH)
    assert up["b"] > 0.7


def test_arms_that_cannot_be_told_apart_share_every_draw() -> None:
    arms = [state(key, 1.0, 0.0) for key in ("a", "b", "c")]
    assert chances(arms, Posterior.NORMAL) == {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}


def test_a_state_of_one_batch_is_the_batch() -> None:
    [a, b] = arm_states([[rate("a", 30, 300), rate("b", 20, 100)]], ("a", "b"))
    assert (a.units, a.effective_units, a.mean) == (300, pytest.approx(300), 0.1)
    assert b.std_error == pytest.approx((0.2 * 0.8 / 99) ** 0.5)


def test_a_state_of_two_batches_by_hand() -> None:
    """Batches of 1,000 and 3,000 units: shares ¼ and ¾."""
    batches = [[rate("a", 100, 500), rate("b", 50, 500)], [rate("a", 30, 300), rate("b", 540, 2_700)]]
    a, b = arm_states(batches, ("a", "b"))
    assert a.mean == pytest.approx(0.25 * 0.2 + 0.75 * 0.1)
    assert b.mean == pytest.approx(0.25 * 0.1 + 0.75 * 0.2)
    assert a.effective_units == pytest.approx(1 / (0.0625 / 500 + 0.5625 / 300))
    within = (100 * 0.8 + 30 * 0.9) / (499 + 299)
    assert a.std_error == pytest.approx((within / a.effective_units) ** 0.5)


def test_a_falling_base_favours_nobody() -> None:
    """b is better by a tenth in both batches. Pooled it looks worse, since it was shown when everybody bought less."""
    batches = [[rate("a", 1_600, 8_000), rate("b", 440, 2_000)], [rate("a", 100, 2_000), rate("b", 440, 8_000)]]
    pooled = {"a": 1_700 / 10_000, "b": 880 / 10_000}
    assert pooled["b"] < pooled["a"]
    a, b = arm_states(batches, ("a", "b"))
    assert (a.mean, b.mean) == (pytest.approx(0.125), pytest.approx(0.1375))
    taken = take_step(BATCH, AdaptivePolicy(), (a, b), posterior=Posterior.BETA, higher_is_better=True)
    assert taken is not None
    assert taken.weights["b"] > 9_000
    naive = [state("a", 0.17, units=10_000), state("b", 0.088, units=10_000)]
    assert chances(naive, Posterior.BETA)["b"] == 0.0


def test_batches_that_do_not_have_every_arm_are_left_out() -> None:
    batches = [[rate("a", 100, 500), rate("b", 50, 500)], [rate("a", 30, 300)], [rate("a", 1, 9), rate("b", 0, 0 + 1)]]
    a, b = arm_states(batches, ("a", "b"))
    assert (a.units, b.units) == (509, 501)
    assert arm_states([[rate("a", 30, 300)]], ("a", "b")) == ()
    assert arm_states([], ("a", "b")) == ()


@given(
    st.dictionaries(st.text("abcdefghij", min_size=1, max_size=3), st.integers(0, 10**6), min_size=2, max_size=9),
    st.integers(1, 1_000),
)
def test_floors_are_kept_and_shares_add_up(wins: dict[str, int], floor: int) -> None:
    if not sum(wins.values()):
        wins = dict.fromkeys(wins, 1)
    weights = floored(wins, floor)
    assert sum(weights.values()) == 10_000
    assert min(weights.values()) >= floor
    free = 10_000 - floor * len(wins)
    for variant, won in wins.items():
        assert abs(weights[variant] - floor - free * won / sum(wins.values())) < 1
    assert floored(dict(reversed(wins.items())), floor) == weights


@pytest.mark.parametrize("posterior", list(Posterior))
def test_swapping_the_arms_swaps_the_weights(posterior: Posterior) -> None:
    """The order of the arms makes no difference at all; other names draw other numbers."""
    arms = (state("a", 0.10), state("b", 0.12), state("c", 0.11))
    one, other = (
        take_step(BATCH, AdaptivePolicy(), each, posterior=posterior, higher_is_better=True)
        for each in (arms, arms[::-1])
    )
    assert one == other
    swapped = (replace(arms[1], variant="a"), replace(arms[0], variant="b"), arms[2])
    found = take_step(BATCH, AdaptivePolicy(), swapped, posterior=posterior, higher_is_better=True)
    assert one is not None
    assert found is not None
    for variant, other_name in (("a", "b"), ("b", "a"), ("c", "c")):
        assert found.weights[variant] == pytest.approx(one.weights[other_name], abs=400)


def test_a_step_follows_from_its_record() -> None:
    arms = (state("a", 0.10, units=901.5), state("b", 0.12))
    step = take_step(BATCH, AdaptivePolicy(), arms, posterior=Posterior.BETA, higher_is_better=False)
    assert step is not None
    stored = read_step(json.loads(json.dumps(asdict(step))))
    assert stored == step
    assert stored.sha256() == step.sha256()
    assert recompute(stored) == step.weights
    changed = replace(stored, arms=(state("a", 0.14), state("b", 0.12)))
    assert recompute(changed) != step.weights
    assert changed.sha256() != step.sha256()


def test_the_numbers_never_change() -> None:
    """A fixed point for other machines and later Pythons."""
    arms = (state("a", 0.10), state("b", 0.12), state("c", 0.115))
    for posterior, weights in ((Posterior.BETA, BETA_WEIGHTS), (Posterior.NORMAL, NORMAL_WEIGHTS)):
        step = take_step(BATCH, AdaptivePolicy(draws=1_000), arms, posterior=posterior, higher_is_better=True)
        assert step is not None
        assert step.weights == weights


BETA_WEIGHTS = {"a": 857, "b": 5_371, "c": 3_772}
NORMAL_WEIGHTS = {"a": 2_991, "b": 3_747, "c": 3_262}


@pytest.mark.parametrize("change", [{"seed": "2"}, {"draws": 9_000}])
def test_the_seed_and_the_draws_matter(change: dict[str, Any]) -> None:
    arms = (state("a", 0.10), state("b", 0.11))
    one, other = (
        take_step(BATCH, policy, arms, posterior=Posterior.BETA, higher_is_better=True)
        for policy in (AdaptivePolicy(), AdaptivePolicy(**change))
    )
    assert one is not None
    assert other is not None
    assert one.weights != other.weights
    for place in ({"experiment": "x"}, {"segment": "x"}, {"epoch": 4}):
        elsewhere = take_step(
            replace(BATCH, **place), AdaptivePolicy(), arms, posterior=Posterior.BETA, higher_is_better=True
        )
        assert elsewhere is not None
        assert elsewhere.weights != one.weights


def test_nothing_is_adapted_before_everybody_is_warm() -> None:
    arms = (state("a", 0.10, units=100), state("b", 0.12, units=99))
    assert take_step(BATCH, AdaptivePolicy(), arms, posterior=Posterior.BETA, higher_is_better=True) is None
    early = AdaptivePolicy(warm_up_units=99)
    assert take_step(BATCH, early, arms, posterior=Posterior.BETA, higher_is_better=True) is not None
    assert take_step(BATCH, early, (), posterior=Posterior.BETA, higher_is_better=True) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"batch_seconds": 3_599}, "adaptive_batch"),
        ({"batch_seconds": 10**9}, "adaptive_batch"),
        ({"floor_bp": 0}, "adaptive_floor"),
        ({"floor_bp": 5_001}, "adaptive_floor"),
        ({"draws": 999}, "adaptive_draws"),
        ({"draws": 100_001}, "adaptive_draws"),
        ({"warm_up_units": 1}, "adaptive_warm_up"),
        ({"seed": ""}, "text_invalid"),
    ],
)
def test_an_invalid_policy_cannot_be_built(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        AdaptivePolicy(**changes)
    assert (refusal.value.code, refusal.value.path) == (code, f"/{next(iter(changes))}")


QUANTILE = Metric(key="m", name="M", kind=MetricKind.QUANTILE, event_name="visit", quantile=0.5)
WEEKLY = replace(VISIT, window_seconds=7 * 86_400)
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"randomisation": Randomisation.EXTERNAL}, "adaptive_external", "/randomisation"),
    (
        {"analysis": AnalysisPlan(stopping_rule=StoppingRule.GROUP_SEQUENTIAL, planned_units=1_000)},
        "adaptive_stopping_rule",
        "/analysis/stopping_rule",
    ),
    (
        {"analysis": AnalysisPlan(stopping_rule=StoppingRule.FIXED_HORIZON, family=Family.DUNNETT)},
        "adaptive_family",
        "/analysis/family",
    ),
    ({"analysis": AnalysisPlan(post_stratified=True)}, "adaptive_post_stratified", "/analysis/post_stratified"),
    ({"metrics": (MetricUse(metric=QUANTILE, role=MetricRole.PRIMARY),)}, "adaptive_metric", "/metrics"),
    ({"metrics": (MetricUse(metric=WEEKLY, role=MetricRole.PRIMARY),)}, "adaptive_window", "/metrics/0"),
    ({"segments": (plan(weights={"a": 96, "b": 4}),)}, "adaptive_floor", "/segments/0/weights"),
]


@pytest.mark.parametrize(("changes", "code", "path"), REFUSED, ids=[code for _, code, _ in REFUSED])
def test_what_cannot_stay_valid_is_refused(changes: dict[str, Any], code: str, path: str) -> None:
    definition(**changes)
    with pytest.raises(InvalidInput) as refusal:
        definition(**changes, adaptive=AdaptivePolicy())
    assert (refusal.value.code, refusal.value.path) == (code, path)


def test_floors_leave_room() -> None:
    with pytest.raises(InvalidInput) as refusal:
        definition(adaptive=AdaptivePolicy(floor_bp=5_000))
    assert refusal.value.code == "adaptive_floor"


def test_one_look_and_always_valid_remain() -> None:
    for rule in (StoppingRule.ALWAYS_VALID, StoppingRule.FIXED_HORIZON):
        definition(analysis=AnalysisPlan(stopping_rule=rule), adaptive=AdaptivePolicy())


def test_a_promoted_segment_keeps_its_holdback_below_the_floor() -> None:
    made = running(adaptive=AdaptivePolicy(floor_bp=1_000))
    promoted = share_plan(made.definition, made.definition.segments[0], "b", 9_500, promotion="p", is_final=True)
    after = made.replan(promoted, by="ann", now=NOW)
    assert after.definition.segments[0].allocation.weights_bp == {"a": 500, "b": 9_500}


def test_a_batch_is_an_epoch_even_if_the_split_stays() -> None:
    before = running(adaptive=AdaptivePolicy())
    same = before.adapt(before.definition.segments, by="worker", now=NOW)
    assert (same.current.epoch, same.current.number, same.revision) == (2, 2, before.revision + 1)
    assert same.definition.segments[0].since_epoch == 1
    moved = replace(before.definition.segments[0], allocation=plan(weights={"a": 1, "b": 3}).allocation)
    assert before.adapt([moved], by="worker", now=NOW).definition.segments[0].since_epoch == 2
    with pytest.raises(IllegalTransition):
        before.pause(NOW).adapt([moved], by="worker", now=NOW)


def test_the_policy_is_frozen_with_the_start() -> None:
    before = running(adaptive=AdaptivePolicy())
    with pytest.raises(FrozenField) as refusal:
        before.edit(replace(before.definition, adaptive=AdaptivePolicy(seed="lucky")), by="ann", now=NOW)
    assert refusal.value.path == "/adaptive"
