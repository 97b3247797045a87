"""Promotion through the services: one segment, one transaction, and a way back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.decision import Action
from experiments.domain.errors import NotFound, PromotionRefused
from experiments.domain.promotion import PromotionState
from experiments.domain.segment import Segment
from experiments.services.assigning.assign import Unit
from experiments.services.authoring.wishes import ExperimentWish, SegmentWish
from tests.conftest import FakeClock
from tests.unit.reports import report, scope, store


@pytest.fixture
def started(winnow: Winnow, wish: ExperimentWish, clock: FakeClock) -> Winnow:
    """Running for 15 days; a snapshot in which b wins for men only."""
    winnow.author.create(wish, actor="ann")
    winnow.author.step("banner", "start", actor="ann")
    clock.advance(days=15)
    document = report(
        scope("mens"), scope("new", "undecided", -0.1, 0.2), scope("everyone", "control_wins", -0.5, -0.1)
    )
    store(winnow.open_unit_of_work, "banner", document, at=clock.now)
    return winnow


def test_a_dry_run_says_what_would_happen_and_stores_nothing(started: Winnow) -> None:
    proposals = started.promoter.propose("banner")
    assert [(p.segment, p.decision.action) for p in proposals] == [
        ("mens", Action.PROMOTE),
        ("new", Action.HOLD),
        ("everyone", Action.NO_WINNER),
    ]
    assert proposals[0].allocation_after is not None
    assert proposals[0].allocation_after.weights_bp == {"a": 500, "b": 9_500}
    assert started.author.get("banner").current.number == 1
    assert started.promoter.history(experiment="banner", after=None, limit=10).items == ()


def test_exactly_the_winning_segment_changes(started: Winnow) -> None:
    promotion = started.promoter.apply("banner", "mens", actor="ann")
    plans = started.author.get("banner").definition.segments
    assert [plan.allocation.weights_bp for plan in plans] == [
        {"a": 500, "b": 9_500},
        {"a": 5_000, "b": 5_000},
        {"a": 5_000, "b": 5_000},
    ]
    assert [(plan.promoted, plan.since_epoch) for plan in plans] == [("b", 2), (None, 1), (None, 1)]
    entry = started.results.audit(subject="banner", after=None, limit=1).items[0]
    assert (entry.action, entry.evidence_sha256) == ("promotion.hold", promotion.evidence.sha256())
    shown = [
        started.assigner.assign([Unit(unit_id=f"u{n}", attributes={"mens": 1})], "banner")[0][0].variant
        for n in range(2_000)
    ]
    # Binomial(2,000, .95): four standard errors.
    assert abs(shown.count("b") - 1_900) < 40


def test_a_promotion_moves_only_units_of_losers(started: Winnow) -> None:
    units = [Unit(unit_id=f"u{n}", attributes={"mens": 1}) for n in range(500)]
    before = [answer[0].variant for answer in started.assigner.assign(units, "banner")]
    started.promoter.apply("banner", "mens", actor="ann")
    after = [answer[0].variant for answer in started.assigner.assign(units, "banner")]
    assert all(new == "b" for old, new in zip(before, after, strict=True) if old == "b")


@pytest.mark.parametrize(("segment", "code"), [("new", "undecided"), ("everyone", "control_wins")])
def test_the_policy_refuses_by_name(started: Winnow, segment: str, code: str) -> None:
    with pytest.raises(PromotionRefused) as refusal:
        started.promoter.apply("banner", segment, actor="ann")
    assert refusal.value.code == code
    assert started.author.get("banner").current.number == 1


def test_it_is_not_done_twice(started: Winnow) -> None:
    started.promoter.apply("banner", "mens", actor="ann")
    with pytest.raises(PromotionRefused) as refusal:
        started.promoter.apply("banner", "mens", actor="bob")
    assert refusal.value.code == "already_promoted"
    assert len(started.promoter.history(experiment="banner", after=None, limit=10).items) == 1


def test_another_segment_can_still_act_on_the_same_snapshot(started: Winnow, clock: FakeClock) -> None:
    """Its own split has not changed, so its evidence is not stale."""
    store(started.open_unit_of_work, "banner", report(scope("mens"), scope("new"), scope("everyone")), at=clock.now)
    started.promoter.apply("banner", "mens", actor="ann")
    started.promoter.apply("banner", "new", actor="ann")
    plans = started.author.get("banner").definition.segments
    assert [plan.promoted for plan in plans] == ["b", "b", None]


def test_reverting_restores_the_split_bucket_for_bucket(started: Winnow) -> None:
    before = started.author.get("banner").definition
    promotion = started.promoter.apply("banner", "mens", actor="ann")
    reverted = started.promoter.revert(promotion.id, reason="changed our mind", actor="bob")
    after = started.author.get("banner")
    assert after.definition.segments[0].allocation == before.segments[0].allocation
    assert after.definition.segments[0].promoted is None
    assert (after.current.number, after.current.epoch) == (3, 3)
    assert (reverted.state, reverted.steps[-1].by, reverted.steps[-1].note) == (
        PromotionState.REVERTED,
        "bob",
        "changed our mind",
    )
    with pytest.raises(PromotionRefused) as refusal:
        started.promoter.revert(promotion.id, reason="again", actor="bob")
    assert refusal.value.code == "already_reverted"


def test_after_a_revert_old_evidence_is_stale(started: Winnow) -> None:
    promotion = started.promoter.apply("banner", "mens", actor="ann")
    started.promoter.revert(promotion.id, reason="no", actor="bob")
    with pytest.raises(PromotionRefused) as refusal:
        started.promoter.apply("banner", "mens", actor="ann")
    assert refusal.value.code == "split_changed"


def test_a_stopped_experiment_goes_on_showing_its_winners(started: Winnow) -> None:
    started.promoter.apply("banner", "mens", actor="ann")
    started.author.step("banner", "stop", actor="ann")
    units = [Unit(unit_id=f"u{n}", attributes={"mens": mens, "recency": 9}) for n in range(50) for mens in (0, 1)]
    shown = [answer[0].variant for answer in started.assigner.assign(units, "banner")]
    assert shown == ["a", "b"] * 50


def test_without_a_snapshot_there_is_nothing_to_go_by(winnow: Winnow, wish: ExperimentWish) -> None:
    winnow.author.create(wish, actor="ann")
    with pytest.raises(NotFound) as refusal:
        winnow.promoter.apply("banner", "mens", actor="ann")
    assert refusal.value.code == "snapshot_not_found"


def test_the_worker_does_not_undo_what_a_person_took_back(started: Winnow, clock: FakeClock) -> None:
    promotion = started.promoter.apply("banner", "mens", actor="ann")
    started.promoter.revert(promotion.id, reason="legal said so", actor="bob")
    store(started.open_unit_of_work, "banner", report(scope("mens"), scope("new")), at=clock.now, version=3)
    [unattended] = started.promoter.propose("banner", "mens", unattended=True)
    assert [reason.code for reason in unattended.decision.reasons] == ["taken_back"]
    assert started.advancer.due("banner") == ("new",)
    assert started.advancer.step("banner", "mens") is None
    assert started.promoter.apply("banner", "mens", actor="ann").variant == "b"


def test_an_edit_of_the_split_ends_a_promotion_and_an_old_one_cannot_undo_a_newer(
    started: Winnow, wish: ExperimentWish, clock: FakeClock
) -> None:
    first = started.promoter.apply("banner", "mens", actor="ann")
    even = (SegmentWish(segment="mens", weights={"a": 1, "b": 1}), SegmentWish(segment="new"))
    revision = started.author.get("banner").revision
    edited = started.author.edit("banner", replace(wish, segments=even), expected_revision=revision, actor="ann")
    assert edited.definition.segments[0].declined == "b"
    assert started.promoter.get(first.id).state is PromotionState.SUPERSEDED
    number = edited.current.number
    store(started.open_unit_of_work, "banner", report(scope("mens"), scope("new")), at=clock.now, version=number)
    second = started.promoter.apply("banner", "mens", actor="ann")
    with pytest.raises(PromotionRefused) as refusal:
        started.promoter.revert(first.id, reason="old", actor="bob")
    assert refusal.value.code == "already_superseded"
    assert started.promoter.get(second.id).state is PromotionState.HELD


def test_a_stopped_experiment_can_still_lose_its_winner(started: Winnow) -> None:
    promotion = started.promoter.apply("banner", "mens", actor="ann")
    started.author.step("banner", "stop", actor="ann")
    started.promoter.revert(promotion.id, reason="the offer ended", actor="bob")
    unit = Unit(unit_id="u1", attributes={"mens": 1})
    assert started.assigner.assign([unit], "banner")[0][0].variant == "a"


def test_a_segment_that_no_snapshot_knows_yet_keeps_nobody_waiting(started: Winnow, wish: ExperimentWish) -> None:
    started.author.segments.create(Segment(key="late", name="Late", condition={"late": True}), actor="ann")
    more = (*wish.segments, SegmentWish(segment="late"))
    started.author.edit("banner", replace(wish, segments=more), expected_revision=2, actor="ann")
    assert [proposal.segment for proposal in started.promoter.propose("banner")] == ["mens", "new", "everyone"]
