"""Batches of events and exposures, each item read on its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

from api.schemas.base import Body, Built
from api.schemas.fields import Instant, Key, Number, Place, Text, Whole, choice
from api.schemas.messages import findings
from experiments.domain.errors import InvalidInput
from experiments.domain.event import Event, ExposureClaim, ItemStatus
from experiments.domain.names import MAX_ID_LENGTH
from experiments.services.recording.record import Item, rejected

MAX_ITEMS = 1_000


class EventSchema(Built):
    builds = Event

    event_id = Text(required=True)
    unit_id = Text(required=True)
    name = Key(required=True)
    value = Number(allow_none=True)
    channel = Place(allow_none=True)
    occurred_at = Instant(metadata={"description": "Left out: now."})


class ExposureSchema(Built):
    builds = ExposureClaim

    event_id = Text(required=True)
    unit_id = Text(required=True)
    experiment = Key(required=True)
    version = Whole(required=True)
    segment = Key(required=True)
    variant = Key(required=True)
    channel = Place(allow_none=True)
    occurred_at = Instant(metadata={"description": "Left out: now."})


class ItemSchema(Body):
    """An event (`name`, `value`) or an exposure (`experiment`, `version`, `segment`, `variant`), by `type`."""

    type = fields.String(required=True, validate=validate.OneOf(("event", "exposure")))
    event_id = Text(required=True, metadata={"description": "Yours, unique: sent again, it is stored once."})
    unit_id = Text(required=True)
    occurred_at = Instant(metadata={"description": "Left out: now."})
    name = Key()
    value = Number(allow_none=True)
    experiment = Key()
    version = Whole()
    segment = Key()
    variant = Key()
    channel = Place(allow_none=True)


class AnyItem(fields.Nested):
    """Documented as `ItemSchema`, but let through as it is: a bad item must not fail its batch."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        return value


class BatchSchema(Body):
    items = fields.List(
        AnyItem(ItemSchema, allow_none=True), required=True, validate=validate.Length(min=1, max=MAX_ITEMS)
    )


class VerdictSchema(Body):
    """`code`, `message` and `path` (a pointer into the item) where it was rejected."""

    event_id = fields.String(allow_none=True)
    status = choice(ItemStatus)
    code = fields.String(allow_none=True)
    message = fields.String(allow_none=True)
    path = fields.String(allow_none=True)


class VerdictsSchema(Body):
    """Verdicts stand in the order of the items."""

    accepted = Whole()
    duplicate = Whole()
    rejected = Whole()
    items = fields.List(fields.Nested(VerdictSchema))


_SCHEMAS: Mapping[str, Built] = {"event": EventSchema(), "exposure": ExposureSchema()}


def read_item(item: object, now: datetime) -> Item:
    """Return the event or claim, or the verdict on an item that is neither."""
    try:
        return _read(item, now)
    except ValidationError as error:
        first = next(findings(error.messages))
        return rejected(_event_id(item), InvalidInput(first.code, first.message, path=first.path))
    except InvalidInput as refusal:
        return rejected(_event_id(item), refusal)


def _read(item: object, now: datetime) -> Item:
    if not isinstance(item, dict):
        raise InvalidInput("type", "An object is wanted.")
    fields_given = {"occurred_at": now.isoformat(), **item}
    kind = fields_given.pop("type", None)
    schema = _SCHEMAS.get(kind) if isinstance(kind, str) else None
    if schema is None:
        raise InvalidInput("type_unknown", "An item is of type `event` or `exposure`.", path="/type")
    read: Item = schema.load(fields_given)
    return read


def _event_id(item: object) -> str | None:
    given = item.get("event_id") if isinstance(item, dict) else None
    return given if isinstance(given, str) and len(given) <= MAX_ID_LENGTH else None
