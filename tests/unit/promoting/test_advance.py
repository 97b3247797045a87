"""The machine through the services: one step at a time, each with its evidence, and the way back exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import time
from typing import Any

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.definition import SegmentPlan
from experiments.domain.errors import PromotionRefused
from experiments.domain.evidence import Live
from experiments.domain.policy import DAY_SECONDS
from experiments.domain.promotion import Promotion, PromotionState
from experiments.domain.promotion_policy import PromotionPolicy, PromotionScope, QuietHours
from experiments.services.authoring.wishes import ExperimentWish, SegmentWish
from experiments.services.promoting.evidence import evidence_of
from experiments.services.promoting.look import look_at
from experiments.services.promoting.verify import verify_promotion
from tests.conftest import FakeClock
from tests.unit.reports import comparison, metric, report, scope, store

S = PromotionState
AUTOMATIC = PromotionPolicy(automatic=True)
RAMP = PromotionPolicy(automatic=True, ramp_bp=(6_000, 9_000), soak_seconds=DAY_SECONDS)


@dataclass
class World:
    """A running experiment of 15 days, and snapshots in which b wins for men; `realised` is what it comes to later."""

    winnow: Winnow
    clock: FakeClock
    wish: ExperimentWish

    def start(self, policy: PromotionPolicy) -> None:
        self.winnow.author.create(replace(self.wish, promotion=policy), actor="ann")
        self.winnow.author.step("banner", "start", actor="ann")
        self.clock.advance(days=15)
        self.look()

    def look(self, *, realised: tuple[float, float] | None = None, **changes: Any) -> None:
        """Store a snapshot as of now; where a promotion is live, with its realised gain between these ends."""
        document = report(scope("mens"), scope("new", "undecided", -0.1, 0.2)) | changes
        low, high = realised or (0.0, 0.4)
        live = self.winnow.promoter.history(experiment="banner", after=None, limit=1).items
        reports = {one.id: {"since_epoch": 2, "report": report(scope("mens", "winner", low, high))} for one in live}
        number = self.winnow.author.get("banner").current.number
        store(self.winnow.open_unit_of_work, "banner", document, at=self.clock.now, version=number, realised=reports)

    def edit(self, wish: ExperimentWish) -> None:
        revision = self.winnow.author.get("banner").revision
        self.winnow.author.edit("banner", wish, expected_revision=revision, actor="ann")

    def advance(self, segment: str = "mens") -> list[PromotionState]:
        """Do every step that is due, and say which."""
        done = []
        while (promotion := self.winnow.advancer.step("banner", segment)) is not None:
            done.append(promotion.state)
        return done

    def after(self, days: float, **look: Any) -> list[PromotionState]:
        self.clock.advance(days=days)
        self.look(**look)
        return self.advance()

    @property
    def promotion(self) -> Promotion:
        (promotion,) = self.winnow.promoter.history(experiment="banner", after=None, limit=10).items
        return promotion

    @property
    def plan(self) -> SegmentPlan:
        return self.winnow.author.get("banner").definition.segments[0]

    @property
    def shares(self) -> dict[str, int]:
        return self.plan.allocation.weights_bp

    def audited(self) -> list[str]:
        entries = self.winnow.results.audit(subject="banner", after=None, limit=50).items
        return [entry.action for entry in reversed(entries) if entry.action.startswith("promotion.")]


@pytest.fixture
def begin(winnow: Winnow, wish: ExperimentWish, clock: FakeClock) -> Callable[[PromotionPolicy], World]:
    def build(policy: PromotionPolicy) -> World:
        world = World(winnow, clock, wish)
        world.start(policy)
        return world

    return build


def test_what_was_counted_before_a_share_says_nothing_of_it(begin: Callable[[PromotionPolicy], World]) -> None:
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


def test_another_state_than_the_one_that_was_decided_does_not_hold(begin: Callable[[PromotionPolicy], World]) -> None:
    world = begin(RAMP)
    world.advance()
    world.after(1)
    promotion = world.promotion
    assert verify_promotion(world.winnow.open_unit_of_work, promotion.id).holds
    *before, last = promotion.steps
    assert last.state is S.RAMPING
    with world.winnow.open_unit_of_work() as work:
        changed = replace(promotion, steps=(*before, replace(last, state=S.REVERTED)))
        work.promotions.save(changed, expected_revision=promotion.revision)
        work.commit()
    assert not verify_promotion(world.winnow.open_unit_of_work, promotion.id).holds


def test_without_approval_nothing_goes_live(begin: Callable[[PromotionPolicy], World]) -> None:
    world = begin(PromotionPolicy())
    assert world.winnow.advancer.due("banner") == ("mens",)
    assert world.advance() == [S.PROPOSED]
    assert world.shares == {"a": 5_000, "b": 5_000}
    assert world.winnow.advancer.due("banner") == ()
    waiting = world.winnow.promoter.history(experiment=None, state=S.PROPOSED, after=None, limit=10).items
    assert [(one.segment, one.variant) for one in waiting] == [("mens", "b")]


def test_a_person_approves_and_it_goes_live_at_once(begin: Callable[[PromotionPolicy], World]) -> None:
    world = begin(PromotionPolicy())
    world.advance()
    approved = world.winnow.promoter.approve(world.promotion.id, note="looks right", actor="eve")
    assert [(one.state, one.by, one.note) for one in approved.steps] == [
        (S.PROPOSED, "worker", ""),
        (S.APPROVED, "eve", "looks right"),
        (S.HELD, "eve", "looks right"),
    ]
    assert world.shares == {"a": 500, "b": 9_500}


def test_an_automatic_policy_goes_all_the_way_in_audited_steps(begin: Callable[[PromotionPolicy], World]) -> None:
    world = begin(AUTOMATIC)
    assert world.advance() == [S.PROPOSED, S.APPROVED, S.HELD]
    assert world.audited() == ["promotion.propose", "promotion.approve", "promotion.hold"]
    assert {step.unattended for step in world.promotion.steps} == {True}
    assert world.plan.promoted == "b"
    assert world.advance() == []


def test_a_ramp_takes_its_steps_and_only_when_they_have_soaked(begin: Callable[[PromotionPolicy], World]) -> None:
    world = begin(RAMP)
    assert world.advance() == [S.PROPOSED, S.APPROVED, S.RAMPING]
    assert (world.shares, world.plan.promoted) == ({"a": 4_000, "b": 6_000}, None)
    assert world.after(0.9) == []
    assert world.after(0.1) == [S.RAMPING]
    assert world.shares == {"a": 1_000, "b": 9_000}
    assert world.after(1) == [S.HELD]
    assert (world.shares, world.plan.promoted) == ({"a": 500, "b": 9_500}, "b")
    assert [step.share_bp for step in world.promotion.shares] == [6_000, 9_000, 9_500]


def test_shares_that_it_has_already_are_no_steps(begin: Callable[[PromotionPolicy], World]) -> None:
    world = begin(replace(RAMP, ramp_bp=(4_000, 5_000, 8_000)))
    assert world.advance()[-1] is S.RAMPING
    assert world.shares == {"a": 2_000, "b": 8_000}


@pytest.mark.parametrize("days", [1, 2, 3])
def test_what_stops_winning_is_taken_back_to_exactly_the_split_of_before(
    begin: Callable[[PromotionPolicy], World], days: int
) -> None:
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


def test_a_guardrail_that_breaks_takes_it_back(begin: Callable[[PromotionPolicy], World]) -> None:
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


def test_after_the_hold_it_is_kept(begin: Callable[[PromotionPolicy], World]) -> None:
    world = begin(replace(AUTOMATIC, hold_seconds=7 * DAY_SECONDS))
    world.advance()
    assert world.after(6.9) == []
    assert world.after(0.1) == [S.KEPT]
    assert world.shares == {"a": 500, "b": 9_500}
    assert world.after(1, realised=(-0.3, -0.1)) == [], "the machine is done with it"
    reverted = world.winnow.promoter.revert(world.promotion.id, reason="the season is over", actor="eve")
    assert (reverted.state, world.shares) == (S.REVERTED, {"a": 5_000, "b": 5_000})


def test_what_a_person_rejects_is_not_proposed_again(begin: Callable[[PromotionPolicy], World]) -> None:
    world = begin(PromotionPolicy())
    world.advance()
    world.winnow.promoter.reject(world.promotion.id, reason="off brand", actor="eve")
    assert world.after(1) == []
    assert world.promotion.steps[-1].note == "off brand"
    assert world.winnow.promoter.apply("banner", "mens", actor="eve").state is S.HELD


def test_what_nobody_approves_expires_and_may_be_proposed_anew(begin: Callable[[PromotionPolicy], World]) -> None:
    world = begin(PromotionPolicy(expires_after_seconds=2 * DAY_SECONDS))
    world.advance()
    first = world.promotion.id
    assert world.after(2) == [S.EXPIRED, S.PROPOSED]
    assert [step.state for step in world.winnow.promoter.get(first).steps] == [S.PROPOSED, S.EXPIRED]
    with pytest.raises(PromotionRefused) as refusal:
        world.winnow.promoter.approve(first, actor="eve")
    assert refusal.value.code == "already_expired"


def test_a_proposal_is_withdrawn_when_the_data_cannot_be_trusted_any_more(
    begin: Callable[[PromotionPolicy], World],
) -> None:
    world = begin(PromotionPolicy())
    world.advance()
    srm = {"code": "srm", "severity": "critical", "message": "SRM in segment mens: 52.1% in b, expected 50%"}
    assert world.after(1, findings=[srm]) == [S.EXPIRED]
    assert world.promotion.steps[-1].reasons[0].message == srm["message"]


def test_approved_in_quiet_hours_it_goes_live_after_them(begin: Callable[[PromotionPolicy], World]) -> None:
    """It is nine o'clock."""
    world = begin(PromotionPolicy(quiet_hours=QuietHours(start=time(10), end=time(12))))
    world.advance()
    world.clock.advance(hours=1)
    assert world.winnow.promoter.approve(world.promotion.id, actor="eve").state is S.APPROVED
    assert (world.advance(), world.shares) == ([], {"a": 5_000, "b": 5_000})
    world.clock.advance(hours=2)
    assert (world.advance(), world.shares) == ([S.HELD], {"a": 500, "b": 9_500})


