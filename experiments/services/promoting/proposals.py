"""What would be done in each segment now, and why. Nothing is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from experiments.domain.allocation import Allocation
from experiments.domain.decide import decide
from experiments.domain.decision import Action, Decision
from experiments.domain.definition import SegmentPlan
from experiments.domain.evidence import Evidence
from experiments.domain.promotion import Promotion, share_plan
from experiments.services.promoting.evidence import evidence_of
from experiments.services.promoting.look import Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What would happen in one segment. `promotion` is the open one there, if any; `allocation_after` is only there
    where the answer moves anybody.
    """

    experiment: str
    segment: str
    evidence: Evidence
    decision: Decision
    promotion: Promotion | None
    allocation_before: Allocation
    allocation_after: Allocation | None

    @property
    def evidence_sha256(self) -> str:
        """Computed when it is asked for: most proposals are looked at and dropped."""
        return self.evidence.sha256()


def propose(look: Look, segment: str, now: datetime, *, unattended: bool) -> Proposal:
    """Judge one segment. Raises NotFound, InvalidInput."""
    evidence = evidence_of(look, segment)
    definition, plan = look.experiment.definition, look.plan_of(segment)
    decision = decide(evidence, definition.promotion, definition.analysis, now, unattended=unattended)
    after = None
    if decision.action in (Action.PROMOTE, Action.RAMP) and decision.variant is not None:
        after = plan_with_next_share(look, evidence, decision.variant, promotion=None)[0].allocation
    return Proposal(
        experiment=look.experiment.key,
        segment=segment,
        evidence=evidence,
        decision=decision,
        promotion=look.open_in(segment),
        allocation_before=plan.allocation,
        allocation_after=after,
    )


def plan_with_next_share(
    look: Look, evidence: Evidence, variant: str, *, promotion: str | None
) -> tuple[SegmentPlan, int, bool]:
    """Return the segment's plan with the variant's next share, that share, and whether it is the last one."""
    definition, plan = look.experiment.definition, look.plan_of(evidence.segment)
    policy = definition.promotion
    share = policy.next_share_bp(_present_share(look, plan, variant))
    is_final = share >= policy.last_share_bp
    after = share_plan(
        definition, plan, variant, share, promotion=promotion, is_final=is_final, harmful=evidence.harmful
    )
    return after, share, is_final


def _present_share(look: Look, plan: SegmentPlan, variant: str) -> int:
    """What the variant was given; its part of the exploration is no step on its way."""
    under_way = look.open_in(plan.segment.key)
    if under_way is not None and under_way.is_live and under_way.variant == variant:
        return under_way.shares[-1].share_bp or 0
    return plan.allocation.weights_bp.get(variant, 0)
