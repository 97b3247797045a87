"""Segments, metrics and layers: bodies, and what is stored of them."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, post_load, validate

from api.schemas.base import Body, Built
from api.schemas.fields import BUCKETING, Flag, Instant, JsonObject, Key, Number, Several, Text, Whole, choice, seconds
from experiments.domain.covariate import Covariate
from experiments.domain.layer import Layer
from experiments.domain.metric import MAX_COVARIATES, Direction, Metric, MetricKind
from experiments.domain.segment import Segment
from experiments.domain.segment_kind import SegmentKind


class SegmentBodySchema(Built):
    builds = Segment

    key = Key(required=True)
    name = Text(required=True)
    condition = JsonObject()
    description = Text()
    kind = choice(SegmentKind, allow_none=True, metadata={"description": "A label for people: how it is known."})


class CovariateSchema(Built):
    """What a unit did in the `lookback_seconds` before its exposure; units that did nothing have 0."""

    builds = Covariate

    key = Key(required=True)
    event_name = Key(required=True)
    lookback_seconds = seconds(required=True)
    counts_events = Flag(metadata={"description": "The number of events in place of the sum of their values."})
    cap = Number(allow_none=True, metadata={"description": "A unit's value is cut off here."})


class MetricBodySchema(Built):
    builds = Metric

    key = Key(required=True)
    name = Text(required=True)
    kind = choice(
        MetricKind,
        required=True,
        metadata={
            "description": "conversion: any event. count: how many. mean: the sum of a unit's values. ratio: one sum "
            "over another. quantile: of the values of events."
        },
    )
    event_name = Key(required=True)
    denominator_event_name = Key(allow_none=True, metadata={"description": "Of a ratio."})
    numerator_counts_events = Flag(
        metadata={"description": "Of a ratio: the number of events in place of their values."}
    )
    denominator_counts_events = Flag(metadata={"description": "Of a ratio: so below the line."})
    direction = choice(Direction, metadata={"description": "Which way is better."})
    window_seconds = seconds(
        allow_none=True, metadata={"description": "Events count so long after a unit's exposure; null: without end."}
    )
    cap = Number(allow_none=True, metadata={"description": "A unit's value is cut off here."})
    description = Text()
    quantile = Number(
        allow_none=True, metadata={"description": "Of kind `quantile` only: 0.5 is the median of its events' values."}
    )
    winsor_quantile = Number(
        allow_none=True,
        metadata={"description": "Cuts a unit's value off at this quantile of all units' values; not with `cap`."},
    )
    covariates = Several(
        fields.Nested(CovariateSchema),
        validate=validate.Length(max=MAX_COVARIATES),
        metadata={"description": "Known before exposure: they take noise out of the comparison."},
    )


class LayerBodySchema(Built):
    """The salt defaults to the key. Slots belong to running experiments: they are read, never written."""

    builds = Layer

    key = Key(required=True)
    name = Text(required=True)
    salt = Text()
    holdout_bp = Whole(metadata={"description": "Who sees no experiment of the layer, 100 is one in a hundred."})
    bucketing = Whole(metadata=BUCKETING)

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Any:
        """Build the layer."""
        return super().build({"salt": data["key"], **data})


class SlotSchema(Body):
    """Layer buckets from `start` up to, and without, `end`."""

    start = Whole()
    end = Whole()
    experiment = Key()


class StoredSchema(Body):
    """What a library adds to its values; `definition` is the body that a PUT takes."""

    key = Key(attribute="value.key")
    revision = Whole()
    updated_at = Instant()


class SegmentSchema(StoredSchema):
    definition = fields.Nested(SegmentBodySchema, attribute="value")


class MetricSchema(StoredSchema):
    definition = fields.Nested(MetricBodySchema, attribute="value")


class LayerSchema(StoredSchema):
    definition = fields.Nested(LayerBodySchema, attribute="value")
    slots = fields.List(fields.Nested(SlotSchema), attribute="value.slots")
