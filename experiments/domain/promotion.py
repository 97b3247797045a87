"""When a winner may go live: evidence, the pure decision, and the record of the act."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from experiments.domain.allocation import Allocation
from experiments.domain.bucketing import BUCKETS
from experiments.domain.canonical import canonical_json
from experiments.domain.definition import SegmentPlan
from experiments.domain.errors import PromotionRefused
from experiments.domain.experiment import Status
from experiments.domain.policy import FAMILYWISE, AnalysisPlan, GuardrailRule, PromotionPolicy, StoppingRule


class GuardrailState(StrEnum):
    """`worse`: harm is shown, but perhaps within the margin. `safe`: harm beyond the margin is ruled out."""

    SAFE = "safe"
    WORSE = "worse"
    HARMED = "harmed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailEvidence:
    metric: str
    variant: str
    state: GuardrailState


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a policy sees of one segment. `gain_low` and `gain_high` bound the winner's lift, at every look and for all
    comparisons of the family together, in the direction that is wished for (a fall of 3 % in a metric to be lowered is
    a gain of 0.03). The lift lies strictly between them.

    `since_epoch` is the segment's as of the snapshot, `current_since_epoch` as it stands: unequal, the split has
    changed since. `offered` has the variants with a share in the split as it stands. `segment_since` is when the
    segment, with its condition, came into the experiment. `declined` is a variant that a person took back here.
    `critical` are sentences of findings that forbid any conclusion.
    """

    experiment: str
    segment: str
    status: Status
    snapshot_id: int
    version: int
    watermark_at: datetime
    started_at: datetime | None
    since_epoch: int
    current_since_epoch: int
    segment_since: datetime
    offered: tuple[str, ...]
    already_promoted: str | None
    declined: str | None
    stopping_rule: StoppingRule
    control: str
    outcome: str
    variant: str | None
    leaders: tuple[str, ...]
    verdict: str
    units: tuple[tuple[str, int], ...]
    lift: float | None
    gain_low: float | None
    gain_high: float | None
    p_value_adjusted: float | None
    srm_p_value: float | None
    critical: tuple[str, ...]
    guardrails: tuple[GuardrailEvidence, ...]

    def canonical(self) -> str:
        """Return the one JSON text of this evidence."""
        return canonical_json(asdict(self))

    def sha256(self) -> str:
        """Return the hash that the audit trail keeps."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


class Action(StrEnum):
    """`hold`: not now. `no_winner`: there is nothing to promote, and waiting will not change it."""

    PROMOTE = "promote"
    HOLD = "hold"
    NO_WINNER = "no_winner"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionReason:
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`reasons` stand in the order in which they were looked at; the first one decided."""

    action: Action
    variant: str | None
    reasons: tuple[DecisionReason, ...]


def decide(
    evidence: Evidence, policy: PromotionPolicy, plan: AnalysisPlan, now: datetime, *, unattended: bool = False
) -> Decision:
    """Say what to do with one segment: trust and guardrails come before lift, and only always-valid evidence acts.

    What a person took back, nobody `unattended` puts live again; nor is a family acted upon that does not limit the
    chance of a wrong winner.
    """
    objections = (
        *(_declined(evidence) if unattended else ()),
        *(_weak(plan) if unattended else ()),
        *_not_current(evidence, policy, now),
        *_not_trustworthy(evidence),
        *_harmful(evidence, policy),
        *_too_early(evidence, plan, now),
    )
    if objections:
        return Decision(action=Action.HOLD, variant=None, reasons=objections)
    if evidence.outcome == "control_wins":
        return _answer(Action.NO_WINNER, "control_wins", evidence.verdict)
    if evidence.outcome != "winner" or evidence.variant is None or evidence.variant == evidence.control:
        return _answer(Action.HOLD, evidence.outcome, evidence.verdict)
    if evidence.gain_low is None or evidence.gain_low < policy.minimum_lift:
        low = "unknown" if evidence.gain_low is None else f"{evidence.gain_low:+.1%}"
        return _answer(
            Action.HOLD,
            "below_minimum_lift",
            f"The lift is only sure to be above {low}; the policy wants more than {policy.minimum_lift:+.1%}.",
        )
    return _answer(Action.PROMOTE, "winner", evidence.verdict, evidence.variant)


def _answer(action: Action, code: str, message: str, variant: str | None = None) -> Decision:
    return Decision(action=action, variant=variant, reasons=(DecisionReason(code=code, message=message),))


def _not_current(evidence: Evidence, policy: PromotionPolicy, now: datetime) -> Iterator[DecisionReason]:
    if evidence.status is not Status.RUNNING:
        yield DecisionReason(code="not_running", message=f"The experiment is {evidence.status}.")
    if evidence.stopping_rule is not StoppingRule.ALWAYS_VALID:
        yield DecisionReason(
            code="not_always_valid",
            message=f"A promotion needs evidence that holds at every look; this plan is {evidence.stopping_rule}.",
        )
    if evidence.already_promoted is not None:
        yield DecisionReason(
            code="already_promoted", message=f"{evidence.already_promoted} is live in {evidence.segment} already."
        )
    elif evidence.since_epoch != evidence.current_since_epoch:
        yield DecisionReason(
            code="split_changed", message=f"The split of {evidence.segment} has changed since this snapshot."
        )
    if evidence.outcome == "winner" and evidence.variant not in (*evidence.offered, None):
        yield DecisionReason(
            code="not_offered", message=f"{evidence.variant} is not offered in {evidence.segment} any more."
        )
    if now - evidence.watermark_at > timedelta(seconds=policy.maximum_age_seconds):
        yield DecisionReason(
            code="stale", message=f"The snapshot reaches to {evidence.watermark_at:%Y-%m-%d %H:%M} UTC only."
        )


