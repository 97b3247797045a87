"""Segment reports: what surrounds the documents that docs/segmentation/reports.md describes."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from api.schemas.base import Body
from api.schemas.fields import Instant, Key, Number, Text, Whole
from api.schemas.library import SegmentBodySchema, StoredSchema

STATES = ("pending", "outdated", "made")
_OR_REASON = "; what is not known is `{undefined, message}`"


def _state() -> fields.String:
    told = "`pending`: none yet; `outdated`: the segment was edited since; the worker takes both first."
    return fields.String(validate=validate.OneOf(STATES), metadata={"description": told})


def _part(description: str) -> fields.Dict:
    return fields.Dict(metadata={"additionalProperties": True, "description": f"{description}{_OR_REASON}."})


def _number(description: str) -> Any:
    return fields.Raw(metadata={"description": f"{description}{_OR_REASON}."})


class DoubtSchema(Body):
    """Why a segment may not be worth testing in; `other` is the segment that it speaks of."""

    code = Text()
    severity = fields.String(validate=validate.OneOf(("critical", "warning", "info")))
    sentence = Text()
    other = Key()


class ReportedSegmentSchema(StoredSchema):
    """`doubts`: of the newest report; until it is made, what is known at once."""

    key = Key(attribute="segment.value.key")
    revision = Whole(attribute="segment.revision")
    updated_at = Instant(attribute="segment.updated_at")
    definition = fields.Nested(SegmentBodySchema, attribute="segment.value")
    report = _state()
    doubts = fields.List(fields.Nested(DoubtSchema))


class ReportSchema(Body):
    segment = Key()
    name = Text()
    report = _state()
    number = Whole()
    revision = Whole()
    made_at = Instant()
    since = Instant()
    weeks = Whole()
    purchases = fields.List(Text())
    minimum_lift = Number()
    units = Whole()


class CardSchema(ReportSchema):
    everybody = _part("Value of all customers")
    card = _part("Size, value, stability, overlaps, reach, profiles, differences, and whether it can be tested in")
    doubts = fields.List(fields.Nested(DoubtSchema))
    notes = fields.List(Text())


class PersonaSchema(ReportSchema):
    persona = _part("Typical and distinguishing values, what they buy, channels, and content that won with them")


class PointSchema(Body):
    """One report in numbers; those of the week that ended last, and of all weeks that it tells of."""

    number = Whole()
    revision = Whole()
    made_at = Instant()
    units = _number("Customers in it")
    share = _number("Of all customers")
    revenue_per_unit = _number("In the weeks before")
    entered = _number("Came in the last week")
    left = _number("Left in the last week")
    entering = _number("Share that comes each week")
    leaving = _number("Share that leaves each week")
    doubts = fields.List(Text(), metadata={"description": "Their codes."})


class HistorySchema(Body):
    """Newest first, one report a day."""

    segment = Key()
    items = fields.List(fields.Nested(PointSchema))


class CustomersSchema(Body):
    number = Whole()
    made_at = Instant()
    units = Whole()
    rfm = _part("Counts and money by score of recency and frequency, and by named group")
    overlap = _part("Who is in two segments: counts and shares")
