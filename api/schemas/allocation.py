"""Allocations: which buckets see which variant."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import Body
from api.schemas.fields import Key, Table, Whole


class RangeSchema(Body):
    """Buckets from `start` up to, and without, `end`."""

    start = Whole()
    end = Whole()
    variant = Key()


class AllocationSchema(Body):
    weights_bp = Table(values=Whole())
    ranges = fields.List(fields.Nested(RangeSchema))
