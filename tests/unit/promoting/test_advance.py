"""The machine through the services: one step at a time, each with its evidence, and the way back exact."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from typing import Any

import pytest

from experiments.domain.errors import PromotionRefused
from experiments.domain.evidence import Live
from experiments.domain.policy import DAY_SECONDS
from experiments.domain.promotion_policy import PromotionPolicy, PromotionScope, QuietHours
from experiments.services.promoting.evidence import evidence_of
from experiments.services.promoting.look import look_at
from experiments.services.promoting.verify import verify_promotion
from tests.unit.promoting.advancing import AUTOMATIC, RAMP, Begin, S
from tests.unit.reports import scope


def test_what_was_counted_before_a_share_says_nothing_of_it(begin: Begin) -> None:
    world = begin(RAMP)
    world.advance()
    assert world.after(1, realised=(0.1, 0.3)) == [S.RAMPING]

    def live() -> Live:
        with world.winnow.open_unit_of_work(read_only=True) as work:
            found = evidence_of(look_at(work, "banner"), "mens").live
        assert found is not None
        return found

    before = live()
    assert (before.share_bp, before.units, before.gain_low, before.gain_high) == (9_000, (), None, None)
    world.look(realised=(0.1, 0.3))
    assert (live().gain_low, live().gain_high) == (0.1, 0.3)


def test_without_approval_nothing_goes_live(begin: Begin) -> None:
    world = begin(PromotionPolicy())
    assert world.winnow.advancer.due("banner") == ("mens",)
    assert world.advance() == [S.PROPOSED]
    assert world.shares == {"a": 5_000, "b": 5_000}
    assert world.winnow.advancer.due("banner") == ()
    waiting = world.winnow.promoter.history(experiment=None, state=S.PROPOSED, after=None, limit=10).items
    assert [(one.segment, one.variant) for one in waiting] == [("mens", "b")]


def test_a_person_approves_and_it_goes_live_at_once(begin: Begin) -> None:
    world = begin(PromotionPolicy())
    world.advance()
    approved = world.winnow.promoter.approve(world.promotion.id, note="looks right", actor="eve")
    assert [(one.state, one.by, one.note) for one in approved.steps] == [
        (S.PROPOSED, "worker", ""),
        (S.APPROVED, "eve", "looks right"),
        (S.HELD, "eve", "looks right"),
    ]
    assert world.shares == {"a": 500, "b": 9_500}


def test_an_automatic_policy_goes_all_the_way_in_audited_steps(begin: Begin) -> None:
    world = begin(AUTOMATIC)
    assert world.advance() == [S.PROPOSED, S.APPROVED, S.HELD]
    assert world.audited() == ["promotion.propose", "promotion.approve", "promotion.hold"]
    assert {step.unattended for step in world.promotion.steps} == {True}
    assert world.plan.promoted == "b"
    assert world.advance() == []


def test_a_ramp_takes_its_steps_and_only_when_they_have_soaked(begin: Begin) -> None:
    world = begin(RAMP)
    assert world.advance() == [S.PROPOSED, S.APPROVED, S.RAMPING]
    assert (world.shares, world.plan.promoted) == ({"a": 4_000, "b": 6_000}, None)
    assert world.after(0.9) == []
    assert world.after(0.1) == [S.RAMPING]
    assert world.shares == {"a": 1_000, "b": 9_000}
    assert world.after(1) == [S.HELD]
    assert (world.shares, world.plan.promoted) == ({"a": 500, "b": 9_500}, "b")
    assert [step.share_bp for step in world.promotion.shares] == [6_000, 9_000, 9_500]


def test_shares_that_it_has_already_are_no_steps(begin: Begin) -> None:
    world = begin(replace(RAMP, ramp_bp=(4_000, 5_000, 8_000)))
    assert world.advance()[-1] is S.RAMPING
    assert world.shares == {"a": 2_000, "b": 8_000}


def test_after_the_hold_it_is_kept(begin: Begin) -> None:
    world = begin(replace(AUTOMATIC, hold_seconds=7 * DAY_SECONDS))
    world.advance()
    assert world.after(6.9) == []
    assert world.after(0.1) == [S.KEPT]
    assert world.shares == {"a": 500, "b": 9_500}
    assert world.after(1, realised=(-0.3, -0.1)) == [], "the machine is done with it"
    reverted = world.winnow.promoter.revert(world.promotion.id, reason="the season is over", actor="eve")
    assert (reverted.state, world.shares) == (S.REVERTED, {"a": 5_000, "b": 5_000})


def test_what_a_person_rejects_is_not_proposed_again(begin: Begin) -> None:
    world = begin(PromotionPolicy())
    world.advance()
    world.winnow.promoter.reject(world.promotion.id, reason="off brand", actor="eve")
    assert world.after(1) == []
    assert world.promotion.steps[-1].note == "off brand"
    assert world.winnow.promoter.apply("banner", "mens", actor="eve").state is S.HELD


def test_approved_in_quiet_hours_it_goes_live_after_them(begin: Begin) -> None:
    """It is nine o'clock."""
    world = begin(PromotionPolicy(quiet_hours=QuietHours(start=time(10), end=time(12))))
    world.advance()
    world.clock.advance(hours=1)
    assert world.winnow.promoter.approve(world.promotion.id, actor="eve").state is S.APPROVED
    assert (world.advance(), world.shares) == ([], {"a": 5_000, "b": 5_000})
    world.clock.advance(hours=2)
    assert (world.advance(), world.shares) == ([S.HELD], {"a": 500, "b": 9_500})


