"""What waits for a person: each proposal with all that one needs to say yes or no."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from api.dashboard import format as say
from api.dashboard.adapting import adapting_ends
from api.dashboard.evidence_words import Fact, facts_of, lead
from api.dashboard.gain import measure_of
from api.dashboard.guardrails import Guardrail, guardrails_of_evidence
from api.dashboard.live import Split, exploring_next, live_of, split_of
from api.dashboard.names import Names, names_of
from api.dashboard.policy_words import coming
from api.dashboard.reasons import reasons_of
from api.dashboard.standing import Standing, person_of, standing_of
from api.dashboard.taking_part import who_takes_part
from experiments.domain.allocation import Allocation
from experiments.domain.decision import Action
from experiments.domain.definition import Definition, SegmentPlan
from experiments.domain.evidence import Evidence
from experiments.domain.experiment import UNDER_WAY, Experiment, Status
from experiments.domain.layer import Layer
from experiments.domain.promotion import Promotion, PromotionState, share_plan
from experiments.services.promoting.proposals import Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """`obstacles` say why it cannot be approved as things stand; `outdated`: the figures are those of its proposal."""

    id: str
    key: str
    experiment: str
    segment: str
    variant: str
    standing: Standing
    proposed: str
    expires: str
    is_proposed: bool
    lead: str
    facts: tuple[Fact, ...]
    guardrails: tuple[Guardrail, ...]
    before: Split
    after: Split
    traffic: str
    coming: tuple[str, ...]
    obstacles: tuple[str, ...]
    outdated: bool
    trusted: bool


def waiting_of(
    experiment: Experiment, promotion: Promotion, present: Proposal | None, *, layer: Layer | None
) -> Waiting:
    """Put a proposal that waits into words; `present` is what would be done now, None where nobody can tell."""
    definition, names = experiment.definition, names_of(experiment)
    speaks = present is not None and present.evidence.variant == promotion.variant
    evidence = present.evidence if present is not None and speaks else promotion.evidence
    plan = definition.plan_of(promotion.segment)
    now = None if plan is None else plan.allocation
    present_bp = now.weights_bp.get(promotion.variant, 0) if now else 0
    after = _plan_after(definition, promotion, evidence, present_bp)
    last = promotion.steps[-1]
    expires = last.at + timedelta(seconds=definition.promotion.expires_after_seconds)
    first = promotion.proposal
    return Waiting(
        id=promotion.id,
        key=experiment.key,
        experiment=definition.name,
        segment=names.segment(promotion.segment),
        variant=names.variant(promotion.variant),
        standing=standing_of(experiment, promotion, names, {}, layer=layer),
        proposed=f"Proposed {say.instant(first.at)} by {person_of(first)}",
        expires=say.instant(expires),
        is_proposed=promotion.state is PromotionState.PROPOSED,
        lead=lead(definition, evidence, promotion.variant, names),
        facts=facts_of(definition, evidence, names, measure_of(definition, names)),
        guardrails=guardrails_of_evidence(evidence, names),
        before=_before(experiment, plan, names, layer),
        after=_after(experiment, promotion, after, names),
        traffic=who_takes_part(definition, plan, names, layer) if experiment.status in UNDER_WAY else "",
        coming=(
            *adapting_ends(definition, plan, after.allocation.weights_bp if after else {}, names),
            *coming(experiment, names, present_bp),
        )
        if experiment.status in UNDER_WAY
        else (),
        obstacles=_obstacles(promotion, present),
        outdated=not speaks,
        trusted=not evidence.critical,
    )


def _before(experiment: Experiment, plan: SegmentPlan | None, names: Names, layer: Layer | None) -> Split:
    """What is seen now: while the experiment does not run, its split is not."""
    if plan is None or experiment.status is Status.RUNNING:
        return _split(experiment, None if plan is None else plan.allocation, names)
    return Split(sentence=live_of(experiment, plan, names, layer=layer).sentence, pieces=())


def _split(experiment: Experiment, allocation: Allocation | None, names: Names) -> Split:
    if allocation is None:
        return Split(sentence="The segment is not part of the experiment any more.", pieces=())
    return split_of(experiment, allocation, names, None)


def _plan_after(
    definition: Definition, promotion: Promotion, evidence: Evidence, present_bp: int
) -> SegmentPlan | None:
    """The plan of its next share, whatever the policy says of it now."""
    plan, share = definition.plan_of(promotion.segment), definition.promotion.next_share_bp(present_bp)
    if plan is None:
        return None
    is_final = share == definition.promotion.last_share_bp
    return share_plan(
        definition,
        plan,
        promotion.variant,
        share,
        promotion=promotion.id,
        is_final=is_final,
        harmful=evidence.harmful,
    )


def _after(experiment: Experiment, promotion: Promotion, after: SegmentPlan | None, names: Names) -> Split:
    if after is None:
        return _split(experiment, None, names)
    if experiment.status not in UNDER_WAY:
        return Split(sentence="Nothing: the experiment has been stopped.", pieces=())
    exploring = exploring_next(experiment.definition.promotion, promotion.variant)
    return split_of(experiment, after.allocation, names, after.promoted, exploring)


def _obstacles(promotion: Promotion, present: Proposal | None) -> tuple[str, ...]:
    if present is None:
        return ("The latest analysis does not know this segment, so nobody can tell whether it still wins.",)
    if present.decision.action is not Action.PROMOTE:
        return reasons_of(present.decision)
    if present.decision.variant != promotion.variant:
        return ("The numbers speak for another variant now.",)
    return ()
