"""Consent: what a unit says, and what holds for it."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate

from api.schemas.base import Body, Built
from api.schemas.fields import Instant, Text, Whole, choice
from api.schemas.messages import findings
from api.schemas.receipt import ReceiptSchema
from api.schemas.record import AnyItem
from experiments.domain.consent import ConsentMode
from experiments.domain.errors import InvalidInput
from experiments.domain.names import MAX_ID_LENGTH
from experiments.services.consent.consents import ConsentVerdict, ConsentWord, refused_word
from experiments.services.profiles.profiles import ChangeStatus

MAX_WORDS = 1_000
_AT = {
    "description": "When it was said. Left out: now. The latest counts, whenever it arrives; of two at once, refusing."
}


class StrictBoolean(fields.Boolean):
    """Neither a text nor a number: consent is not guessed."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class ConsentPutSchema(Body):
    """`erase`: what was stored before goes too, as with `DELETE /v1/units/{id}`; only with a refusal that holds."""

    granted = StrictBoolean(required=True)
    at = Instant(load_default=None, metadata=_AT)
    erase = StrictBoolean(load_default=False)


class ConsentSchema(Body):
    """`granted` null: it has said nothing, and `mode` decides. `stored`: what of it arrives now is stored."""

    unit_id = Text()
    granted = fields.Boolean(allow_none=True, attribute="said.granted", dump_default=None)
    said_at = Instant(allow_none=True, attribute="said.said_at", dump_default=None)
    since = Instant(allow_none=True, attribute="said.since", dump_default=None)
    said_by = fields.String(allow_none=True, attribute="said.said_by", dump_default=None)
    mode = choice(ConsentMode)
    stored = fields.Boolean(attribute="is_stored")


class ConsentSaidSchema(ConsentSchema):
    """`receipt`: what `erase` did."""

    receipt = fields.Nested(ReceiptSchema, allow_none=True)


class ConsentItemSchema(Body):
    """What one unit says."""

    unit_id = Text(required=True)
    granted = StrictBoolean(required=True)
    at = Instant(metadata=_AT)


class ConsentBatchSchema(Body):
    consents = fields.List(
        AnyItem(ConsentItemSchema, allow_none=True), required=True, validate=validate.Length(min=1, max=MAX_WORDS)
    )


class ConsentVerdictSchema(Body):
    """`code`, `message` and `path` (a pointer into the item) where it was rejected."""

    unit_id = fields.String(allow_none=True)
    status = choice(ChangeStatus)
    code = fields.String(allow_none=True)
    message = fields.String(allow_none=True)
    path = fields.String(allow_none=True)


class ConsentVerdictsSchema(Body):
    """Verdicts stand in the order of the consents."""

    accepted = Whole()
    unchanged = Whole()
    outdated = Whole()
    rejected = Whole()
    consents = fields.List(fields.Nested(ConsentVerdictSchema))


class _WordSchema(Built):
    builds = ConsentWord

    unit_id = Text(required=True)
    granted = StrictBoolean(required=True)
    at = Instant()


_WORD = _WordSchema()


def read_word(item: object) -> ConsentWord | ConsentVerdict:
    """Return the word that an item of a batch tells of, or the verdict on one that cannot be read."""
    unit_id = item.get("unit_id") if isinstance(item, dict) else None
    named = unit_id if isinstance(unit_id, str) and len(unit_id) <= MAX_ID_LENGTH else None
    if not isinstance(item, dict):
        return refused_word(named, InvalidInput("type", "An object is wanted."))
    try:
        word: ConsentWord = _WORD.load(item)
    except ValidationError as error:
        first = next(findings(error.messages))
        return refused_word(named, InvalidInput(first.code, first.message, path=first.path))
    return word