def _declined(evidence: Evidence) -> Iterator[DecisionReason]:
    if evidence.declined is not None and evidence.declined == evidence.variant:
        yield DecisionReason(
            code="taken_back", message=f"{evidence.variant} was taken back here; only a person may put it live again."
        )


def _weak(plan: AnalysisPlan) -> Iterator[DecisionReason]:
    if plan.family not in FAMILYWISE:
        yield DecisionReason(
            code="family_too_weak",
            message=f"Under {plan.family} most winners may be wrong; only a person may put one live.",
        )


def _not_trustworthy(evidence: Evidence) -> Iterator[DecisionReason]:
    for sentence in evidence.critical:
        yield DecisionReason(code="untrustworthy", message=sentence)


def _harmful(evidence: Evidence, policy: PromotionPolicy) -> Iterator[DecisionReason]:
    for guardrail in evidence.guardrails:
        if guardrail.variant != evidence.variant:
            continue
        if guardrail.state is GuardrailState.HARMED:
            yield DecisionReason(
                code="guardrail_harmed", message=f"{guardrail.variant} harms {guardrail.metric} beyond its margin."
            )
        elif guardrail.state is GuardrailState.WORSE:
            yield DecisionReason(
                code="guardrail_worse",
                message=f"{guardrail.variant} does harm to {guardrail.metric}, perhaps beyond its margin.",
            )
        elif guardrail.state is GuardrailState.UNKNOWN and policy.guardrails is GuardrailRule.PROVEN_SAFE:
            yield DecisionReason(
                code="guardrail_unproven",
                message=f"Harm of {guardrail.variant} to {guardrail.metric} is not ruled out yet.",
            )


def _too_early(evidence: Evidence, plan: AnalysisPlan, now: datetime) -> Iterator[DecisionReason]:
    started = max(evidence.started_at or now, evidence.segment_since)
    if now - started < timedelta(seconds=plan.minimum_duration_seconds):
        until = started + timedelta(seconds=plan.minimum_duration_seconds)
        yield DecisionReason(code="minimum_duration", message=f"The plan wants data until {until:%Y-%m-%d %H:%M} UTC.")
    judged = (evidence.control, evidence.variant) if evidence.outcome == "winner" else evidence.offered
    for variant, units in evidence.units:
        if variant in judged and units < plan.minimum_units:
            yield DecisionReason(
                code="minimum_units",
                message=f"{variant} has {units} units in {evidence.segment}; the plan wants {plan.minimum_units}.",
            )


def promoted_plan(
    plan: SegmentPlan, variant: str, control: str, policy: PromotionPolicy, *, promotion: str | None = None
) -> SegmentPlan:
    """Return the segment's plan with the winner live for all but the control's holdback, moving the fewest units."""
    weights = {variant: BUCKETS - policy.holdback_bp, control: policy.holdback_bp}
    allocation = plan.allocation.reweighted(weights)
    return replace(plan, weights=weights, allocation=allocation, promoted=variant, promotion=promotion, declined=None)


class PromotionState(StrEnum):
    """`superseded`: the author has given the segment another split since."""

    APPLIED = "applied"
    REVERTED = "reverted"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One act: which variant went live in which segment, on what evidence, and what it replaced."""

    id: str
    experiment: str
    segment: str
    variant: str
    state: PromotionState
    evidence: Evidence
    evidence_sha256: str
    reasons: tuple[DecisionReason, ...]
    version_before: int
    version_after: int
    applied_at: datetime
    applied_by: str
    reverted_at: datetime | None = None
    reverted_by: str | None = None
    revert_reason: str | None = None

    def revert(self, *, by: str, reason: str, now: datetime) -> Promotion:
        """Return the promotion as taken back."""
        if self.state is not PromotionState.APPLIED:
            raise PromotionRefused(f"already_{self.state}", f"Promotion {self.id} is {self.state} already.")
        return replace(self, state=PromotionState.REVERTED, reverted_at=now, reverted_by=by, revert_reason=reason)

    def supersede(self, *, by: str, now: datetime) -> Promotion:
        """Return the promotion as ended by an edit of its segment's split."""
        return replace(self, state=PromotionState.SUPERSEDED, reverted_at=now, reverted_by=by)


def reverted_plan(now: SegmentPlan, before: SegmentPlan, promotion: Promotion) -> SegmentPlan:
    """Return the segment's plan with the split of before the promotion, bucket for bucket; its traffic stays."""
    if now.promotion != promotion.id:
        raise PromotionRefused("superseded", f"Promotion {promotion.id} is not what is live in {promotion.segment}.")
    return replace(
        now,
        weights=before.weights,
        allocation=before.allocation,
        promoted=None,
        promotion=None,
        declined=promotion.variant,
    )


def split_of(allocation: Allocation) -> str:
    """Return the split as people write it: `95% b, 5% a`."""
    return ", ".join(f"{width / 100:g}% {variant}" for variant, width in allocation.weights_bp.items())