def test_an_automatic_policy_decides_at_night_and_acts_in_the_morning(
    begin: Begin,
) -> None:
    world = begin(replace(RAMP, quiet_hours=QuietHours(start=time(8), end=time(10))))
    assert (world.advance(), world.shares) == ([S.PROPOSED, S.APPROVED], {"a": 5_000, "b": 5_000})
    world.clock.advance(hours=1)
    assert (world.advance(), world.shares) == ([S.RAMPING], {"a": 4_000, "b": 6_000})
    found = verify_promotion(world.winnow.open_unit_of_work, world.promotion.id)
    assert found.holds


def test_approval_is_refused_when_the_evidence_has_changed(begin: Begin) -> None:
    world = begin(PromotionPolicy())
    world.advance()
    world.clock.advance(days=2)
    with pytest.raises(PromotionRefused) as refusal:
        world.winnow.promoter.approve(world.promotion.id, actor="eve")
    assert refusal.value.code == "stale"
    assert world.promotion.state is S.PROPOSED


def one_for_all(advice: str, outcome: str = "winner") -> dict[str, Any]:
    overall = scope(None, outcome, 0.05, 0.3)
    return {"overall": overall, "recommendation": {"advice": advice, "variant": "b", "winners": [], "sentence": ""}}


@pytest.mark.parametrize(
    ("advice", "outcome", "live_in"),
    [
        pytest.param("one_for_all", "winner", ["mens", "new"], id="all"),
        pytest.param("per_segment", "winner", ["mens"], id="segments differ"),
        pytest.param("wait", "undecided", [], id="nobody yet"),
    ],
)
def test_one_winner_for_all_unless_segments_differ(begin: Begin, advice: str, outcome: str, live_in: list[str]) -> None:
    world = begin(replace(AUTOMATIC, scope=PromotionScope.ONE_FOR_ALL))
    world.look(**one_for_all(advice, outcome))
    for segment in ("mens", "new"):
        world.advance(segment)
    plans = world.winnow.author.get("banner").definition.segments
    assert [plan.segment.key for plan in plans if plan.promoted == "b"] == live_in


def test_a_ramp_that_nobody_approved_waits_once_its_policy_is_not_automatic(
    begin: Begin,
) -> None:
    world = begin(RAMP)
    world.advance()
    world.edit(replace(world.wish, promotion=replace(RAMP, automatic=False)))
    promote = world.winnow.promoter.apply
    with pytest.raises(PromotionRefused, match="It gets no further share now: 60% are watched until") as refusal:
        promote("banner", "mens", actor="eve")
    assert refusal.value.code == "already_promoted"
    assert (world.after(1), world.shares) == ([], {"a": 4_000, "b": 6_000})
    assert promote("banner", "mens", actor="eve").state is S.RAMPING
    assert (world.after(1), world.shares) == ([], {"a": 1_000, "b": 9_000})
    assert verify_promotion(world.winnow.open_unit_of_work, world.promotion.id).holds
    assert world.after(1, realised=(-0.3, -0.01)) == [S.REVERTED]


def test_a_ramp_that_a_person_approved_goes_on(begin: Begin) -> None:
    world = begin(replace(RAMP, automatic=False))
    world.advance()
    world.winnow.promoter.approve(world.promotion.id, actor="eve")
    assert [world.after(1), world.after(1)] == [[S.RAMPING], [S.HELD]]
    with pytest.raises(PromotionRefused) as refusal:
        world.winnow.promoter.apply("banner", "mens", actor="eve")
    assert (refusal.value.code, str(refusal.value)) == ("already_promoted", "b is live in mens already.")


def test_what_the_machine_approved_waits_when_it_is_switched_off(begin: Begin) -> None:
    world = begin(AUTOMATIC)
    for _ in range(2):
        world.winnow.advancer.step("banner", "mens")
    assert world.promotion.state is S.APPROVED
    world.edit(replace(world.wish, promotion=PromotionPolicy()))
    assert (world.advance(), world.shares) == ([], {"a": 5_000, "b": 5_000})
    assert world.winnow.promoter.approve(world.promotion.id, actor="eve").state is S.HELD


def test_a_pause_is_no_time_in_which_anything_was_watched(begin: Begin) -> None:
    """Half a day of the day that a share soaks, then a pause of two."""
    world = begin(RAMP)
    world.advance()
    world.clock.advance(hours=12)
    world.winnow.author.step("banner", "pause", actor="ann")
    assert world.after(2) == []
    world.winnow.author.step("banner", "start", actor="ann")
    assert world.after(0.4) == []
    assert world.after(0.1) == [S.RAMPING]
    assert verify_promotion(world.winnow.open_unit_of_work, world.promotion.id).holds


def test_a_pause_is_no_part_of_the_minimum_duration(begin: Begin) -> None:
    """Three weeks are wanted: fifteen days, a pause of five, and six more."""
    world = begin(replace(AUTOMATIC, minimum_weeks=3))
    world.winnow.author.step("banner", "pause", actor="ann")
    world.clock.advance(days=5)
    world.winnow.author.step("banner", "start", actor="ann")
    assert world.after(5.9) == []
    assert world.after(0.1)[0] is S.PROPOSED
