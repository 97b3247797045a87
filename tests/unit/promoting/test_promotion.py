"""A promotion's steps: which may follow which, what they do to a split, and what the machine does next."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from experiments.domain.decision import HOLD_OVER, Action, Decision, DecisionReason
from experiments.domain.definition import Variant
from experiments.domain.errors import PromotionRefused
from experiments.domain.next_step import lapse, next_state
from experiments.domain.promotion import PromotionState, reverted_plan, share_plan
from experiments.domain.promotion_policy import PromotionPolicy
from tests.unit.builders import definition, plan
from tests.unit.promoting.promotions import GOOD, LOOK, promotion, step

S = PromotionState
THREE = (Variant(key="a", name="A", is_control=True), Variant(key="b", name="B"), Variant(key="c", name="C"))
PATHS = {
    S.PROPOSED: (),
    S.APPROVED: (S.APPROVED,),
    S.RAMPING: (S.APPROVED, S.RAMPING),
    S.HELD: (S.APPROVED, S.HELD),
    S.KEPT: (S.APPROVED, S.HELD, S.KEPT),
    S.REVERTED: (S.APPROVED, S.HELD, S.REVERTED),
    S.EXPIRED: (S.EXPIRED,),
    S.REJECTED: (S.REJECTED,),
    S.SUPERSEDED: (S.APPROVED, S.HELD, S.SUPERSEDED),
}
LEGAL = {
    (S.PROPOSED, S.APPROVED),
    (S.PROPOSED, S.REJECTED),
    (S.PROPOSED, S.EXPIRED),
    (S.PROPOSED, S.SUPERSEDED),
    (S.APPROVED, S.RAMPING),
    (S.APPROVED, S.HELD),
    (S.APPROVED, S.REJECTED),
    (S.APPROVED, S.EXPIRED),
    (S.APPROVED, S.SUPERSEDED),
    (S.RAMPING, S.RAMPING),
    (S.RAMPING, S.HELD),
    (S.RAMPING, S.REVERTED),
    (S.RAMPING, S.SUPERSEDED),
    (S.HELD, S.KEPT),
    (S.HELD, S.REVERTED),
    (S.HELD, S.SUPERSEDED),
    (S.KEPT, S.REVERTED),
    (S.KEPT, S.SUPERSEDED),
}


@pytest.mark.parametrize(("before", "after"), list(product(S, S)), ids=str)
def test_every_pair_of_states(before: S, after: S) -> None:
    standing = promotion(*PATHS[before])
    assert standing.state is before
    if (before, after) in LEGAL:
        moved = standing.step(step(after))
        assert (moved.state, moved.revision) == (after, standing.revision + 1)
        return
    with pytest.raises(PromotionRefused) as refusal:
        standing.step(step(after))
    ended = before in (S.REVERTED, S.EXPIRED, S.REJECTED, S.SUPERSEDED) or before is after
    assert refusal.value.code == (f"already_{before}" if ended else f"illegal_{before}_to_{after}")


@pytest.mark.parametrize(
    ("state", "is_open", "is_live"),
    [
        (S.PROPOSED, True, False),
        (S.APPROVED, True, False),
        (S.RAMPING, True, True),
        (S.HELD, True, True),
        (S.KEPT, False, True),
        (S.REVERTED, False, False),
        (S.EXPIRED, False, False),
        (S.REJECTED, False, False),
        (S.SUPERSEDED, False, False),
    ],
)
def test_what_is_open_and_what_is_live(state: S, is_open: bool, is_live: bool) -> None:
    standing = promotion(*PATHS[state])
    assert (standing.is_open, standing.is_live) == (is_open, is_live)


def test_the_winner_goes_live_for_all_but_the_holdback_and_comes_back_bucket_for_bucket() -> None:
    before = plan(weights={"a": 1, "b": 1, "c": 1})
    after = share_plan(definition(variants=THREE), before, "b", 9_500, promotion="p1", is_final=True)
    assert after.allocation.weights_bp == {"a": 500, "b": 9_500}
    assert after.promoted == "b"
    kept = [after.allocation.variant_at(n) for n in range(10_000) if before.allocation.variant_at(n) == "b"]
    assert kept == ["b"] * 3_333
    back = reverted_plan(replace(after, traffic_bp=1_000), before, promotion(S.APPROVED, S.HELD))
    assert (back.allocation, back.weights) == (before.allocation, before.weights)
    assert (back.promoted, back.promotion, back.declined) == (None, None, "b")
    assert back.traffic_bp == 1_000


def test_a_share_on_the_way_is_no_winner_yet() -> None:
    after = share_plan(
        definition(variants=THREE), plan(weights={"a": 1, "b": 1, "c": 1}), "b", 5_000, promotion="p1", is_final=False
    )
    assert after.allocation.weights_bp == {"a": 5_000, "b": 5_000}
    assert (after.promoted, after.promotion) == (None, "p1")


@pytest.mark.parametrize(
    ("present", "share"), [(0, 2_000), (1_999, 2_000), (2_000, 5_000), (5_000, 9_500), (9_500, 9_500), (9_900, 9_500)]
)
def test_the_next_share_is_the_first_that_gives_more(present: int, share: int) -> None:
    assert PromotionPolicy(ramp_bp=(2_000, 5_000)).next_share_bp(present) == share


def test_what_was_replaced_is_not_reverted() -> None:
    with pytest.raises(PromotionRefused) as refusal:
        reverted_plan(replace(plan(), promoted="b", promotion="p2"), plan(), promotion(S.APPROVED, S.HELD))
    assert refusal.value.code == "superseded"


def decision(action: Action, code: str = "winner", variant: str | None = "b") -> Decision:
    return Decision(action=action, variant=variant, reasons=(DecisionReason(code=code, message=code),))


AUTOMATIC, BY_HAND = PromotionPolicy(automatic=True), PromotionPolicy()


@pytest.mark.parametrize(
    ("state", "policy", "action", "code", "wanted"),
    [
        (S.PROPOSED, AUTOMATIC, Action.PROMOTE, "winner", S.APPROVED),
        (S.PROPOSED, BY_HAND, Action.PROMOTE, "winner", None),
        (S.PROPOSED, AUTOMATIC, Action.HOLD, "stale", None),
        (S.APPROVED, BY_HAND, Action.PROMOTE, "winner", S.RAMPING),
        (S.APPROVED, AUTOMATIC, Action.HOLD, "stale", None),
        (S.RAMPING, AUTOMATIC, Action.RAMP, "soaked", S.RAMPING),
        (S.RAMPING, AUTOMATIC, Action.HOLD, "soaking", None),
        (S.RAMPING, BY_HAND, Action.ROLL_BACK, "lift_lost", S.REVERTED),
        (S.HELD, BY_HAND, Action.ROLL_BACK, "guardrail_harmed", S.REVERTED),
        (S.HELD, AUTOMATIC, Action.HOLD, "holding_back", None),
        (S.HELD, AUTOMATIC, Action.HOLD, HOLD_OVER, S.KEPT),
    ],
)
def test_what_the_machine_does_next(
    state: S, policy: PromotionPolicy, action: Action, code: str, wanted: S | None
) -> None:
    assert next_state(promotion(*PATHS[state]), decision(action, code), policy) is wanted


@pytest.mark.parametrize(
    ("state", "judged", "wanted"),
    [
        (S.PROPOSED, decision(Action.PROMOTE), []),
        (S.PROPOSED, decision(Action.PROMOTE, variant="c"), ["evidence_changed"]),
        (S.PROPOSED, decision(Action.NO_WINNER, "control_wins", None), ["evidence_changed"]),
        (S.PROPOSED, decision(Action.HOLD, "stale", None), []),
        (S.PROPOSED, decision(Action.HOLD, "undecided", None), []),
        (S.PROPOSED, decision(Action.HOLD, "untrustworthy", None), ["untrustworthy"]),
        (S.APPROVED, decision(Action.HOLD, "guardrail_worse", None), ["guardrail_worse"]),
        (S.APPROVED, decision(Action.HOLD, "split_changed", None), ["split_changed"]),
        (S.HELD, decision(Action.HOLD, "untrustworthy"), []),
    ],
)
def test_what_nothing_speaks_for_any_more_lapses(state: S, judged: Decision, wanted: list[str]) -> None:
    found = lapse(promotion(*PATHS[state]), judged, BY_HAND, LOOK, stopped=False)
    assert [reason.code for reason in found] == wanted


def test_what_nobody_acts_on_expires_and_a_stop_ends_it_at_once() -> None:
    policy = PromotionPolicy(expires_after_seconds=3_600)
    waiting, judged = promotion(), decision(Action.PROMOTE)
    for seconds, wanted in ((3_599, []), (3_600, ["expired"])):
        found = lapse(waiting, judged, policy, LOOK + timedelta(seconds=seconds), stopped=False)
        assert [reason.code for reason in found] == wanted
    assert [reason.code for reason in lapse(waiting, judged, policy, LOOK, stopped=True)] == ["stopped"]


def test_evidence_has_one_hash() -> None:
    """sha256 of the canonical text: any change of any field changes it, building it again does not."""
    assert replace(GOOD).sha256() == GOOD.sha256()
    assert replace(GOOD, gain_low=0.1000001).sha256() != GOOD.sha256()
    assert '"watermark_at":"2026-01-20T09:00:00+00:00"' in GOOD.canonical()
