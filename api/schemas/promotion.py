"""Promotions: evidence, decision, and every step on the way."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from api.paging import PageQuery
from api.schemas.allocation import AllocationSchema
from api.schemas.base import Body
from api.schemas.fields import Flag, Instant, Key, Text, Whole, choice
from experiments.domain.decision import Action
from experiments.domain.evidence import Basis, GuardrailState
from experiments.domain.experiment import Status
from experiments.domain.policy import StoppingRule
from experiments.domain.promotion import PromotionState


def _fraction() -> fields.Raw:
    return fields.Raw(allow_none=True, metadata={"type": "number"})


def _units() -> fields.List[Any]:
    return fields.List(fields.List(fields.Raw()), metadata={"description": "Pairs of variant and units."})


class GuardrailSchema(Body):
    metric = Key()
    variant = Key()
    state = choice(GuardrailState)


class ArmBeliefSchema(Body):
    variant = Key()
    chance_to_be_best = _fraction()
    expected_loss = _fraction()


class ForecastSchema(Body):
    """The smallest lift that the holdback will show with a chance of .8, by `at`."""

    lift = _fraction()
    at = Instant()


class LiveSchema(Body):
    """What a winner that is live has come to, against the holdback, since it went live."""

    promotion = Key()
    variant = Key()
    began_at = Instant()
    share_bp = Whole()
    share_since = Instant()
    is_final = fields.Boolean()
    predicted_gain = _fraction()
    units = _units()
    gain = _fraction()
    gain_low = _fraction()
    gain_high = _fraction()
    srm_p_value = _fraction()
    critical = fields.List(Text())
    guardrails = fields.List(fields.Nested(GuardrailSchema))


class EvidenceSchema(Body):
    """Exactly what was hashed: as JSON with sorted keys and no spaces, its SHA-256 is `evidence_sha256`."""

    experiment = Key()
    segment = Key()
    segment_name = Text()
    status = choice(Status)
    snapshot_id = fields.Integer()
    version = Whole()
    epoch = Whole()
    watermark_at = Instant()
    started_at = Instant(allow_none=True)
    since_epoch = Whole()
    current_since_epoch = Whole()
    segment_since = Instant()
    offered = fields.List(Key())
    already_promoted = Key(allow_none=True)
    declined = fields.List(Key())
    stopping_rule = choice(StoppingRule)
    control = Key()
    basis = choice(Basis)
    outcome = Text()
    segment_outcome = Text()
    variant = Key(allow_none=True)
    leaders = fields.List(Key())
    verdict = Text()
    units = _units()
    gain = _fraction()
    predicted_gain = _fraction()
    gain_low = _fraction()
    gain_high = _fraction()
    best_gain_high = _fraction()
    p_value_adjusted = _fraction()
    beliefs = fields.List(fields.Nested(ArmBeliefSchema))
    srm_p_value = _fraction()
    critical = fields.List(Text())
    guardrails = fields.List(fields.Nested(GuardrailSchema))
    holdback = fields.Nested(ForecastSchema, allow_none=True)
    live = fields.Nested(LiveSchema, allow_none=True)


class ReasonSchema(Body):
    code = Text()
    message = Text()


class DecisionSchema(Body):
    """The first reason decided."""

    action = choice(Action)
    variant = Key(allow_none=True)
    reasons = fields.List(fields.Nested(ReasonSchema))


class StepSchema(Body):
    """Who did what when, and on what. `evidence` is there where a decision made the step."""

    state = choice(PromotionState)
    at = Instant()
    by = Text()
    version = Whole(metadata={"description": "Of the experiment, when it was decided."})
    unattended = fields.Boolean()
    reasons = fields.List(fields.Nested(ReasonSchema))
    note = Text()
    evidence = fields.Nested(EvidenceSchema, allow_none=True)
    evidence_sha256 = Text(allow_none=True)
    share_bp = Whole(allow_none=True)
    exploration_bp = Whole(metadata={"description": "Who sees any variant from then on, beside that share."})
    version_after = Whole(allow_none=True)


class PromotionSchema(Body):
    """`state` is that of the last step, `evidence` what it was proposed on."""

    id = Key()
    experiment = Key()
    segment = Key()
    variant = Key()
    state = choice(PromotionState)
    revision = Whole()
    evidence = fields.Nested(EvidenceSchema)
    evidence_sha256 = Text(attribute="proposal.evidence_sha256")
    reasons = fields.List(fields.Nested(ReasonSchema), attribute="proposal.reasons")
    steps = fields.List(fields.Nested(StepSchema))


class ProposalSchema(Body):
    """What would be done now; `allocation_after` only where the answer moves anybody."""

    experiment = Key()
    segment = Key()
    evidence = fields.Nested(EvidenceSchema)
    evidence_sha256 = Text()
    decision = fields.Nested(DecisionSchema)
    promotion = Key(attribute="promotion.id", allow_none=True, dump_default=None)
    allocation_before = fields.Nested(AllocationSchema)
    allocation_after = fields.Nested(AllocationSchema, allow_none=True)


class ProposedSchema(Body):
    proposal = fields.Nested(ProposalSchema)


class ProposalsSchema(Body):
    items = fields.List(fields.Nested(ProposalSchema))


class PromoteSchema(Body):
    segment = Key(required=True)
    dry_run = Flag(load_default=False)
    reason = Text(load_default="")


class ApproveSchema(Body):
    reason = Text(load_default="")


class RevertSchema(Body):
    reason = Text(required=True)


class PresentSchema(Body):
    """What the segment of an open promotion shows now; null where it has ended."""

    evidence = fields.Nested(EvidenceSchema, allow_none=True)


class PromotionsQuery(PageQuery):
    experiment = Key(load_default=None)
    state = choice(PromotionState, load_default=None)
