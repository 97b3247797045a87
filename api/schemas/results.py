"""Snapshots: what the worker computed, and from what."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import Body
from api.schemas.fields import Instant, Key, Text, Whole


class WatermarkSchema(Body):
    """Everything stored up to these ids was looked at."""

    exposure_id = fields.Integer()
    event_id = fields.Integer()
    at = Instant()


class SnapshotSchema(Body):
    id = fields.Integer()
    experiment = Key()
    version = Whole()
    watermark = fields.Nested(WatermarkSchema)
    computed_at = Instant()
    engine_version = Text()
    input_sha256 = Text()
    report_sha256 = Text()


class ResultsSchema(Body):
    snapshot = fields.Nested(SnapshotSchema)
    report = fields.Dict(metadata={"additionalProperties": True})
