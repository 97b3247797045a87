"""Problems: RFC 9457, with a stable code and the places in the input that it is about."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import Body


class ProblemErrorSchema(Body):
    path = fields.String(metadata={"description": "JSON pointer into the input."})
    code = fields.String()
    message = fields.String()


class ProblemSchema(Body):
    type = fields.String(metadata={"example": "urn:winnow:problem:revision_mismatch"})
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    code = fields.String(metadata={"description": "Stable; the last part of `type`."})
    path = fields.String(metadata={"description": "JSON pointer into the input, where there is one place."})
    errors = fields.List(fields.Nested(ProblemErrorSchema))
