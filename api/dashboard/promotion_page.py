"""The page that asks before a winner goes live."""

from __future__ import annotations

from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.guardrails import Guardrail, guardrails_of_evidence
from api.dashboard.live import Piece, pieces, split_sentence
from api.dashboard.names import names_of
from api.dashboard.reasons import reasons_of
from experiments.domain.allocation import Allocation
from experiments.domain.decision import Action
from experiments.domain.experiment import Experiment
from experiments.services.proposals import Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    sentence: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionPage:
    """`variant` is None where the policy says no; `reasons` then say why."""

    key: str
    experiment: str
    segment: str
    segment_name: str
    variant: str | None
    variant_name: str
    control: str
    verdict: str
    reasons: tuple[str, ...]
    guardrails: tuple[Guardrail, ...]
    before: Split
    after: Split | None
    holdback: str
    data_until: str
    evidence_short: str


def promotion_page(experiment: Experiment, proposal: Proposal) -> PromotionPage:
    """Put a proposal into words."""
    names, decision = names_of(experiment), proposal.decision
    variant = decision.variant if decision.action is Action.PROMOTE else None
    plan = experiment.definition.plan_of(proposal.segment)
    promoted = plan.promoted if plan else None

    def split(allocation: Allocation, winner: str | None) -> Split:
        return Split(
            sentence=split_sentence(experiment, allocation, names, winner),
            pieces=pieces(experiment, allocation, names, winner),
        )

    return PromotionPage(
        key=experiment.key,
        experiment=experiment.definition.name,
        segment=proposal.segment,
        segment_name=names.segment(proposal.segment),
        variant=variant,
        variant_name=names.variant(variant) if variant else "",
        control=names.variant(experiment.definition.control.key),
        verdict=proposal.evidence.verdict,
        reasons=reasons_of(decision),
        guardrails=guardrails_of_evidence(proposal.evidence, names),
        before=split(proposal.allocation_before, promoted),
        after=split(proposal.allocation_after, variant) if proposal.allocation_after else None,
        holdback=say.basis_points(experiment.definition.promotion.holdback_bp),
        data_until=say.instant(proposal.evidence.watermark_at),
        evidence_short=proposal.evidence_sha256[:12],
    )