def test_an_automatic_policy_decides_at_night_and_acts_in_the_morning(
    begin: Callable[[PromotionPolicy], World],
) -> None:
    world = begin(replace(RAMP, quiet_hours=QuietHours(start=time(8), end=time(10))))
    assert (world.advance(), world.shares) == ([S.PROPOSED, S.APPROVED], {"a": 5_000, "b": 5_000})
    world.clock.advance(hours=1)
    assert (world.advance(), world.shares) == ([S.RAMPING], {"a": 4_000, "b": 6_000})
    found = verify_promotion(world.winnow.open_unit_of_work, world.promotion.id)
    assert found.holds


def test_what_it_came_to_is_kept_with_a_persons_revert(begin: Callable[[PromotionPolicy], World]) -> None:
    world = begin(AUTOMATIC)
    world.advance()
    world.after(1, realised=(0.01, 0.2))
    reverted = world.winnow.promoter.revert(world.promotion.id, reason="off brand", actor="eve")
    evidence = reverted.steps[-1].evidence
    assert evidence is not None
    assert evidence.live is not None
    assert (evidence.live.gain_low, evidence.live.gain_high, reverted.steps[-1].note) == (0.01, 0.2, "off brand")
    assert verify_promotion(world.winnow.open_unit_of_work, reverted.id).holds


