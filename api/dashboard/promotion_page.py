"""Everything on the page of one promotion: where it stands, what it has come to, its steps, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from api.dashboard import format as say
from api.dashboard.evidence_words import Fact, facts_of, lead
from api.dashboard.gain import measure_of
from api.dashboard.guardrails import Guardrail, guardrails_of_evidence
from api.dashboard.inbox import Waiting, waiting_of
from api.dashboard.live import Split, exploring_of, split_of
from api.dashboard.names import names_of
from api.dashboard.realised import Realised, realised_of
from api.dashboard.reasons import in_words, reasons_of
from api.dashboard.standing import WORDS, Standing, person_of, standing_of, watched_since
from api.dashboard.taking_part import of_those, who_takes_part
from experiments.domain.experiment import Experiment
from experiments.domain.layer import Layer
from experiments.domain.promotion import Promotion, PromotionState, PromotionStep
from experiments.services.promoting.proposals import Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    state: str
    word: str
    when: str
    who: str
    share: str
    note: str
    reasons: tuple[str, ...]
    evidence: str
    evidence_short: str
    snapshot_id: int | None
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionPage:
    """`waiting` is there while it waits, `realised` once it has been live; `next_reasons`: what the policy says now."""

    id: str
    key: str
    experiment: str
    segment: str
    variant: str
    control: str
    metric: str
    standing: Standing
    waiting: Waiting | None
    realised: Realised | None
    next_reasons: tuple[str, ...]
    split: Split | None
    traffic: str
    steps: tuple[Step, ...]
    lead: str
    facts: tuple[Fact, ...]
    guardrails: tuple[Guardrail, ...]
    evidence: str
    evidence_short: str
    snapshot_id: int


_DONE = {PromotionState.PROPOSED: "Proposed"}


def promotion_page(
    experiment: Experiment, promotion: Promotion, present: Proposal | None, *, layer: Layer | None
) -> PromotionPage:
    """Put a promotion into words; `present` is what would be done now, where it is under way."""
    definition, names = experiment.definition, names_of(experiment)
    since = watched_since([] if present is None else [present])
    measure = measure_of(definition, names)
    standing = standing_of(experiment, promotion, names, since, layer=layer)
    waits = promotion.state in (PromotionState.PROPOSED, PromotionState.APPROVED)
    sha256 = promotion.proposal.evidence_sha256 or ""
    plan = definition.plan_of(promotion.segment)
    return PromotionPage(
        id=promotion.id,
        key=experiment.key,
        experiment=definition.name,
        segment=names.segment(promotion.segment),
        variant=names.variant(promotion.variant),
        control=measure.control,
        metric=measure.metric,
        standing=standing,
        waiting=waiting_of(experiment, promotion, present, layer=layer) if waits else None,
        realised=realised_of(experiment, promotion, present, names, measure, revertible=standing.revertible),
        next_reasons=reasons_of(present.decision) if present is not None and promotion.is_live else (),
        split=split_of(experiment, plan.allocation, names, plan.promoted, exploring_of(promotion))
        if plan and standing.is_shown
        else None,
        traffic=who_takes_part(definition, plan, names, layer) if standing.is_shown else "",
        steps=tuple(
            _steps(
                promotion,
                f"{names.segment(promotion.segment)}{of_those(definition, plan)}",
                elsewhere=definition.is_split_elsewhere,
            )
        ),
        lead=lead(definition, promotion.evidence, promotion.variant, names),
        facts=facts_of(definition, promotion.evidence, names, measure),
        guardrails=guardrails_of_evidence(promotion.evidence, names),
        evidence=sha256,
        evidence_short=sha256[:12],
        snapshot_id=promotion.evidence.snapshot_id,
    )


def _steps(promotion: Promotion, segment: str, *, elsewhere: bool) -> Iterator[Step]:
    """What was said at the step before, at the same time, is not said again."""
    for position, step in enumerate(promotion.steps):
        before = [earlier for earlier in promotion.steps[:position] if earlier.at == step.at]
        noted = any(earlier.note == step.note for earlier in before)
        # Who takes it back in person says why; what the machine said at that moment was no reason.
        in_person = step.state is PromotionState.REVERTED and not step.unattended
        argued = in_person or (position > 0 and step.reasons == promotion.proposal.reasons)
        told = _step(step, segment, note="" if noted else step.note, reasons=() if argued else in_words(step.reasons))
        shown = step.state in (PromotionState.RAMPING, PromotionState.HELD)
        yield replace(told, word="Decided") if elsewhere and shown else told


def _step(step: PromotionStep, segment: str, *, note: str, reasons: tuple[str, ...]) -> Step:
    sha256 = step.evidence_sha256 or ""
    return Step(
        state=str(step.state),
        word=_DONE.get(step.state, WORDS[step.state]),
        when=say.instant(step.at),
        who=person_of(step),
        share=_share(step, segment),
        note=note,
        reasons=reasons,
        evidence=sha256,
        evidence_short=sha256[:12],
        snapshot_id=step.evidence.snapshot_id if step.evidence else None,
        version=f"version {step.version_after}" if step.version_after is not None else "",
    )


def _share(step: PromotionStep, segment: str) -> str:
    if step.share_bp is None:
        return ""
    exploring = f", {say.basis_points(step.exploration_bp)} any content" if step.exploration_bp else ""
    return f"{say.basis_points(step.share_bp)} of {segment}{exploring}"
