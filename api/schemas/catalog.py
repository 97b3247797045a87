"""The catalog document `winnow.catalog/1`. It describes; `services/publishing/published.py` writes out what is sent."""

from __future__ import annotations

from marshmallow import fields, validate

from api.schemas.base import Body
from api.schemas.fields import Json, JsonObject, Key, Text, Whole, choice
from experiments.domain.definition import ExposurePolicy, Randomisation
from experiments.domain.experiment import Status
from experiments.services.publishing.published import SCHEMA


class SliceSchema(Body):
    """The half-open range of buckets [start, end)."""

    start = Whole(required=True)
    end = Whole(required=True)


class ArmSliceSchema(SliceSchema):
    variant = Key(required=True)


class OwnLayerSchema(Body):
    """The part of the layer that is the experiment's; from 10,000 - `holdout_bp` on nobody is in any experiment."""

    key = Key(required=True)
    bucketing = Whole(required=True)
    salt = Text(required=True)
    holdout_bp = Whole(required=True)
    slots = fields.List(fields.Nested(SliceSchema), required=True)


class CatalogVariantSchema(Body):
    key = Key(required=True)
    content = Json(required=True, allow_none=True)


class CatalogSegmentSchema(Body):
    """The first segment whose condition holds decides; `after_stop` is what it sees once the experiment has stopped."""

    key = Key(required=True)
    condition = JsonObject(required=True)
    traffic_bp = Whole(required=True)
    ranges = fields.List(fields.Nested(ArmSliceSchema), required=True)
    after_stop = Key(required=True)


class CatalogExperimentSchema(Body):
    """Salts: `salt/traffic` decides entry, `salt/variant` the variant."""

    key = Key(required=True)
    status = choice(Status, required=True)
    version = Whole(required=True)
    epoch = Whole(required=True)
    unit_type = Key(required=True)
    randomisation = choice(Randomisation, required=True)
    exposure_policy = choice(ExposurePolicy, required=True)
    bucketing = Whole(required=True)
    salt = Text(required=True)
    layer = fields.Nested(OwnLayerSchema, required=True, allow_none=True)
    control = Key(required=True)
    variants = fields.List(fields.Nested(CatalogVariantSchema), required=True)
    segments = fields.List(fields.Nested(CatalogSegmentSchema), required=True)
    forced = fields.Dict(keys=Text(), values=Key(), required=True, metadata={"description": "Testers, by unit id."})


class CatalogSchema(Body):
    schema = fields.String(required=True, validate=validate.Equal(SCHEMA))
    version = Whole(required=True)
    experiments = fields.List(fields.Nested(CatalogExperimentSchema), required=True)
