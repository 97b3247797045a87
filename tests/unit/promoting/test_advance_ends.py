"""How a promotion ends before its time: taken back, withdrawn, superseded, stopped."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest

from experiments.domain.errors import PromotionRefused
from experiments.domain.policy import DAY_SECONDS
from experiments.domain.promotion_policy import PromotionPolicy, QuietHours
from experiments.services.authoring.wishes import SegmentWish
from experiments.services.promoting.verify import verify_promotion
from tests.unit.promoting.advancing import AUTOMATIC, RAMP, Begin, S
from tests.unit.reports import comparison, metric, report, scope, store


@pytest.mark.parametrize("days", [1, 2, 3])
def test_what_stops_winning_is_taken_back_to_exactly_the_split_of_before(begin: Begin, days: int) -> None:
    """At each of the three shares."""
    world = begin(RAMP)
    before = world.plan.allocation
    world.advance()
    for _ in range(days - 1):
        world.after(1)
    assert world.after(0.5, realised=(-0.3, -0.01)) == [S.REVERTED]
    assert (world.plan.allocation, world.plan.declined) == (before, "b")
    last = world.promotion.steps[-1]
    assert (last.reasons[0].code, last.by, last.unattended) == ("lift_lost", "worker", True)
    assert world.after(1) == [], "what was taken back does not come again by itself"


def test_a_guardrail_that_breaks_takes_it_back(begin: Begin) -> None:
    world = begin(AUTOMATIC)
    world.advance()
    world.clock.advance(days=1)
    broken = scope("mens", "winner", 0.1, 0.4)
    broken["metrics"].append(metric("spend", "guardrail", [comparison("b", -0.3, -0.2, "harmed")]))
    store(
        world.winnow.open_unit_of_work,
        "banner",
        report(scope("mens")),
        at=world.clock.now,
        version=2,
        realised={world.promotion.id: {"since_epoch": 2, "report": report(broken)}},
    )
    assert world.advance() == [S.REVERTED]
    assert world.promotion.steps[-1].reasons[0].code == "guardrail_harmed"


def test_what_nobody_approves_expires_and_may_be_proposed_anew(begin: Begin) -> None:
    world = begin(PromotionPolicy(expires_after_seconds=2 * DAY_SECONDS))
    world.advance()
    first = world.promotion.id
    assert world.after(2) == [S.EXPIRED, S.PROPOSED]
    assert [step.state for step in world.winnow.promoter.get(first).steps] == [S.PROPOSED, S.EXPIRED]
    with pytest.raises(PromotionRefused) as refusal:
        world.winnow.promoter.approve(first, actor="eve")
    assert refusal.value.code == "already_expired"


def test_a_proposal_is_withdrawn_when_the_data_cannot_be_trusted_any_more(
    begin: Begin,
) -> None:
    world = begin(PromotionPolicy())
    world.advance()
    srm = {"code": "srm", "severity": "critical", "message": "SRM in segment mens: 52.1% in b, expected 50%"}
    assert world.after(1, findings=[srm]) == [S.EXPIRED]
    assert world.promotion.steps[-1].reasons[0].message == srm["message"]


def test_what_it_came_to_is_kept_with_a_persons_revert(begin: Begin) -> None:
    world = begin(AUTOMATIC)
    world.advance()
    world.after(1, realised=(0.01, 0.2))
    reverted = world.winnow.promoter.revert(world.promotion.id, reason="off brand", actor="eve")
    evidence = reverted.steps[-1].evidence
    assert evidence is not None
    assert evidence.live is not None
    assert (evidence.live.gain_low, evidence.live.gain_high, reverted.steps[-1].note) == (0.01, 0.2, "off brand")
    assert verify_promotion(world.winnow.open_unit_of_work, reverted.id).holds


@pytest.mark.parametrize(
    ("policy", "wanted", "shares"),
    [(AUTOMATIC, S.KEPT, {"a": 500, "b": 9_500}), (RAMP, S.REVERTED, {"a": 5_000, "b": 5_000})],
    ids=["held", "ramping"],
)
def test_a_stop_ends_it(begin: Begin, policy: PromotionPolicy, wanted: S, shares: dict[str, int]) -> None:
    world = begin(policy)
    world.advance()
    world.winnow.author.step("banner", "stop", actor="ann")
    assert (world.advance(), world.shares) == ([wanted], shares)


def test_a_segment_that_is_gone_has_nothing_waiting(begin: Begin) -> None:
    world = begin(PromotionPolicy())
    world.advance()
    fewer = replace(world.wish, segments=(SegmentWish(segment="new"),), promotion=PromotionPolicy())
    revision = world.winnow.author.get("banner").revision
    world.winnow.author.edit("banner", fewer, expected_revision=revision, actor="ann")
    assert world.promotion.state is S.SUPERSEDED


@pytest.mark.parametrize("is_approved", [True, False])
def test_a_split_of_the_author_s_own_ends_what_has_not_begun(begin: Begin, is_approved: bool) -> None:
    """Nine o'clock is quiet; who approved the winner had the split of before in mind."""
    world = begin(PromotionPolicy(quiet_hours=QuietHours(start=time(8), end=time(10))))
    world.advance()
    if is_approved:
        world.winnow.promoter.approve(world.promotion.id, actor="eve")
    policy = PromotionPolicy(quiet_hours=QuietHours(start=time(8), end=time(10)))
    mens = SegmentWish(segment="mens", weights={"a": 9, "b": 1})
    world.edit(replace(world.wish, segments=(mens, *world.wish.segments[1:]), promotion=policy))
    assert world.promotion.state is S.SUPERSEDED
    assert (world.after(0.25), world.shares) == ([S.PROPOSED], {"a": 9_000, "b": 1_000})