def test_approval_is_refused_when_the_evidence_has_changed(begin: Callable[[PromotionPolicy], World]) -> None:
    world = begin(PromotionPolicy())
    world.advance()
    world.clock.advance(days=2)
    with pytest.raises(PromotionRefused) as refusal:
        world.winnow.promoter.approve(world.promotion.id, actor="eve")
    assert refusal.value.code == "stale"
    assert world.promotion.state is S.PROPOSED


@pytest.mark.parametrize(
    ("policy", "wanted", "shares"),
    [(AUTOMATIC, S.KEPT, {"a": 500, "b": 9_500}), (RAMP, S.REVERTED, {"a": 5_000, "b": 5_000})],
    ids=["held", "ramping"],
)
def test_a_stop_ends_it(
    begin: Callable[[PromotionPolicy], World], policy: PromotionPolicy, wanted: S, shares: dict[str, int]
) -> None:
    world = begin(policy)
    world.advance()
    world.winnow.author.step("banner", "stop", actor="ann")
    assert (world.advance(), world.shares) == ([wanted], shares)


def test_a_segment_that_is_gone_has_nothing_waiting(begin: Callable[[PromotionPolicy], World]) -> None:
    world = begin(PromotionPolicy())
    world.advance()
    fewer = replace(world.wish, segments=(SegmentWish(segment="new"),), promotion=PromotionPolicy())
    revision = world.winnow.author.get("banner").revision
    world.winnow.author.edit("banner", fewer, expected_revision=revision, actor="ann")
    assert world.promotion.state is S.SUPERSEDED


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
def test_one_winner_for_all_unless_segments_differ(
    begin: Callable[[PromotionPolicy], World], advice: str, outcome: str, live_in: list[str]
) -> None:
    world = begin(replace(AUTOMATIC, scope=PromotionScope.ONE_FOR_ALL))
    world.look(**one_for_all(advice, outcome))
    for segment in ("mens", "new"):
        world.advance(segment)
    plans = world.winnow.author.get("banner").definition.segments
    assert [plan.segment.key for plan in plans if plan.promoted == "b"] == live_in


