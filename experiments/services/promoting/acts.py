"""The steps of a promotion as they are stored: experiment, promotion, audit and notice in the caller's transaction."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from experiments.domain.decision import DecisionReason
from experiments.domain.definition import SegmentPlan
from experiments.domain.errors import AlreadyExists, PromotionRefused, RevisionMismatch
from experiments.domain.experiment import Experiment
from experiments.domain.notice import NoticeKind
from experiments.domain.promotion import Promotion, PromotionState, PromotionStep, reverted_plan
from experiments.services.notices.announce import announce
from experiments.services.ports import AuditEntry, UnitOfWork
from experiments.services.promoting.look import Look
from experiments.services.promoting.proposals import Proposal, plan_with_next_share

AUDITED_AS: Mapping[PromotionState, str] = {
    PromotionState.PROPOSED: "promotion.propose",
    PromotionState.APPROVED: "promotion.approve",
    PromotionState.REJECTED: "promotion.reject",
    PromotionState.EXPIRED: "promotion.expire",
    PromotionState.RAMPING: "promotion.ramp",
    PromotionState.HELD: "promotion.hold",
    PromotionState.KEPT: "promotion.keep",
    PromotionState.REVERTED: "promotion.revert",
    PromotionState.SUPERSEDED: "promotion.supersede",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, when, and in their own words why; `unattended`: no person asked for it."""

    name: str
    now: datetime
    note: str = ""
    unattended: bool = False


def open_promotion(work: UnitOfWork, look: Look, proposal: Proposal, actor: Actor) -> Promotion:
    """Store a new promotion as proposed, on the evidence of that decision to promote."""
    variant = proposal.decision.variant
    if variant is None:
        first = proposal.decision.reasons[0]
        raise PromotionRefused(first.code, first.message)
    promotion = Promotion(
        id=str(uuid.uuid4()),
        experiment=look.experiment.key,
        segment=proposal.segment,
        variant=variant,
        steps=(_step(look.experiment, PromotionState.PROPOSED, actor, proposal=proposal),),
    )
    try:
        work.promotions.add(promotion)
    except AlreadyExists:
        # Somebody else has just opened one there: look again.
        raise RevisionMismatch("promotion", promotion.id) from None
    # Who acts at once asks nobody: then only the going live is told.
    waits = actor.unattended and not look.experiment.definition.promotion.automatic
    _record(work, promotion, is_told=waits)
    return promotion


def move(
    work: UnitOfWork,
    experiment: Experiment,
    promotion: Promotion,
    state: PromotionState,
    actor: Actor,
    *,
    proposal: Proposal | None = None,
    reasons: tuple[DecisionReason, ...] = (),
) -> Promotion:
    """Store a step that shows nobody anything else."""
    step = _step(experiment, state, actor, proposal=proposal, reasons=reasons)
    return _advance(work, promotion, promotion.step(step))


def give_share(work: UnitOfWork, look: Look, promotion: Promotion, proposal: Proposal, actor: Actor) -> Promotion:
    """Give the variant its next share of exactly that segment."""
    plan, share, is_final = plan_with_next_share(look, proposal.evidence, promotion.variant, promotion=promotion.id)
    state = PromotionState.HELD if is_final else PromotionState.RAMPING
    after = _replan(work, look.experiment, plan, actor)
    step = _step(look.experiment, state, actor, proposal=proposal, share_bp=share, version_after=after.current.number)
    exploring = replace(step, exploration_bp=look.experiment.definition.promotion.exploration_bp)
    return _advance(work, promotion, promotion.step(exploring))


def take_back(
    work: UnitOfWork,
    experiment: Experiment,
    promotion: Promotion,
    actor: Actor,
    *,
    proposal: Proposal | None = None,
    reasons: tuple[DecisionReason, ...] = (),
) -> Promotion:
    """Restore the segment's allocation of before the promotion, bucket for bucket."""
    step = _step(experiment, PromotionState.REVERTED, actor, proposal=proposal, reasons=reasons)
    promotion.step(step)
    began = promotion.went_live
    if began is None:
        raise PromotionRefused("not_live", f"Promotion {promotion.id} has never been live.")
    old = work.experiments.version(promotion.experiment, began.version).definition.plan_of(promotion.segment)
    present = experiment.definition.plan_of(promotion.segment)
    if old is None or present is None:
        raise PromotionRefused("superseded", f"The experiment has no segment {promotion.segment!r} any more.")
    after = _replan(work, experiment, reverted_plan(present, old, promotion), actor)
    return _advance(work, promotion, promotion.step(replace(step, version_after=after.current.number)))


