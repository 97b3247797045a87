"""Promotions: evidence, decision, and the act."""

from __future__ import annotations

from marshmallow import fields

from api.paging import PageQuery
from api.schemas.allocation import AllocationSchema
from api.schemas.base import Body
from api.schemas.fields import Flag, Instant, Key, Text, Whole, choice
from experiments.domain.experiment import Status
from experiments.domain.policy import StoppingRule
from experiments.domain.promotion import Action, GuardrailState, PromotionState


class GuardrailSchema(Body):
    metric = Key()
    variant = Key()
    state = choice(GuardrailState)


class EvidenceSchema(Body):
    """Exactly what was hashed: as JSON with sorted keys and no spaces, its SHA-256 is `evidence_sha256`."""

    experiment = Key()
    segment = Key()
    status = choice(Status)
    snapshot_id = fields.Integer()
    version = Whole()
    watermark_at = Instant()
    started_at = Instant(allow_none=True)
    since_epoch = Whole()
    current_since_epoch = Whole()
    segment_since = Instant()
    offered = fields.List(Key())
    already_promoted = Key(allow_none=True)
    declined = Key(allow_none=True)
    stopping_rule = choice(StoppingRule)
    control = Key()
    outcome = Text()
    variant = Key(allow_none=True)
    leaders = fields.List(Key())
    verdict = Text()
    units = fields.List(fields.List(fields.Raw()), metadata={"description": "Pairs of variant and units."})
    lift = fields.Raw(allow_none=True, metadata={"type": "number"})
    gain_low = fields.Raw(allow_none=True, metadata={"type": "number"})
    gain_high = fields.Raw(allow_none=True, metadata={"type": "number"})
    p_value_adjusted = fields.Raw(allow_none=True, metadata={"type": "number"})
    srm_p_value = fields.Raw(allow_none=True, metadata={"type": "number"})
    critical = fields.List(Text())
    guardrails = fields.List(fields.Nested(GuardrailSchema))


class ReasonSchema(Body):
    code = Text()
    message = Text()


class DecisionSchema(Body):
    """The first reason decided."""

    action = choice(Action)
    variant = Key(allow_none=True)
    reasons = fields.List(fields.Nested(ReasonSchema))


class ProposalSchema(Body):
    """What a promotion would do now; `allocation_after` only where the answer is to promote."""

    experiment = Key()
    segment = Key()
    evidence = fields.Nested(EvidenceSchema)
    evidence_sha256 = Text()
    decision = fields.Nested(DecisionSchema)
    allocation_before = fields.Nested(AllocationSchema)
    allocation_after = fields.Nested(AllocationSchema, allow_none=True)


class ProposedSchema(Body):
    proposal = fields.Nested(ProposalSchema)


class ProposalsSchema(Body):
    items = fields.List(fields.Nested(ProposalSchema))


class PromotionSchema(Body):
    id = Key()
    experiment = Key()
    segment = Key()
    variant = Key()
    state = choice(PromotionState)
    evidence = fields.Nested(EvidenceSchema)
    evidence_sha256 = Text()
    reasons = fields.List(fields.Nested(ReasonSchema))
    version_before = Whole()
    version_after = Whole()
    applied_at = Instant()
    applied_by = Text()
    reverted_at = Instant(allow_none=True)
    reverted_by = Text(allow_none=True)
    revert_reason = Text(allow_none=True)


class PromoteSchema(Body):
    segment = Key(required=True)
    dry_run = Flag(load_default=False)


class RevertSchema(Body):
    reason = Text(required=True)


class PromotionsQuery(PageQuery):
    experiment = Key(load_default=None)
