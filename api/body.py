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
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from api.schemas.messages import Finding, findings


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

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": ma.RAISE, "query": ma.RAISE}  # noqa: RUF012 - webargs reads it so

    def _raw_load_json(self, req: Request) -> Any:
        if not is_json(req.mimetype):
            raise UnsupportedMediaType("Send a JSON body as `Content-Type: application/json`.")
        return read_json(req.get_data(cache=True))

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


def read_json(data: bytes) -> Any:
    """Return the document. Raises BadJson, also for NaN, infinities, repeated names and bottomless nesting."""
    try:
        return json.loads(data.decode(), parse_float=_finite, parse_constant=_refuse, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise BadJson(_told(error)) from error


def _told(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"The body is no JSON: {error.msg} at line {error.lineno}, column {error.colno}."
    if isinstance(error, RecursionError):
        return "The body nests too deeply."
    if isinstance(error, UnicodeDecodeError):
        return "The body is not UTF-8."
    return f"The body is no JSON that can be read: {error}."


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is beyond any number")
    return number


def _refuse(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is no JSON number")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return document
