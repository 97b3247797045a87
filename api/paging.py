"""Lists: pages that are walked by cursor, so that what is added meanwhile neither repeats nor hides anything."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, TypeVar

from marshmallow import Schema, fields, validate

from api.schemas.base import Body
from api.schemas.fields import Text
from experiments.domain.errors import InvalidInput
from experiments.services.paging import Page

T = TypeVar("T")


class PageQuery(Body):
    """Where to go on, and how many at most."""

    cursor = Text(metadata={"description": "`next_cursor` of the page before."})
    limit = fields.Integer(load_default=50, validate=validate.Range(min=1, max=100))


def page_of(item: type[Schema]) -> type[Body]:
    """Return the schema of a page of such items."""
    name = item.__name__.removesuffix("Schema")
    return type(
        f"{name}PageSchema",
        (Body,),
        {"items": fields.List(fields.Nested(item)), "next_cursor": fields.String(allow_none=True)},
    )


def paged(query: dict[str, Any], read: Callable[..., Page[T]], **wanted: Any) -> dict[str, Any]:
    """Read the page that the query asks for, with whatever else narrows the list."""
    page = read(after=_after(query.get("cursor")), limit=query["limit"], **wanted)
    return {"items": page.items, "next_cursor": _cursor(page.next_after)}


def _cursor(after: str | None) -> str | None:
    return None if after is None else base64.urlsafe_b64encode(after.encode()).decode().rstrip("=")


def _after(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidInput("cursor_invalid", "This cursor was not given out by this list.", path="/cursor") from None
