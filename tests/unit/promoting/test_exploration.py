"""The exploration floor: exact shares, nobody moved without need, on record, and the way back exact."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.bootstrap import Winnow, build
from experiments.domain.bucketing import BUCKETS
from experiments.domain.definition import Definition, SegmentPlan, Variant
from experiments.domain.errors import InvalidInput
from experiments.domain.exploration import promoted_weights
from experiments.domain.few_events import highest_ratio_of_rates
from experiments.domain.metric import MetricRole
from experiments.domain.policy import DAY_SECONDS
from experiments.domain.promotion import PromotionState, reverted_plan, share_plan
from experiments.domain.promotion_policy import PromotionPolicy
from experiments.domain.segment import Segment
from experiments.services.authoring.wishes import ExperimentWish, MetricWish, SegmentWish
from experiments.services.ports import OpenUnitOfWork
from experiments.services.promoting.live_evidence import FEW_EVENTS_SHARE, gain_of_few
from experiments.services.promoting.look import look_at
from experiments.services.promoting.verify import verify_promotion
from experiments.settings import Settings
from tests.conftest import FakeClock
from tests.unit.builders import VISIT, definition, plan
from tests.unit.promoting.promotions import promotion
from tests.unit.reports import report, scope, store

S = PromotionState
NAMES = "abcdefgh"


def variants(count: int) -> tuple[Variant, ...]:
    return tuple(Variant(key=key, name=key.upper(), is_control=key == "a") for key in NAMES[:count])


def policies() -> st.SearchStrategy[PromotionPolicy]:
    """Of all shapes; a ramp of growing steps below what is left."""

    def with_ramp(parts: tuple[int, int]) -> st.SearchStrategy[PromotionPolicy]:
        holdback, exploration = parts
        steps = st.lists(st.integers(1, BUCKETS - holdback - exploration - 1), max_size=4, unique=True).map(sorted)
        return steps.map(
            lambda ramp: PromotionPolicy(holdback_bp=holdback, exploration_bp=exploration, ramp_bp=tuple(ramp))
        )

    return st.tuples(st.integers(1, 5_000), st.just(0) | st.integers(8, 2_000)).flatmap(with_ramp)


def shown(made: SegmentPlan) -> list[str]:
    lookup = made.allocation.lookup()
    return [lookup(bucket) for bucket in range(BUCKETS)]


@given(policy=policies(), weights=st.lists(st.integers(1, 9), min_size=2, max_size=8))
def test_every_step_has_its_shares_to_the_basis_point_and_moves_as_few_as_it_can(
    policy: PromotionPolicy, weights: list[int]
) -> None:
    keys = NAMES[: len(weights)]
    whole = definition(variants=variants(len(weights)), promotion=policy, segments=(_plan(keys, weights),))
    before = whole.segments[0]
    part = policy.exploration_bp // len(weights)
    made, seen = before, shown(before)
    for share in policy.shares_bp:
        made = share_plan(whole, made, "b", share, promotion="p1", is_final=share == policy.shares_bp[-1])
        after = shown(made)
        wanted = {key: part for key in keys if part}
        wanted["a"] = BUCKETS - share - policy.exploration_bp + part
        wanted["b"] = BUCKETS - wanted["a"] - part * (len(keys) - 2)
        found = {key: after.count(key) for key in keys if key in after}
        assert found == wanted == made.allocation.weights_bp
        was = {key: seen.count(key) for key in keys}
        least = sum(max(0, was[key] - found.get(key, 0)) for key in keys)
        assert sum(one != other for one, other in zip(seen, after, strict=True)) == least
        if share != policy.shares_bp[0]:
            explorers = [bucket for bucket, key in enumerate(seen) if key not in "ab"]
            assert all(after[bucket] == seen[bucket] for bucket in explorers)
            assert all(after[bucket] == "b" for bucket, key in enumerate(seen) if key == "b")
        seen = after
    back = reverted_plan(made, before, promotion(S.APPROVED, S.HELD))
    assert (back.allocation, back.weights) == (before.allocation, before.weights)


def _plan(keys: str, weights: list[int]) -> SegmentPlan:
    return plan(weights=dict(zip(keys, weights, strict=True)))


def test_five_per_cent_over_four_variants() -> None:
    weights = promoted_weights("b", "a", 9_000, variants=("a", "b", "c", "d"), exploration_bp=500)
    assert weights == {"a": 625, "b": 9_125, "c": 125, "d": 125}


def test_what_cannot_be_shared_evenly_is_the_winners() -> None:
    weights = promoted_weights("b", "a", 9_000, variants=("a", "b", "c"), exploration_bp=500)
    assert weights == {"a": 666, "b": 9_168, "c": 166}


def test_without_exploration_the_split_is_that_of_winner_and_holdback() -> None:
    assert promoted_weights("b", "a", 9_500, variants=("a", "b", "c"), exploration_bp=0) == {"b": 9_500, "a": 500}


def test_what_the_split_offers_to_nobody_is_not_explored() -> None:
    whole = definition(variants=variants(4), promotion=PromotionPolicy(exploration_bp=600))
    made = share_plan(whole, plan(weights={"a": 1, "b": 1, "c": 1, "d": 0}), "b", 8_900, promotion="p", is_final=True)
    assert made.allocation.weights_bp == {"a": 700, "b": 9_100, "c": 200}


def test_what_does_harm_is_not_explored() -> None:
    whole = definition(variants=variants(4), promotion=PromotionPolicy(exploration_bp=600))
    before = plan(weights=dict.fromkeys("abcd", 1))
    made = share_plan(whole, before, "b", 8_900, promotion="p", is_final=True, harmful={"c"})
    assert made.allocation.weights_bp == {"a": 700, "b": 9_100, "d": 200}
    assert reverted_plan(replace(made, promotion="p1"), before, promotion(S.APPROVED, S.HELD)).weights == before.weights


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"exploration_bp": -1}, "exploration_invalid", "/exploration_bp"),
        ({"exploration_bp": 2_001}, "exploration_invalid", "/exploration_bp"),
        ({"exploration_bp": 1_000, "holdback_bp": 9_000}, "exploration_invalid", "/exploration_bp"),
        ({"exploration_bp": 500, "ramp_bp": (9_000,)}, "ramp_invalid", "/ramp_bp"),
    ],
)
def test_what_leaves_nothing_to_the_winner_is_refused(changes: dict[str, Any], code: str, path: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        PromotionPolicy(**changes)
    assert (refusal.value.code, refusal.value.path) == (code, path)


def test_the_refusal_of_a_ramp_says_what_is_left() -> None:
    with pytest.raises(InvalidInput, match="end below the 9000 that holdback and exploration leave"):
        PromotionPolicy(exploration_bp=500, ramp_bp=(9_000,))
    assert PromotionPolicy(exploration_bp=500, ramp_bp=(8_999,)).shares_bp == (8_999, 9_000)


def test_a_part_for_each_variant_is_a_basis_point_at_least() -> None:
    with pytest.raises(InvalidInput) as refusal:
        definition(variants=variants(3), promotion=PromotionPolicy(exploration_bp=2))
    assert (refusal.value.code, refusal.value.path) == ("exploration_too_small", "/promotion/exploration_bp")
    assert definition(variants=variants(3), promotion=PromotionPolicy(exploration_bp=3)) is not None


POLICY = PromotionPolicy(
    automatic=True, exploration_bp=600, ramp_bp=(6_000, 6_100), soak_seconds=DAY_SECONDS, hold_seconds=DAY_SECONDS
)
"""The second step is less above the first than the winner's part of the exploration: it is a step all the same."""


