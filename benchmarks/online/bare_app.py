"""A bare WSGI function that reads the same body and answers the same bytes, head included: all that could be saved."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mmh3
import msgspec

PATH_VARIABLE = "WINNOW_BENCHMARK_ANSWERS"


class Ask(msgspec.Struct):
    unit_id: str
    attributes: dict[str, Any]
    experiment: str | None = None


WsgiFunction = Callable[[dict[str, Any], Callable[..., Any]], list[bytes]]


def bare_app(answers: dict[str, Any]) -> WsgiFunction:
    """Return it: the two answers, their headers and the salt are given; which of them is sent takes one hash."""
    decode, hashed = msgspec.json.Decoder(Ask).decode, mmh3.hash
    prefix, lower, upper = f"{answers['salt']}:", answers["lower"].encode(), answers["upper"].encode()
    given = [(name, value) for name, value in answers["headers"]]

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        asked = decode(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        body = lower if hashed(prefix + asked.unit_id, 0, False) < 1 << 31 else upper
        start_response("200 OK", [*given, ("Content-Length", str(len(body)))])
        return [body]

    return app


if PATH_VARIABLE in os.environ:
    app = bare_app(json.loads(Path(os.environ[PATH_VARIABLE]).read_text()))
