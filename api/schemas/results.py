"""Snapshots: what the worker computed, and from what."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import Body
from api.schemas.fields import Instant, Key, Text, Whole, choice
from experiments.domain.event import Channel


class WatermarkSchema(Body):
    """Everything stored up to these ids was looked at."""

    exposure_id = fields.Integer()
    event_id = fields.Integer()
    identity_revision = fields.Integer(metadata={"description": "Ids that were joined up to it are one person."})
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


class IdentitiesSchema(Body):
    """Persons with several ids among the exposed; `contradictions`: those left out as their ids saw two variants."""

    persons = Whole()
    several_ids_exposed = Whole()
    contradictions = Whole()


class ChannelResultsSchema(Body):
    """Units whose first exposure was in that channel (null: none was said), all segments together.

    A description: `interval` holds at every look, and is not adjusted for the number of channels.
    """

    channel = choice(Channel, allow_none=True)
    units = Whole()
    units_mixed = Whole()
    metrics = fields.List(fields.Dict(metadata={"additionalProperties": True}))


class ResultsSchema(Body):
    snapshot = fields.Nested(SnapshotSchema)
    report = fields.Dict(metadata={"additionalProperties": True})
    identities = fields.Nested(IdentitiesSchema, allow_none=True, metadata={"description": "Null: nobody has several."})
    channels = fields.List(
        fields.Nested(ChannelResultsSchema), metadata={"description": "Empty where no exposure has a channel."}
    )
