"""Drift: who is in another segment now than when they were exposed."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import Body
from api.schemas.fields import Instant, Key


class DriftSchema(Body):
    """As it was at `computed_at`, of the units that the snapshot counts."""

    experiment = Key()
    snapshot_id = fields.Integer()
    computed_at = Instant()
    drift = fields.Dict(metadata={"additionalProperties": True})
