"""Verify a promotion: every decision made again, from the evidence that was stored and from the snapshot behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from experiments.domain.decide import decide
from experiments.domain.decision import Action
from experiments.domain.errors import NotFound
from experiments.domain.evidence import Evidence
from experiments.domain.experiment import Status
from experiments.domain.next_step import next_step
from experiments.domain.promotion import Promotion, PromotionState
from experiments.services.ports import OpenUnitOfWork, UnitOfWork
from experiments.services.promoting.evidence import evidence_of
from experiments.services.promoting.look import Look
from experiments.services.promoting.proposals import plan_with_next_share


@dataclass(frozen=True, slots=True, kw_only=True)
class StepVerification:
    """`same_hash`: the stored evidence is what was hashed. `same_answer`: deciding again gives the stored state, its
    reasons and, where the snapshot is kept, its share. `same_evidence`: the snapshot gives that evidence again; None
    where it is not kept any more.
    """

    number: int
    state: PromotionState
    evidence_sha256: str
    same_hash: bool
    same_answer: bool
    same_evidence: bool | None

    @property
    def holds(self) -> bool:
        return self.same_hash and self.same_answer and self.same_evidence is not False


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionVerification:
    """`steps` are those that a decision made; a person's own have nothing to compute."""

    promotion: Promotion
    steps: tuple[StepVerification, ...]

    @property
    def holds(self) -> bool:
        return all(step.holds for step in self.steps)


def verify_promotion(open_unit_of_work: OpenUnitOfWork, promotion_id: str) -> PromotionVerification:
    """Decide every step again. Raises NotFound."""
    with open_unit_of_work(read_only=True) as work:
        promotion = work.promotions.get(promotion_id)
        return PromotionVerification(
            promotion=promotion,
            steps=tuple(
                _verified(work, promotion, index, step.evidence)
                for index, step in enumerate(promotion.steps)
                if step.evidence is not None
            ),
        )


def _verified(work: UnitOfWork, promotion: Promotion, index: int, evidence: Evidence) -> StepVerification:
    step = promotion.steps[index]
    stored = step.evidence_sha256 or ""
    look = _look_then(work, promotion, index, evidence)
    is_share_due = step.share_bp is None or look is None or _next_share(look, promotion, evidence) == step.share_bp
    return StepVerification(
        number=index + 1,
        state=step.state,
        evidence_sha256=stored,
        same_hash=evidence.sha256() == stored,
        same_answer=is_share_due and _is_answer(work, promotion, index, evidence),
        same_evidence=None if look is None else evidence_of(look, promotion.segment).sha256() == stored,
    )


def _next_share(look: Look, promotion: Promotion, evidence: Evidence) -> int:
    return plan_with_next_share(look, evidence, promotion.variant, promotion=promotion.id)[1]


def _is_answer(work: UnitOfWork, promotion: Promotion, index: int, evidence: Evidence) -> bool:
    """Whether the step is the one that is decided on this evidence."""
    step, before = promotion.steps[index], _until(promotion, index)
    definition = work.experiments.version(promotion.experiment, step.version).definition
    policy = definition.promotion
    # What a person has approved is held to what a person may do.
    unattended = step.unattended and not (before is not None and before.approved_by_person)
    decision = decide(evidence, policy, definition.analysis, step.at, unattended=unattended)
    stopped = evidence.status in (Status.STOPPED, Status.ARCHIVED)
    if before is None or not step.unattended:
        return step.reasons == decision.reasons
    if decision.action is Action.RAMP:
        # Earlier releases ramped on where the policy was not automatic any more.
        policy = replace(policy, automatic=True)
    due = next_step(before, decision, policy, step.at, stopped=stopped)
    if due is None or step.reasons != due.reasons:
        return False
    # The last share of a ramp is held.
    return step.state is due.state or (step.state is PromotionState.HELD and due.state is PromotionState.RAMPING)


def _look_then(work: UnitOfWork, promotion: Promotion, index: int, evidence: Evidence) -> Look | None:
    """With experiment, versions and promotions as they stood then; None where the snapshot is not kept any more."""
    step, before = promotion.steps[index], _until(promotion, index)
    try:
        snapshot = work.snapshots.get(promotion.experiment, evidence.snapshot_id)
    except NotFound:
        return None
    # A step that changes no experiment may have read a snapshot of the version that came in the same moment.
    newest = max(step.version, snapshot.version)
    versions = [one for one in work.experiments.versions(promotion.experiment) if one.number <= newest]
    current = next(one for one in versions if one.number == step.version)
    declined = [
        one
        for one in work.promotions.standing(promotion.experiment)
        if one.is_declined and one.steps[-1].at <= step.at and one.id != promotion.id
    ]
    return Look(
        experiment=replace(work.experiments.get(promotion.experiment), current=current, status=evidence.status),
        versions=versions,
        snapshot=snapshot,
        promotions=[*declined, *([before] if before else [])],
    )


def _until(promotion: Promotion, index: int) -> Promotion | None:
    """The promotion as that step found it."""
    return replace(promotion, steps=promotion.steps[:index]) if index else None