def test_every_step_can_be_decided_again(begin: Callable[[PromotionPolicy], World]) -> None:
    world = begin(RAMP)
    world.advance()
    for _ in range(2):
        world.after(1)
    world.after(1, realised=(-0.3, -0.01))
    found = verify_promotion(world.winnow.open_unit_of_work, world.promotion.id)
    assert [step.state for step in found.steps] == [S.PROPOSED, S.APPROVED, S.RAMPING, S.RAMPING, S.HELD, S.REVERTED]
    assert [(one.same_hash, one.same_answer, one.same_evidence) for one in found.steps] == [(True, True, True)] * 6


def test_a_ramp_that_nobody_approved_waits_once_its_policy_is_not_automatic(
    begin: Callable[[PromotionPolicy], World],
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


def test_what_an_earlier_release_ramped_unasked_can_be_decided_again(
    begin: Callable[[PromotionPolicy], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did not ask whether the policy was automatic still."""
    world = begin(RAMP)
    world.advance()
    world.edit(replace(world.wish, promotion=replace(RAMP, automatic=False)))
    with monkeypatch.context() as earlier:
        earlier.setattr("experiments.domain.next_step.waits_for_a_person", lambda *_: False)
        assert world.after(1) == [S.RAMPING]
    assert verify_promotion(world.winnow.open_unit_of_work, world.promotion.id).holds


def test_a_ramp_that_a_person_approved_goes_on(begin: Callable[[PromotionPolicy], World]) -> None:
    world = begin(replace(RAMP, automatic=False))
    world.advance()
    world.winnow.promoter.approve(world.promotion.id, actor="eve")
    assert [world.after(1), world.after(1)] == [[S.RAMPING], [S.HELD]]
    with pytest.raises(PromotionRefused) as refusal:
        world.winnow.promoter.apply("banner", "mens", actor="eve")
    assert (refusal.value.code, str(refusal.value)) == ("already_promoted", "b is live in mens already.")


@pytest.mark.parametrize("is_approved", [True, False])
def test_a_split_of_the_author_s_own_ends_what_has_not_begun(
    begin: Callable[[PromotionPolicy], World], is_approved: bool
) -> None:
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


def test_an_edit_of_another_segment_lets_it_wait(begin: Callable[[PromotionPolicy], World]) -> None:
    world = begin(PromotionPolicy())
    world.advance()
    new = SegmentWish(segment="new", weights={"a": 9, "b": 1})
    segments = tuple(new if one.segment == "new" else one for one in world.wish.segments)
    world.edit(replace(world.wish, segments=segments, promotion=PromotionPolicy()))
    assert world.promotion.state is S.PROPOSED


def test_a_person_who_acts_leaves_what_can_be_decided_again(begin: Callable[[PromotionPolicy], World]) -> None:
    world = begin(replace(RAMP, automatic=False, expires_after_seconds=DAY_SECONDS))
    world.advance()
    world.winnow.promoter.approve(world.promotion.id, actor="eve")
    world.after(1)
    found = verify_promotion(world.winnow.open_unit_of_work, world.promotion.id)
    assert [step.state for step in found.steps] == [S.PROPOSED, S.RAMPING, S.RAMPING]
    assert found.holds


def _other_evidence(step: Any) -> Any:
    return replace(step, evidence=replace(step.evidence, gain_low=0.5))


@pytest.mark.parametrize(
    ("forge", "broken"),
    [
        pytest.param(
            lambda step: replace(step, evidence=replace(step.evidence, gain_low=0.5)), "same_hash", id="evidence"
        ),
        pytest.param(lambda step: replace(step, reasons=()), "same_answer", id="reasons"),
        pytest.param(lambda step: replace(step, share_bp=5_000), "same_answer", id="a share that it never had"),
    ],
)
def test_a_forged_record_does_not_hold(
    begin: Callable[[PromotionPolicy], World], forge: Callable[[Any], Any], broken: str
) -> None:
    world = begin(AUTOMATIC)
    world.advance()
    promotion = world.promotion
    forged = replace(promotion, steps=(forge(promotion.steps[0]), *promotion.steps[1:]))
    with world.winnow.open_unit_of_work() as work:
        work.promotions.save(forged, expected_revision=forged.revision)
        work.commit()
    found = verify_promotion(world.winnow.open_unit_of_work, promotion.id)
    assert getattr(found.steps[0], broken) is False
    assert not found.holds


def test_a_snapshot_that_was_changed_gives_other_evidence(begin: Callable[[PromotionPolicy], World]) -> None:
    world = begin(AUTOMATIC)
    world.advance()
    with world.winnow.open_unit_of_work() as work:
        snapshot = work.snapshots.get("banner", world.promotion.evidence.snapshot_id)
        snapshot.report["segments"][0]["verdict"]["sentence"] = "b wins by far."  # type: ignore[index]
        work.commit()
    found = verify_promotion(world.winnow.open_unit_of_work, world.promotion.id)
    assert [(one.same_hash, one.same_answer, one.same_evidence) for one in found.steps] == [(True, True, False)] * 3


def test_a_split_of_the_author_s_own_ends_a_ramp_for_good(begin: Callable[[PromotionPolicy], World]) -> None:
    """Else the next snapshot would put the winner live again."""
    world = begin(RAMP)
    world.advance()
    assert world.shares == {"a": 4_000, "b": 6_000}
    even = SegmentWish(segment="mens", weights={"a": 1, "b": 1})
    wish = replace(world.wish, segments=(even, SegmentWish(segment="new")), promotion=RAMP)
    world.edit(wish)
    assert world.promotion.state is S.SUPERSEDED
    assert (world.after(1), world.shares) == ([], {"a": 5_000, "b": 5_000})


def test_what_was_taken_back_is_remembered_whatever_else_was_since(begin: Callable[[PromotionPolicy], World]) -> None:
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


def test_a_stop_keeps_nobody_who_is_shown_to_do_harm(begin: Callable[[PromotionPolicy], World]) -> None:
    """It would be on show for good, and nobody would measure it any more."""
    world = begin(AUTOMATIC)
    world.advance()
    world.clock.advance(days=1)
    world.look(realised=(-0.3, -0.01))
    world.winnow.author.step("banner", "stop", actor="ann")
    assert (world.advance(), world.shares) == ([S.REVERTED], {"a": 5_000, "b": 5_000})
    assert world.promotion.steps[-1].reasons[0].code == "lift_lost"
    assert verify_promotion(world.winnow.open_unit_of_work, world.promotion.id).holds


def test_what_the_machine_approved_waits_when_it_is_switched_off(begin: Callable[[PromotionPolicy], World]) -> None:
    world = begin(AUTOMATIC)
    for _ in range(2):
        world.winnow.advancer.step("banner", "mens")
    assert world.promotion.state is S.APPROVED
    world.edit(replace(world.wish, promotion=PromotionPolicy()))
    assert (world.advance(), world.shares) == ([], {"a": 5_000, "b": 5_000})
    assert world.winnow.promoter.approve(world.promotion.id, actor="eve").state is S.HELD


def test_a_segment_that_is_back_waits_for_the_next_snapshot_and_keeps_nobody_else_waiting(
    begin: Callable[[PromotionPolicy], World],
) -> None:
    """The report has it, as people were counted in it; the version that it was made of has not."""
    world = begin(AUTOMATIC)
    world.edit(replace(world.wish, segments=(SegmentWish(segment="mens"),), promotion=AUTOMATIC))
    world.look()
    world.edit(replace(world.wish, promotion=AUTOMATIC))
    assert world.winnow.advancer.due("banner") == ("mens",)
    assert [one.segment for one in world.winnow.promoter.propose("banner")] == ["mens"]


def test_a_pause_is_no_time_in_which_anything_was_watched(begin: Callable[[PromotionPolicy], World]) -> None:
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


def test_a_pause_is_no_part_of_the_minimum_duration(begin: Callable[[PromotionPolicy], World]) -> None:
    """Three weeks are wanted: fifteen days, a pause of five, and six more."""
    world = begin(replace(AUTOMATIC, minimum_weeks=3))
    world.winnow.author.step("banner", "pause", actor="ann")
    world.clock.advance(days=5)
    world.winnow.author.step("banner", "start", actor="ann")
    assert world.after(5.9) == []
    assert world.after(0.1)[0] is S.PROPOSED


@pytest.mark.parametrize(
    ("policy", "ended", "shares"),
    [
        pytest.param(PromotionPolicy(), S.EXPIRED, {"a": 5_000, "b": 5_000}, id="proposed"),
        pytest.param(RAMP, S.REVERTED, {"a": 5_000, "b": 5_000}, id="ramping"),
        pytest.param(AUTOMATIC, S.KEPT, {"a": 500, "b": 9_500}, id="held"),
    ],
)
def test_nothing_stays_open_in_an_archived_experiment(
    begin: Callable[[PromotionPolicy], World], policy: PromotionPolicy, ended: S, shares: dict[str, int]
) -> None:
    """Stopped and archived between two rounds of the worker, which looks at neither drafts nor archived ones."""
    world = begin(policy)
    world.advance()
    world.winnow.author.step("banner", "stop", actor="ann")
    world.winnow.author.step("banner", "archive", actor="ann")
    assert (world.promotion.state, world.shares) == (ended, shares)
    assert world.promotion.steps[-1].reasons[0].code == "stopped"
    assert world.advance() == []
