"""Segment templates, their parameters, and what they come to."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from api.schemas.base import Body
from api.schemas.fields import Flag, Json, JsonObject, Key, Number, Text, choice
from experiments.domain.segment_kind import SegmentKind
from experiments.domain.templates import ParameterType, SegmentTemplate


class SegmentTemplateQuery(Body):
    kind = choice(SegmentKind, metadata={"description": "Only templates of this kind."})


class ParameterSchema(Body):
    """`least` and `most` bound numbers, both inclusive."""

    name = Key()
    type = choice(ParameterType)
    description = Text()
    required = Flag()
    default = Json(allow_none=True)
    least = Number(allow_none=True)
    most = Number(allow_none=True)
    options = fields.List(Text())


class SegmentTemplateSchema(Body):
    key = Key()
    kind = choice(SegmentKind)
    name = Text()
    sentence = Text(metadata={"description": "What the segment holds, for people."})
    parameters = fields.List(fields.Nested(ParameterSchema))
    example = fields.Method("_example", metadata={"type": "object", "additionalProperties": True})

    def _example(self, template: SegmentTemplate) -> dict[str, Any]:
        example = template.example
        return {
            "sentence": example.sentence,
            "parameters": dict(example.parameters),
            "condition": template.condition(example.parameters),
        }


class SegmentTemplateListSchema(Body):
    items = fields.List(fields.Nested(SegmentTemplateSchema))


class FillingSchema(Body):
    parameters = JsonObject(load_default=dict)


class FilledSchema(Body):
    """`condition` goes into the body of a segment as it is."""

    template = Key()
    kind = choice(SegmentKind)
    parameters = JsonObject()
    condition = JsonObject()
    attributes = fields.List(Text(), metadata={"description": "What has to be known of a unit for the condition."})
