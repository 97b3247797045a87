"""What an erasure did."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import Body
from api.schemas.fields import Instant, Key, Whole


class ForcedInSchema(Body):
    """Versions never change: these name the unit as a forced tester."""

    experiment = Key()
    versions = fields.List(Whole())


class ReceiptSchema(Body):
    """`waiting`: rows in spools of this machine, which are dropped instead of stored. No unit is named."""

    id = fields.String()
    erased_at = Instant()
    unit_digest = fields.String(metadata={"description": "HMAC-SHA256 of the id with a salt of the database's own."})
    deleted = fields.Dict(keys=fields.String(), values=Whole())
    waiting = fields.Dict(keys=fields.String(), values=Whole())
    unreadable_files = Whole()
    forced_in = fields.List(fields.Nested(ForcedInSchema))
    left = fields.List(fields.String())
