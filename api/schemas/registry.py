"""Attributes and sources: bodies, and what is stored of them."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import Built
from api.schemas.fields import Flag, Json, Key, Several, Text, Whole, choice
from api.schemas.library import StoredSchema
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.source import Source, SourceKind


class AttributeBodySchema(Built):
    builds = Attribute

    key = Key(required=True)
    name = Text(required=True)
    type = choice(AttributeType, required=True)
    description = Text()
    personal = Flag(metadata={"description": "It tells who somebody is or how they live."})
    sources = Several(Key(), metadata={"description": "Who may say it. None: every source."})
    allowed = Several(Json(), metadata={"description": "The values that it may have. None: any of its type."})
    fresh_days = Whole(
        allow_none=True, metadata={"description": "A value counts for so many days from when it was said."}
    )


class SourceBodySchema(Built):
    builds = Source

    key = Key(required=True)
    name = Text(required=True)
    kind = choice(SourceKind, required=True)
    precedence = Whole(required=True, metadata={"description": "The highest counts; no two sources have the same."})
    description = Text()


class AttributeSchema(StoredSchema):
    definition = fields.Nested(AttributeBodySchema, attribute="value")


class SourceSchema(StoredSchema):
    definition = fields.Nested(SourceBodySchema, attribute="value")
