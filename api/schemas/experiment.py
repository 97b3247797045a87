"""Experiments: the body that authors write, which is also what they read back, and the state around it."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from api.schemas.allocation import RangeSchema
from api.schemas.base import Body, Built
from api.schemas.fields import (
    BUCKETING,
    Flag,
    Instant,
    Json,
    JsonObject,
    Key,
    Number,
    Several,
    Table,
    Text,
    Whole,
    choice,
    seconds,
)
from api.schemas.promotion_policy import PromotionPolicySchema
from experiments.domain.adaptive import AdaptivePolicy
from experiments.domain.definition import (
    MAX_FORCED,
    MAX_SEGMENTS,
    MAX_VARIANTS,
    Definition,
    ExposurePolicy,
    Randomisation,
    Variant,
)
from experiments.domain.experiment import Status
from experiments.domain.layer import LayerClaim
from experiments.domain.metric import MetricRole
from experiments.domain.policy import (
    AnalysisPlan,
    Family,
    LiftPrior,
    Spending,
    StoppingRule,
)
from experiments.services.authoring.wishes import ExperimentWish, MetricWish, SegmentWish, wish_of

MAX_METRICS = 100
MAX_TAGS = 50


class VariantSchema(Built):
    builds = Variant

    key = Key(required=True)
    name = Text(required=True)
    content = Json(allow_none=True, metadata={"description": "Any JSON: what the frontend shows."})
    is_control = Flag()


class SegmentWishSchema(Built):
    builds = SegmentWish

    segment = Key(required=True)
    weights = Table(
        keys=Key(), values=Whole(), allow_none=True, metadata={"description": "Relative; left out: all alike."}
    )
    traffic_bp = Whole(metadata={"description": "The share of the segment that is in the experiment, 10000 is all."})


class MetricWishSchema(Built):
    builds = MetricWish

    metric = Key(required=True)
    role = choice(MetricRole, required=True)
    margin_lift = Number(
        allow_none=True, metadata={"description": "Of a guardrail: the largest harm that is tolerated."}
    )


class LayerClaimSchema(Built):
    builds = LayerClaim

    layer = Key(required=True)
    share_bp = Whole(required=True, metadata={"description": "Of the layer, 10000 is all of it."})


class LiftPriorSchema(Built):
    """Of a lift, before the data: near-normal, both numbers fractions."""

    builds = LiftPrior

    mean = Number(required=True)
    std_dev = Number(required=True)


class AnalysisPlanSchema(Built):
    builds = AnalysisPlan

    alpha = Number(
        metadata={
            "description": "The error rate of all comparisons on the primary metric, segments and variants together."
        }
    )
    stopping_rule = choice(
        StoppingRule,
        metadata={
            "description": "always_valid: look whenever you like. group_sequential: every analysis is a planned look. "
            "fixed_horizon: one look, when it is over; promotes nothing."
        },
    )
    family = choice(
        Family,
        metadata={
            "description": "How the error rate is shared. Those with `benjamini` in their names limit only a share of "
            "wrong comparisons: for screening, nothing is promoted by them without a person."
        },
    )
    minimum_duration_seconds = seconds(metadata={"description": "Nothing is proposed before. By default 14 days."})
    minimum_units = Whole(metadata={"description": "Of each variant in a segment; with fewer nothing is concluded."})
    minimum_conversions = Whole(
        metadata={
            "description": "So many of each variant have converted, and so many not, before anything is concluded."
        }
    )
    tuned_for_units = Whole(
        metadata={"description": "Of a segment in total: there the intervals of always_valid are narrowest."}
    )
    planned_units = Whole(
        allow_none=True,
        metadata={"description": "Of `group_sequential` only: units of a segment at the last look that is planned."},
    )
    spending = choice(
        Spending,
        metadata={
            "description": "Of `group_sequential`: how its looks spend the error rate. Every analysis is a look."
        },
    )
    minimum_lift = Number(
        allow_none=True,
        metadata={"description": "The smallest lift worth acting on: reports state the power that is left for it."},
    )
    novelty_days = Whole(metadata={"description": "So many days since exposure the effect is followed by day."})
    post_stratified = Flag(metadata={"description": "Segments are strata in the comparison of all together."})
    lift_prior = fields.Nested(
        LiftPriorSchema,
        allow_none=True,
        metadata={"description": "Of the chances to be best and the expected losses, and of nothing else; null: flat."},
    )


class AdaptivePolicySchema(Built):
    """Thompson sampling in batches: a segment's split follows the chances of its variants to be the best one."""

    builds = AdaptivePolicy

    batch_seconds = seconds()
    floor_bp = Whole(metadata={"description": "The least share of every variant, at any time."})
    draws = Whole(metadata={"description": "Taken of every variant's posterior after each batch."})
    seed = Text(metadata={"description": "What they are drawn by: the same seed and outcomes give the same splits."})
    warm_up_units = Whole(
        metadata={"description": "A segment keeps its split until each of its variants has as many units."}
    )


