"""Reading a request: strict JSON, and schemas whose findings become one refusal."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

import marshmallow as ma
from flask import Request
from webargs.core import is_json
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from api.schemas.messages import Finding, findings

MAX_DIGITS = 4_000
"""Python turns no more digits than these into a number, lest that take for ever."""


class BadJson(BadRequest):
    """A body that is no JSON, or not the JSON that everybody else would read."""

    description = "The body is no JSON."


class Unfit(Exception):
    """An input that its schema refuses; `location` is `body` or `query`."""

    def __init__(self, location: str, found: tuple[Finding, ...]) -> None:
        super().__init__(location)
        self.location = location
        self.found = found


class StrictParser(FlaskParser):
    """Refuses a wrong content type, unknown parameters, and JSON that readers disagree about."""

    keeps_unreadable = False
    DEFAULT_UNKNOWN_BY_LOCATION = {"json": ma.RAISE, "query": ma.RAISE}  # noqa: RUF012 - webargs reads it so

    def _raw_load_json(self, req: Request) -> Any:
        if not is_json(req.mimetype):
            raise UnsupportedMediaType("Send a JSON body as `Content-Type: application/json`.")
        return read_json(whole_body(req), keep_unreadable=self.keeps_unreadable)

    def handle_error(
        self,
        error: ma.ValidationError,
        req: Request,
        schema: ma.Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        """Turn marshmallow's messages into findings."""
        ((location, messages),) = error.messages_dict.items()
        raise Unfit("body" if location == "json" else location, tuple(findings(messages)))


def whole_body(request: Request) -> bytes:
    """Return the body. A chunked one is cut off at the limit in silence, so one that reaches it is refused."""
    data = request.get_data(cache=True)
    limit = request.max_content_length
    if request.content_length is None and limit is not None and len(data) >= limit:
        raise RequestEntityTooLarge
    return data


class ItemParser(StrictParser):
    """Leaves an `Unreadable` where it stands: the item that holds it is refused, and no other."""

    keeps_unreadable = True


class LenientParser(StrictParser):
    """Leaves unread what it does not know: for callers whose software is not ours to change."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": ma.EXCLUDE, "query": ma.EXCLUDE}  # noqa: RUF012 - webargs reads it so


class Unreadable:
    """Stands for a number or an object that readers disagree about; no field of any schema takes it."""


class BeyondNumbers(Unreadable):
    """Stands for a number that is too great for any reader."""


def read_json(data: bytes, *, keep_unreadable: bool = False) -> Any:
    """Return the document. Raises BadJson, also for NaN, infinities, repeated names and bottomless nesting.

    With `keep_unreadable`, what is well-formed but has no one meaning becomes an `Unreadable` instead.
    """
    reading = _Reading()
    try:
        document = json.loads(
            data.decode(),
            parse_int=reading.integer,
            parse_float=reading.number,
            parse_constant=_refuse,
            object_pairs_hook=reading.object,
        )
    except (ValueError, RecursionError) as error:
        raise BadJson(_told(error)) from error
    if reading.trouble is not None and not keep_unreadable:
        raise BadJson(f"The body is no JSON that can be read: {reading.trouble}.")
    return document


class _Reading:
    """Notes the first thing that has no one meaning."""

    def __init__(self) -> None:
        self.trouble: str | None = None

    def integer(self, text: str) -> int | Unreadable:
        return int(text) if len(text) <= MAX_DIGITS else self._beyond(f"{text[:40]}…")

    def number(self, text: str) -> float | Unreadable:
        value = float(text)
        return value if math.isfinite(value) else self._beyond(text[:40])

    def object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any] | Unreadable:
        document = dict(pairs)
        if len(document) == len(pairs):
            return document
        self.trouble = self.trouble or "a name stands twice in one object"
        return Unreadable()

    def _beyond(self, text: str) -> BeyondNumbers:
        self.trouble = self.trouble or f"{text} is beyond any number"
        return BeyondNumbers()


def _told(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"The body is no JSON: {error.msg} at line {error.lineno}, column {error.colno}."
    if isinstance(error, RecursionError):
        return "The body nests too deeply."
    if isinstance(error, UnicodeDecodeError):
        return "The body is not UTF-8."
    return f"The body is no JSON that can be read: {error}."


def _refuse(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is no JSON number")
