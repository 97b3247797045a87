"""HTTP to one Winnow server, with the standard library."""

from __future__ import annotations

# The first request would import it: a child that is forked meanwhile could never look up an address.
import encodings.idna  # noqa: F401
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener


class Unreachable(Exception):
    """No answer came. `cut_off`: the connection was there and ended, as a body that is too large makes it end."""

    def __init__(self, problem: str, *, cut_off: bool = False) -> None:
        super().__init__(problem)
        self.cut_off = cut_off


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    headers: Message
    body: bytes

    def document(self) -> Any:
        """Return the body as JSON, None where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def retry_after_seconds(self) -> float | None:
        """Return what the server asks for; it answers whole seconds."""
        text = self.headers.get("Retry-After", "")
        return float(text) if text.isascii() and text.isdigit() and len(text) < 8 else None


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would carry the key to wherever it points."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Transport:
    """Sends the key with every request; refuses addresses that are not of HTTP."""

    def __init__(self, url: str, key: str, *, timeout_seconds: float) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("The address of a Winnow server starts with http:// or https://.")
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}", "User-Agent": "winnow-client-python"}
        self._timeout = timeout_seconds
        self._opener = build_opener(_NoRedirect)

    def get(self, path: str, headers: Mapping[str, str]) -> Reply:
        """Raise Unreachable."""
        return self._ask(Request(self._url + path, headers={**self._headers, **headers}))

    def post(self, path: str, body: bytes) -> Reply:
        """Send JSON. Raise Unreachable."""
        headers = {**self._headers, "Content-Type": "application/json"}
        return self._ask(Request(self._url + path, data=body, headers=headers))

    def _ask(self, request: Request) -> Reply:
        try:
            try:
                answer = self._opener.open(request, timeout=self._timeout)
            except HTTPError as refused:
                answer = refused
            with answer:
                return Reply(status=answer.status, headers=answer.headers, body=answer.read())
        except (OSError, HTTPException, ValueError) as problem:
            raise Unreachable(f"{type(problem).__name__}: {problem}", cut_off=_is_cut_off(problem)) from problem


def _is_cut_off(problem: Exception) -> bool:
    reason = problem.reason if isinstance(problem, URLError) else problem
    return isinstance(reason, (BrokenPipeError, ConnectionAbortedError, ConnectionResetError))
