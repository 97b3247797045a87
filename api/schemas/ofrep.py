"""OFREP: a context comes in, evaluations go out. The contract is OFREP's; what is unknown to us is left alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, ValidationError, fields

from api.ofrep.failure import KEY_MISSING
from api.schemas.base import Body
from api.schemas.fields import JsonObject
from api.schemas.messages import Coded, refused
from experiments.domain.errors import InvalidInput
from experiments.services.assigning.assign import Unit

_NO_KEY = Coded(KEY_MISSING, "The context has no targetingKey: say for whom the flags are evaluated.")


class Context(JsonObject):
    """A unit: `targetingKey` is its id, all else its attributes."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Unit:
        attributes = dict(super()._deserialize(value, attr, data, **kwargs))
        unit_id = attributes.pop("targetingKey", "")
        if unit_id == "":
            raise ValidationError(_NO_KEY)
        try:
            return Unit(unit_id=unit_id, attributes=attributes)
        except InvalidInput as refusal:
            raise refused(InvalidInput(refusal.code, refusal.message, path="/targetingKey")) from refusal


class EvaluateSchema(Body):
    """What clients without any context send, `{}`, lacks a targeting key above all."""

    class Meta:
        unknown = EXCLUDE

    context = Context(required=True, error_messages={"required": _NO_KEY})


class NoticedSchema(Body):
    """What a change notice said; a client that heard of a change repeats it here."""

    class Meta:
        unknown = EXCLUDE

    flagConfigEtag = fields.String(load_default="")  # noqa: N815 - OFREP's name
    flagConfigLastModified = fields.String(load_default="")  # noqa: N815


class EvaluationSchema(Body):
    key = fields.String()
    value = fields.Raw(metadata={"description": "The variant's content; absent where that is null."})
    reason = fields.String(metadata={"enum": ["STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED"]})
    variant = fields.String()
    metadata = fields.Dict(metadata={"description": "What an exposure repeats: experiment, version, segment, variant."})


class EventStreamSchema(Body):
    type = fields.String(metadata={"enum": ["sse"]})
    url = fields.String()
    inactivityDelaySec = fields.Integer()  # noqa: N815


class EvaluationsSchema(Body):
    flags = fields.List(fields.Nested(EvaluationSchema))
    eventStreams = fields.List(fields.Nested(EventStreamSchema))  # noqa: N815


class FailureSchema(Body):
    """`key`: the flag that was asked for, where one was."""

    key = fields.String()
    errorCode = fields.String(  # noqa: N815
        metadata={
            "enum": ["PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "FLAG_NOT_FOUND", "GENERAL"],
        }
    )
    errorDetails = fields.String()  # noqa: N815