def supersede(work: UnitOfWork, promotion: Promotion, *, version: int, actor: Actor) -> Promotion:
    """End a promotion whose segment the author has given another split."""
    step = PromotionStep(state=PromotionState.SUPERSEDED, at=actor.now, by=actor.name, version=version)
    return _advance(work, promotion, promotion.step(step))


def _replan(work: UnitOfWork, experiment: Experiment, plan: SegmentPlan, actor: Actor) -> Experiment:
    after = experiment.replan(plan, by=actor.name, now=actor.now)
    work.experiments.save(after, expected_revision=experiment.revision)
    return after


def _step(
    experiment: Experiment,
    state: PromotionState,
    actor: Actor,
    *,
    proposal: Proposal | None = None,
    reasons: tuple[DecisionReason, ...] = (),
    share_bp: int | None = None,
    version_after: int | None = None,
) -> PromotionStep:
    return PromotionStep(
        state=state,
        at=actor.now,
        by=actor.name,
        version=experiment.current.number,
        unattended=actor.unattended,
        reasons=reasons or (proposal.decision.reasons if proposal else ()),
        note=actor.note,
        evidence=proposal.evidence if proposal else None,
        evidence_sha256=proposal.evidence_sha256 if proposal else None,
        share_bp=share_bp,
        version_after=version_after,
    )


def _advance(work: UnitOfWork, before: Promotion, after: Promotion) -> Promotion:
    work.promotions.save(after, expected_revision=before.revision)
    _record(work, after)
    return after


def _record(work: UnitOfWork, promotion: Promotion, *, is_told: bool = True) -> None:
    step = promotion.steps[-1]
    detail: dict[str, Any] = {
        "promotion": promotion.id,
        "segment": promotion.segment,
        "variant": promotion.variant,
        "step": promotion.revision,
        "reason": step.note or (step.reasons[0].message if step.reasons else ""),
    }
    if step.evidence is not None:
        detail["snapshot"] = step.evidence.snapshot_id
    if step.share_bp is not None:
        detail["share_bp"] = step.share_bp
    if step.exploration_bp:
        detail["exploration_bp"] = step.exploration_bp
    work.audit.append(
        AuditEntry(
            at=step.at,
            actor=step.by,
            action=AUDITED_AS[step.state],
            subject=promotion.experiment,
            detail=detail,
            evidence_sha256=step.evidence_sha256,
        )
    )
    if is_told and step.state in _TOLD_AS:
        _tell(work, promotion, step)


_TOLD_AS: Mapping[PromotionState, tuple[NoticeKind, str]] = {
    PromotionState.PROPOSED: (NoticeKind.PROPOSED, "is proposed for"),
    PromotionState.RAMPING: (NoticeKind.PROMOTED, "is live for {share} of"),
    PromotionState.HELD: (NoticeKind.PROMOTED, "is live for {share} of"),
    PromotionState.REVERTED: (NoticeKind.REVERTED, "is taken back for"),
}


def _tell(work: UnitOfWork, promotion: Promotion, step: PromotionStep) -> None:
    kind, verb = _TOLD_AS[step.state]
    if kind is NoticeKind.PROMOTED and work.experiments.get(promotion.experiment).definition.is_split_elsewhere:
        # Nothing of ours shows it to anybody.
        verb = "is decided for {share} of"
    shown = promotion.evidence
    share = f"{step.share_bp / 100:g}%" if step.share_bp is not None else ""
    announce(
        work,
        kind,
        title=f"{promotion.experiment}: {promotion.variant} {verb.format(share=share)} {shown.segment_name}",
        at=step.at,
        experiment=promotion.experiment,
        segment=promotion.segment,
        payload={
            "promotion": promotion.id,
            "variant": promotion.variant,
            "state": step.state,
            "step": promotion.revision,
            "by": step.by,
            "note": step.note,
            "share_bp": step.share_bp,
            "exploration_bp": step.exploration_bp,
            "predicted_gain": shown.predicted_gain,
            "gain_low": shown.gain_low,
            "gain_high": shown.gain_high,
            "evidence_sha256": step.evidence_sha256,
            "reasons": [{"code": reason.code, "message": reason.message} for reason in step.reasons],
        },
    )
