"""The schema that all others are: nothing unknown is let through, and a body becomes its domain value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from marshmallow import RAISE, Schema, fields, post_load

from api.schemas.messages import Coded, refused
from experiments.domain.errors import DomainError


class Body(Schema):
    """Refuses unknown fields; every message has a code."""

    class Meta:
        unknown = RAISE

    error_messages: dict[str, str] = {  # noqa: RUF012 - marshmallow merges these along the classes
        "unknown": Coded("unknown_field", "There is no such field."),
        "type": Coded("type", "An object is wanted."),
    }

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Give the messages of a field the codes by which marshmallow looks them up."""
        field_obj.error_messages = {
            code: message if isinstance(message, Coded) else Coded(code, str(message))
            for code, message in field_obj.error_messages.items()
        }


class Built(Body):
    """Loads into a domain value; what the value refuses is told at its place in the body."""

    builds: ClassVar[Callable[..., Any]]

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Any:
        """Build the value; fields that were left out get its defaults."""
        try:
            return type(self).builds(**data)
        except DomainError as refusal:
            raise refused(refusal) from refusal
