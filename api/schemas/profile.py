"""Profiles: what a source says of units, and what is known of one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate

from api.body import BeyondNumbers
from api.schemas.base import Body, Built
from api.schemas.fields import Instant, JsonObject, Key, Text, Whole, choice
from api.schemas.messages import findings
from api.schemas.record import AnyItem
from experiments.domain.errors import InvalidInput
from experiments.domain.names import MAX_ID_LENGTH
from experiments.services.profiles.profiles import ChangeStatus, ProfileChange, ProfileVerdict, refused

MAX_CHANGED_UNITS = 1_000
_AT = {"description": "When it was so. Left out: now. Within a source the latest counts, whenever it arrives."}


class SaidValues(JsonObject):
    """attribute -> value; a number that is too great for any reader is infinite, which no attribute can be."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        said = super()._deserialize(value, attr, data, **kwargs)
        return {name: math.inf if isinstance(one, BeyondNumbers) else one for name, one in said.items()}


class ProfilePatchSchema(Body):
    """`null` takes back what the source said; attributes that are not named stay."""

    source = Key(required=True)
    attributes = SaidValues(required=True)
    at = Instant(load_default=None, metadata=_AT)


class ProfileItemSchema(Body):
    """What the batch's source says of one unit."""

    unit_id = Text(required=True)
    attributes = SaidValues(required=True)
    at = Instant(metadata=_AT)


class ProfileBatchSchema(Body):
    source = Key(required=True)
    units = fields.List(
        AnyItem(ProfileItemSchema, allow_none=True),
        required=True,
        validate=validate.Length(min=1, max=MAX_CHANGED_UNITS),
    )


class OriginSchema(Body):
    source = Key()
    at = Instant()


class ProfileSchema(Body):
    """What counts now, source over source, and where each value comes from."""

    unit_id = Text()
    attributes = fields.Dict(attribute="laid.attributes")
    origins = fields.Dict(keys=Key(), values=fields.Nested(OriginSchema), attribute="laid.known")
    updated_at = Instant()


class PatchedProfileSchema(ProfileSchema):
    outdated = fields.List(
        fields.String(), metadata={"description": "Of these the source has said something later; they stay."}
    )


class ProfileVerdictSchema(Body):
    """`code`, `message` and `path` (a pointer into the item) where it was rejected."""

    unit_id = fields.String(allow_none=True)
    status = choice(ChangeStatus)
    outdated = fields.List(fields.String())
    code = fields.String(allow_none=True)
    message = fields.String(allow_none=True)
    path = fields.String(allow_none=True)


class ProfileVerdictsSchema(Body):
    """Verdicts stand in the order of the units."""

    accepted = Whole()
    unchanged = Whole()
    outdated = Whole()
    rejected = Whole()
    units = fields.List(fields.Nested(ProfileVerdictSchema))


class _ChangeSchema(Built):
    builds = ProfileChange

    unit_id = Text(required=True)
    source = Key(required=True)
    attributes = SaidValues(required=True)
    at = Instant()


_CHANGE = _ChangeSchema()


def read_change(item: object, source: str) -> ProfileChange | ProfileVerdict:
    """Return the change that an item of a batch asks for, or the verdict on one that cannot be read."""
    unit_id = item.get("unit_id") if isinstance(item, dict) else None
    named = unit_id if isinstance(unit_id, str) and len(unit_id) <= MAX_ID_LENGTH else None
    if not isinstance(item, dict):
        return refused(named, InvalidInput("type", "An object is wanted."))
    if "source" in item:
        return refused(named, InvalidInput("unknown_field", "There is no such field.", path="/source"))
    try:
        change: ProfileChange = _CHANGE.load({**item, "source": source})
    except ValidationError as error:
        first = next(findings(error.messages))
        return refused(named, InvalidInput(first.code, first.message, path=first.path))
    return change
