"""Every "no" as OFREP wants it: a code that clients know, a sentence, and the flag where one was asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from flask import Response

from api.schemas.messages import Finding

PREFIX = "/ofrep"
_FLAGS = "/ofrep/v1/evaluate/flags"
KEY_MISSING = "targeting_key_missing"
_UNREADABLE = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE}
)


def speaks_ofrep(path: str) -> bool:
    """Say whether a client of OFREP asks."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def failure(path: str, status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return what was refused or failed before or after the context was read."""
    return Response(failure_body(path, status, detail), status=status, headers=headers, mimetype="application/json")


def refuse_context(path: str, finding: Finding) -> Response:
    """Return the refusal of a context: 400, the only status whose code clients look at."""
    if finding.code == KEY_MISSING:
        code = "TARGETING_KEY_MISSING"
    else:
        code = "INVALID_CONTEXT" if finding.path.startswith("/context") else "PARSE_ERROR"
    body = _body(path, code, f"{finding.path or 'The body'}: {finding.message}")
    return Response(body, status=400, mimetype="application/json")


def _code(path: str, status: int) -> str:
    if status in _UNREADABLE:
        return "PARSE_ERROR"
    return "FLAG_NOT_FOUND" if status == HTTPStatus.NOT_FOUND and _flag(path) else "GENERAL"


def _flag(path: str) -> str:
    """Return the key that was asked for, or nothing where all were."""
    return path[len(_FLAGS) + 1 :] if path.startswith(f"{_FLAGS}/") else ""


def failure_body(path: str, status: int, detail: str) -> bytes:
    """Return the document of a failure."""
    return _body(path, _code(path, status), detail)


def _body(path: str, code: str, detail: str) -> bytes:
    key = _flag(path)
    return json.dumps({**({"key": key} if key else {}), "errorCode": code, "errorDetails": detail}).encode()
