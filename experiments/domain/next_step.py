"""What the machine does next with one segment, from its promotion and the decision on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from experiments.domain.decision import HOLD_OVER, Action, Decision, DecisionReason
from experiments.domain.promotion import Promotion, PromotionState
from experiments.domain.promotion_policy import PromotionPolicy

WITHDRAWN_BY = frozenset(
    {"untrustworthy", "guardrail_harmed", "guardrail_worse", "split_changed", "not_offered", "already_promoted"}
)
"""Reasons to hold on which what was proposed is over. Others pass (a stale snapshot) or are left to the expiry."""


def next_state(promotion: Promotion, decision: Decision, policy: PromotionPolicy) -> PromotionState | None:
    """Return where an unattended step takes an open promotion, or None: it stays.

    A share that is not the last one makes it `ramping`, also again; the caller knows which share is next.
    """
    if promotion.state is PromotionState.PROPOSED:
        approves = policy.automatic and decision.action is Action.PROMOTE
        return PromotionState.APPROVED if approves else None
    if decision.action is Action.ROLL_BACK:
        return PromotionState.REVERTED
    if decision.action in (Action.PROMOTE, Action.RAMP):
        return None if waits_for_a_person(promotion, policy) else PromotionState.RAMPING
    if promotion.state is PromotionState.HELD and HOLD_OVER in decision.codes:
        return PromotionState.KEPT
    return None


def waits_for_a_person(promotion: Promotion, policy: PromotionPolicy) -> bool:
    """Whether no person has approved it, and the machine may not any more: its author has switched that off since."""
    return promotion.approved_unattended and not policy.automatic


def lapse(
    promotion: Promotion, decision: Decision, policy: PromotionPolicy, now: datetime, *, stopped: bool
) -> Iterator[DecisionReason]:
    """Why a promotion that is not live yet is over: nobody acted on it, or nothing speaks for it any more."""
    if promotion.state not in (PromotionState.PROPOSED, PromotionState.APPROVED):
        return
    if stopped:
        yield DecisionReason(code="stopped", message="The experiment has been stopped.")
    until = promotion.steps[-1].at + timedelta(seconds=policy.expires_after_seconds)
    if now >= until:
        yield DecisionReason(code="expired", message=f"Nothing came of it until {until:%Y-%m-%d %H:%M} UTC.")
    if decision.action is Action.NO_WINNER or (
        decision.action is Action.PROMOTE and decision.variant != promotion.variant
    ):
        yield DecisionReason(code="evidence_changed", message=decision.reasons[0].message)
    elif decision.action is Action.HOLD:
        yield from (reason for reason in decision.reasons if reason.code in WITHDRAWN_BY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """Where the machine takes a promotion, and why."""

    state: PromotionState
    reasons: tuple[DecisionReason, ...]


AT_STOP = {
    PromotionState.HELD: Next(
        state=PromotionState.KEPT,
        reasons=(DecisionReason(code="stopped", message="The experiment has been stopped; its winner stays."),),
    ),
    PromotionState.RAMPING: Next(
        state=PromotionState.REVERTED,
        reasons=(DecisionReason(code="stopped", message="The experiment was stopped in the middle of the ramp."),),
    ),
}
"""Only a winner that has had its last share stays on show when an experiment stops."""


def next_step(
    promotion: Promotion, decision: Decision, policy: PromotionPolicy, now: datetime, *, stopped: bool
) -> Next | None:
    """Return the one unattended step that is due, None where an open promotion stays as it is."""
    over = tuple(lapse(promotion, decision, policy, now, stopped=stopped))
    if over:
        return Next(state=PromotionState.EXPIRED, reasons=over)
    if stopped and decision.action is not Action.ROLL_BACK:
        return AT_STOP[promotion.state]
    if promotion.state is PromotionState.APPROVED and policy.is_quiet(now):
        return None
    state = next_state(promotion, decision, policy)
    return None if state is None else Next(state=state, reasons=decision.reasons)
