"""Clusterings and discoveries, and what is made of them. `document` is written down in docs/segmentation."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import Body
from api.schemas.fields import Instant, JsonObject, Key, Text, Whole, choice
from api.schemas.library import SegmentSchema
from experiments.services.studies.studies import Standing


class StudySchema(Body):
    """One version, which never changes."""

    name = Key()
    version = Whole()
    made_at = Instant()
    made_by = Text()
    outcome = Text()
    message = fields.Function(lambda study: study.document["message"], metadata={"type": "string"})


class StudyVersionSchema(StudySchema):
    document = fields.Dict(metadata={"additionalProperties": True})


class AdoptedSegmentSchema(Body):
    """A segment beside the newest rule of what it was made of; both are null where there is none any more."""

    segment = Key(attribute="adoption.segment")
    group = Key(attribute="adoption.group")
    version = Whole(attribute="adoption.version")
    adopted_at = Instant(attribute="adoption.adopted_at")
    adopted_by = Text(attribute="adoption.adopted_by")
    standing = choice(Standing)
    condition = JsonObject(allow_none=True)
    rule = JsonObject(allow_none=True)


class StudyVersionsSchema(Body):
    items = fields.List(fields.Nested(StudyVersionSchema))
    next_cursor = fields.String(allow_none=True)
    adopted = fields.List(fields.Nested(AdoptedSegmentSchema))


class _AdoptSchema(Body):
    """`segment`: the key of a new one, or of one that was made of the same group before."""

    segment = Key(required=True)
    version = Whole(metadata={"description": "The newest that found anything, where it is left out."})
    name = Text(metadata={"description": "Of the segment, for people."})


class AdoptClusterSchema(_AdoptSchema):
    cluster = Key(required=True)


class AdoptLeafSchema(_AdoptSchema):
    leaf = Key(required=True)


class AdoptedSchema(Body):
    """`before`: what the segment asked until now; null where it is new."""

    segment = fields.Nested(SegmentSchema)
    before = JsonObject(allow_none=True)
    version = Whole()