def test_a_promotion_through_the_services(open_unit_of_work: OpenUnitOfWork, clock: FakeClock) -> None:
    winnow = build(Settings(), open_unit_of_work=open_unit_of_work, clock=clock)
    winnow.author.segments.create(Segment(key="mens", name="Mens", condition={"mens": 1}), actor="t")
    winnow.author.metrics.create(VISIT, actor="t")
    winnow.author.create(
        ExperimentWish(
            key="banner",
            name="Banner",
            variants=variants(3),
            segments=(SegmentWish(segment="mens"),),
            metrics=(MetricWish(metric="visit", role=MetricRole.PRIMARY),),
            promotion=POLICY,
        ),
        actor="t",
    )
    winnow.author.step("banner", "start", actor="t")

    def now() -> Definition:
        return winnow.author.get("banner").definition

    def look(days: float) -> list[PromotionState]:
        clock.advance(days=days)
        live = winnow.promoter.history(experiment="banner", after=None, limit=1).items
        realised = {one.id: {"since_epoch": 2, "report": report(scope("mens", low=0.0, high=0.4))} for one in live}
        document = report(scope("mens"), scope("everyone", "undecided", -0.1, 0.2))
        number = winnow.author.get("banner").current.number
        store(open_unit_of_work, "banner", document, at=clock.now, version=number, realised=realised)
        done = []
        while (made := winnow.advancer.step("banner", "mens")) is not None:
            done.append(made.state)
        return done

    before = now().segments[0]
    splits = []
    for days, states in ((15, [S.PROPOSED, S.APPROVED, S.RAMPING]), (1, [S.RAMPING]), (1, [S.HELD]), (1.1, [S.KEPT])):
        assert look(days) == states
        splits.append(now().segments[0].allocation.weights_bp)
    assert splits == [
        {"a": 3_600, "b": 6_200, "c": 200},
        {"a": 3_500, "b": 6_300, "c": 200},
        {"a": 700, "b": 9_100, "c": 200},
        {"a": 700, "b": 9_100, "c": 200},
    ]
    assert now().segments[0].promoted == "b"
    (found,) = winnow.promoter.history(experiment="banner", after=None, limit=9).items
    assert [(step.share_bp, step.exploration_bp) for step in found.shares] == [(6_000, 600), (6_100, 600), (8_900, 600)]
    entries = winnow.results.audit(subject="banner", after=None, limit=50).items
    told = [(one.action, one.detail["exploration_bp"]) for one in entries if "exploration_bp" in one.detail]
    assert told == [("promotion.hold", 600), ("promotion.ramp", 600), ("promotion.ramp", 600)]
    assert verify_promotion(open_unit_of_work, found.id).holds
    winnow.promoter.revert(found.id, reason="the season is over", actor="ann")
    after = now().segments[0]
    assert (after.allocation, after.weights) == (before.allocation, before.weights)