def test_an_edit_of_another_segment_lets_it_wait(begin: Begin) -> None:
    world = begin(PromotionPolicy())
    world.advance()
    new = SegmentWish(segment="new", weights={"a": 9, "b": 1})
    segments = tuple(new if one.segment == "new" else one for one in world.wish.segments)
    world.edit(replace(world.wish, segments=segments, promotion=PromotionPolicy()))
    assert world.promotion.state is S.PROPOSED


def test_a_split_of_the_author_s_own_ends_a_ramp_for_good(begin: Begin) -> None:
    """Else the next snapshot would put the winner live again."""
    world = begin(RAMP)
    world.advance()
    assert world.shares == {"a": 4_000, "b": 6_000}
    even = SegmentWish(segment="mens", weights={"a": 1, "b": 1})
    wish = replace(world.wish, segments=(even, SegmentWish(segment="new")), promotion=RAMP)
    world.edit(wish)
    assert world.promotion.state is S.SUPERSEDED
    assert (world.after(1), world.shares) == ([], {"a": 5_000, "b": 5_000})


def test_what_was_taken_back_is_remembered_whatever_else_was_since(begin: Begin) -> None:
    """A segment's plan remembers one variant only, and none while another one is live."""
    world = begin(AUTOMATIC)
    world.advance()
    first = world.promotion.id
    assert world.after(1, realised=(-0.3, -0.01)) == [S.REVERTED]
    with world.winnow.open_unit_of_work() as work:
        experiment = work.experiments.get("banner")
        forgetful = experiment.replan(replace(world.plan, declined=None), by="ann", now=world.clock.now)
        work.experiments.save(forgetful, expected_revision=experiment.revision)
        work.commit()
    assert world.after(1) == []
    assert verify_promotion(world.winnow.open_unit_of_work, first).holds


def test_a_stop_keeps_nobody_who_is_shown_to_do_harm(begin: Begin) -> None:
    """It would be on show for good, and nobody would measure it any more."""
    world = begin(AUTOMATIC)
    world.advance()
    world.clock.advance(days=1)
    world.look(realised=(-0.3, -0.01))
    world.winnow.author.step("banner", "stop", actor="ann")
    assert (world.advance(), world.shares) == ([S.REVERTED], {"a": 5_000, "b": 5_000})
    assert world.promotion.steps[-1].reasons[0].code == "lift_lost"
    assert verify_promotion(world.winnow.open_unit_of_work, world.promotion.id).holds


def test_a_segment_that_is_back_waits_for_the_next_snapshot_and_keeps_nobody_else_waiting(
    begin: Begin,
) -> None:
    """The report has it, as people were counted in it; the version that it was made of has not."""
    world = begin(AUTOMATIC)
    world.edit(replace(world.wish, segments=(SegmentWish(segment="mens"),), promotion=AUTOMATIC))
    world.look()
    world.edit(replace(world.wish, promotion=AUTOMATIC))
    assert world.winnow.advancer.due("banner") == ("mens",)
    assert [one.segment for one in world.winnow.promoter.propose("banner")] == ["mens"]


@pytest.mark.parametrize(
    ("policy", "ended", "shares"),
    [
        pytest.param(PromotionPolicy(), S.EXPIRED, {"a": 5_000, "b": 5_000}, id="proposed"),
        pytest.param(RAMP, S.REVERTED, {"a": 5_000, "b": 5_000}, id="ramping"),
        pytest.param(AUTOMATIC, S.KEPT, {"a": 500, "b": 9_500}, id="held"),
    ],
)
def test_nothing_stays_open_in_an_archived_experiment(
    begin: Begin, policy: PromotionPolicy, ended: S, shares: dict[str, int]
) -> None:
    """Stopped and archived between two rounds of the worker, which looks at neither drafts nor archived ones."""
    world = begin(policy)
    world.advance()
    world.winnow.author.step("banner", "stop", actor="ann")
    world.winnow.author.step("banner", "archive", actor="ann")
    assert (world.promotion.state, world.shares) == (ended, shares)
    assert world.promotion.steps[-1].reasons[0].code == "stopped"
    assert world.advance() == []
