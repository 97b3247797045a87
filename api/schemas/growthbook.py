"""What GrowthBook's SDKs send and get."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import Body
from api.schemas.fields import JsonObject


class EvaluationBodySchema(Body):
    """`attributes.id` is the unit. What else SDKs send is let through unread: there are many, in many versions."""

    attributes = JsonObject(load_default=dict)
    forced_variations = JsonObject(load_default=dict, data_key="forcedVariations")


class FeaturesSchema(Body):
    """GrowthBook's SDK payload; `winnow.left_out` says which experiments SDKs cannot decide, and why."""

    status = fields.Integer()
    features = JsonObject()
    dateUpdated = fields.String()  # noqa: N815 - their name
    winnow = JsonObject()


class EvaluatedSchema(Body):
    """The same with features that are decided already."""

    status = fields.Integer()
    features = JsonObject()
    dateUpdated = fields.String()  # noqa: N815 - their name