class ExperimentWishSchema(Built):
    """The definition of an experiment, as written and as read back."""

    builds = ExperimentWish

    key = Key(required=True)
    name = Text(required=True)
    hypothesis = Text()
    owner = Text()
    tags = Several(
        Key(), validate=validate.Length(max=MAX_TAGS), metadata={"description": "Keys with tags see only what has one."}
    )
    unit_type = Key(metadata={"description": "What is split: customer, or another kind with ids of its own."})
    salt = Text(allow_none=True, metadata={"description": "What ids are hashed with; by default the experiment's key."})
    bucketing = Whole(metadata=BUCKETING)
    variants = Several(fields.Nested(VariantSchema), required=True, validate=validate.Length(max=MAX_VARIANTS))
    segments = Several(fields.Nested(SegmentWishSchema), validate=validate.Length(max=MAX_SEGMENTS))
    metrics = Several(fields.Nested(MetricWishSchema), required=True, validate=validate.Length(max=MAX_METRICS))
    layer = fields.Nested(
        LayerClaimSchema,
        allow_none=True,
        metadata={"description": "Experiments of one layer share no unit, and its holdout sees none of them."},
    )
    analysis = fields.Nested(AnalysisPlanSchema)
    promotion = fields.Nested(PromotionPolicySchema)
    exposure_policy = choice(
        ExposurePolicy,
        metadata={
            "description": "on_event: who was reported as exposed counts. on_assignment: whoever was asked about."
        },
    )
    randomisation = choice(
        Randomisation,
        metadata={"description": "external: another system splits the units, exposures are taken as reported."},
    )
    forced = Table(
        keys=Text(),
        values=Key(),
        validate=validate.Length(max=MAX_FORCED),
        metadata={"description": "Testers by unit id, and the variant that each sees; they do not count."},
    )
    adaptive = fields.Nested(
        AdaptivePolicySchema,
        allow_none=True,
        metadata={"description": "Null: splits stay as they are declared. It cannot change once started."},
    )


class SegmentPlanSchema(Body):
    """What became of a wished segment: its condition as copied, and the buckets that follow."""

    segment = Key(attribute="segment.key")
    name = Text(attribute="segment.name")
    condition = JsonObject(attribute="segment.condition")
    weights = Table(values=Whole())
    weights_bp = Table(values=Whole(), attribute="allocation.weights_bp")
    ranges = fields.List(fields.Nested(RangeSchema), attribute="allocation.ranges")
    traffic_bp = Whole()
    since_epoch = Whole()
    promoted = Key(allow_none=True)
    promotion = Text(allow_none=True)
    declined = Key(allow_none=True)


class ExperimentSchema(Body):
    key = Key()
    status = choice(Status)
    version = Whole(attribute="current.number")
    epoch = Whole(attribute="current.epoch")
    revision = Whole()
    created_at = Instant()
    updated_at = Instant()
    started_at = Instant(allow_none=True)
    stopped_at = Instant(allow_none=True)
    definition = fields.Function(
        lambda experiment: definition_document(experiment.definition),
        metadata={"type": "object", "description": "The body that a PUT takes."},
    )
    segments = fields.List(fields.Nested(SegmentPlanSchema), attribute="definition.segments")


class VersionSchema(Body):
    version = Whole(attribute="number")
    epoch = Whole()
    paused = fields.Boolean()
    created_at = Instant()
    created_by = Text()
    definition = fields.Function(lambda version: definition_document(version.definition), metadata={"type": "object"})
    segments = fields.List(fields.Nested(SegmentPlanSchema), attribute="definition.segments")


class VersionsSchema(Body):
    items = fields.List(fields.Nested(VersionSchema))


def definition_document(definition: Definition) -> dict[str, Any]:
    """Return the definition as a body."""
    document: dict[str, Any] = _WISH.dump(wish_of(definition))
    return document


_WISH = ExperimentWishSchema()
