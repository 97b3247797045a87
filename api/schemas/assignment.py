"""Assignments: who asks, and what they see."""

from __future__ import annotations

from marshmallow import fields, validate

from api.schemas.base import Body, Built
from api.schemas.fields import Json, JsonObject, Key, Place, Text, Whole, choice
from experiments.domain.assignment import Assignment, Reason
from experiments.services.assigning.assign import Unit

MAX_UNITS = 1_000
_WHERE = {"description": "Of the exposures that asking makes, where the experiment says that asking is showing."}


def is_counted(answer: Assignment) -> bool:
    """Say whether results may count the unit."""
    return answer.reason is Reason.ASSIGNED


class UnitSchema(Built):
    builds = Unit

    unit_id = Text(required=True)
    attributes = JsonObject(load_default=dict)


class AskSchema(Body):
    """One unit; without `experiment`, all running experiments answer."""

    unit_id = Text(required=True)
    attributes = JsonObject(load_default=dict)
    experiment = Key(load_default=None)
    channel = Place(load_default=None, metadata=_WHERE)


class AskManySchema(Body):
    units = fields.List(fields.Nested(UnitSchema), required=True, validate=validate.Length(min=1, max=MAX_UNITS))
    experiment = Key(load_default=None)
    channel = Place(load_default=None, metadata=_WHERE)


class AssignmentSchema(Body):
    """`counted`: the unit is part of the results once it is exposed."""

    experiment = Key()
    version = Whole()
    epoch = Whole()
    segment = Key(allow_none=True)
    variant = Key()
    content = Json(allow_none=True)
    reason = choice(Reason)
    counted = fields.Function(is_counted, metadata={"type": "boolean"})


class AnswersSchema(Body):
    assignments = fields.List(fields.Nested(AssignmentSchema))


class UnitAnswersSchema(Body):
    unit_id = Text()
    assignments = fields.List(fields.Nested(AssignmentSchema))


class ManyAnswersSchema(Body):
    results = fields.List(fields.Nested(UnitAnswersSchema))
