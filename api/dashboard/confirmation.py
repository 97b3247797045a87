"""The page that asks before a winner goes live."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.adapting import adapting_ends
from api.dashboard.evidence_words import Fact, sizes_of
from api.dashboard.guardrails import Guardrail, guardrails_of_evidence
from api.dashboard.live import Split, exploring_next, exploring_of, split_of
from api.dashboard.names import names_of
from api.dashboard.policy_words import coming
from api.dashboard.reasons import reasons_of
from api.dashboard.standing import declined_before, live_in
from api.dashboard.taking_part import who_takes_part
from experiments.domain.decision import Action
from experiments.domain.experiment import UNDER_WAY, Experiment
from experiments.domain.layer import Layer
from experiments.domain.promotion import Promotion
from experiments.services.promoting.proposals import Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """`variant` is None where the policy says no; `reasons` then say why.

    `declined` says who said no to it before. `is_first`: more shares follow the one that is confirmed.
    """

    key: str
    experiment: str
    segment: str
    segment_name: str
    variant: str | None
    variant_name: str
    control: str
    verdict: str
    reasons: tuple[str, ...]
    declined: str
    sizes: Fact
    guardrails: tuple[Guardrail, ...]
    before: Split
    after: Split | None
    traffic: str
    is_first: bool
    elsewhere: bool
    coming: tuple[str, ...]
    data_until: str
    evidence_short: str


def confirmation(
    experiment: Experiment, proposal: Proposal, history: Iterable[Promotion], *, layer: Layer | None
) -> Confirmation:
    """Put a proposal into words; `history` are the promotions of so far, newest first."""
    names, decision, history = names_of(experiment), proposal.decision, tuple(history)
    variant = decision.variant if decision.action is Action.PROMOTE else None
    plan = experiment.definition.plan_of(proposal.segment)
    promoted = plan.promoted if plan else None
    after, policy = proposal.allocation_after, experiment.definition.promotion
    present_bp = 0 if variant is None else proposal.allocation_before.weights_bp.get(variant, 0)
    is_first = policy.next_share_bp(present_bp) != policy.last_share_bp
    return Confirmation(
        key=experiment.key,
        experiment=experiment.definition.name,
        segment=proposal.segment,
        segment_name=names.segment(proposal.segment),
        variant=variant,
        variant_name=names.variant(variant) if variant else "",
        control=names.variant(experiment.definition.control.key),
        verdict=proposal.evidence.verdict,
        reasons=reasons_of(decision),
        declined=declined_before(history, proposal.segment, variant)
        if variant is not None and variant in proposal.evidence.declined
        else "",
        sizes=sizes_of(proposal.evidence),
        guardrails=guardrails_of_evidence(proposal.evidence, names),
        before=split_of(experiment, proposal.allocation_before, names, promoted, exploring_of(live_in(history, plan))),
        after=split_of(experiment, after, names, None if is_first else variant, exploring_next(policy, variant))
        if after and variant
        else None,
        traffic=who_takes_part(experiment.definition, plan, names, layer) if experiment.status in UNDER_WAY else "",
        is_first=is_first,
        elsewhere=experiment.definition.is_split_elsewhere,
        coming=(
            *adapting_ends(experiment.definition, plan, after.weights_bp if after else {}, names),
            *coming(experiment, names, present_bp),
        ),
        data_until=say.instant(proposal.evidence.watermark_at),
        evidence_short=proposal.evidence_sha256[:12],
    )