def test_a_policy_that_explores_more_in_the_middle_of_a_ramp_leaves_room() -> None:
    """The share is 8,000 of what was 9,500; of what is 7,500 now, the winner gives back what the explorers need."""
    whole = definition(variants=variants(2), promotion=PromotionPolicy(ramp_bp=(8_000,)))
    ramping = share_plan(whole, whole.segments[0], "b", 8_000, promotion="p", is_final=False)
    policy = PromotionPolicy(exploration_bp=2_000)
    share = policy.next_share_bp(8_000)
    assert share == policy.last_share_bp == 7_500
    made = share_plan(replace(whole, promotion=policy), ramping, "b", share, promotion="p", is_final=True)
    assert made.allocation.weights_bp == {"a": 1_500, "b": 8_500}


def test_bounds_of_few_events_know_who_sees_what(winnow: Winnow, wish: ExperimentWish, clock: FakeClock) -> None:
    """Of 9,800 who see b or a, 9,100 see b: of 7 visits at a none at b is bounded by that share, not by 89%."""
    winnow.author.create(replace(wish, variants=variants(3), promotion=replace(POLICY, ramp_bp=())), actor="t")
    winnow.author.step("banner", "start", actor="t")
    clock.advance(days=15)
    segments = scope("mens"), scope("new", "undecided", -0.1, 0.2)
    store(winnow.open_unit_of_work, "banner", report(*segments), at=clock.now)
    while winnow.advancer.step("banner", "mens") is not None:
        pass
    (live,) = winnow.promoter.history(experiment="banner", after=None, limit=1).items
    with winnow.open_unit_of_work(read_only=True) as work:
        look = look_at(work, "banner")
    arms = [{"variant": "a", "units": 70, "total": 7.0}, {"variant": "b", "units": 910, "total": 0.0}]
    metric = {"kind": "conversion", "direction": "increase", "role": "primary", "arms": arms}
    wanted = highest_ratio_of_rates(0.0, 7.0, share=9_100 / 9_800, alpha=0.05 * FEW_EVENTS_SHARE)
    assert wanted is not None
    assert gain_of_few(metric, live, look) == pytest.approx(wanted - 1, abs=1e-12)
    assert wanted != pytest.approx(
        highest_ratio_of_rates(0.0, 7.0, share=0.89, alpha=0.05 * FEW_EVENTS_SHARE), abs=1e-6
    )
