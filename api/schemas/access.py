"""API keys and the audit trail."""

from __future__ import annotations

from marshmallow import fields

from api.paging import PageQuery
from api.schemas.base import Body
from api.schemas.fields import Instant, Key, Several, Text, choice
from experiments.services.keys import Scope

_TEXTS = {"type": "array", "items": {"type": "string"}}


class NewKeyBodySchema(Body):
    """`tags`: the key sees only experiments with one of them; without, all."""

    name = Text(required=True)
    scopes = Several(choice(Scope), required=True)
    tags = Several(Key(), load_default=())


class ApiKeySchema(Body):
    id = Key()
    name = Text()
    scopes = fields.Function(lambda key: sorted(key.scopes), metadata=_TEXTS)
    tags = fields.Function(lambda key: sorted(key.tags), metadata=_TEXTS)
    created_at = Instant()
    revoked_at = Instant(allow_none=True)


class NewKeySchema(Body):
    """`key` is shown this once and can never be read again."""

    key = Text(attribute="text")
    id = Key(attribute="key.id")
    name = Text(attribute="key.name")
    scopes = fields.Function(lambda made: sorted(made.key.scopes), metadata=_TEXTS)
    tags = fields.Function(lambda made: sorted(made.key.tags), metadata=_TEXTS)
    created_at = Instant(attribute="key.created_at")


class AuditEntrySchema(Body):
    id = fields.Integer(allow_none=True)
    at = Instant()
    actor = Text()
    action = Text()
    subject = Text()
    detail = fields.Dict()
    evidence_sha256 = Text(allow_none=True)


class AuditQuery(PageQuery):
    subject = Text(load_default=None)
