"""Who is asking: an API key as a bearer token or in X-API-Key, and the scope that a view needs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import g, request

from api.current import winnow
from experiments.domain.errors import DomainError, RateLimited, Unauthenticated
from experiments.services.keys import Principal, Scope

IN_ADDRESS = "client_key"
"""The part of an address that is a key."""

P = ParamSpec("P")
R = TypeVar("R")

_KEY = re.compile(r"[A-Za-z0-9]{1,40}_[A-Za-z0-9]{1,100}_[A-Za-z0-9_-]{1,200}")

ADMITTED = "winnow.admitted"
"""Stands in the environment of a request that was counted against its key's limit already."""

REFUSED = "winnow.refused"
"""Stands there with the refusal of what could not be stored: it is told, and not tried again."""

LIMITED = frozenset({Scope.ASSIGN, Scope.INGEST})
"""What frontends do, and may do only so often."""

SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: `Authorization: Bearer wk_…`."},
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same key in a header of its own.",
    },
}
SECURITY: list[dict[str, list[str]]] = [{scheme: []} for scheme in SECURITY_SCHEMES]


def require(scope: Scope) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a view run only for keys with the scope; comes before anything of the request is looked at."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            admit(scope)
            return view(*args, **kwargs)

        return guarded

    return decorate


def require_public(view: Callable[P, R]) -> Callable[P, R]:
    """Let a view run only for a key for browsers, which stands in its address."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        principal = winnow().keys.authenticate(_checked(str(kwargs.pop(IN_ADDRESS))))
        principal.require_public()
        _let_in(principal, limited=True)
        return view(*args, **kwargs)

    return guarded


def admit(scope: Scope) -> None:
    """Let the present request go on, or raise Unauthenticated, Forbidden, RateLimited, or what it was refused with."""
    principal = winnow().keys.authenticate(_key())
    principal.require(scope)
    g.scope = scope
    _let_in(principal, limited=scope in LIMITED)


def _let_in(principal: Principal, *, limited: bool) -> None:
    g.principal = principal
    limiter = winnow().limiter
    if limiter is not None and limited and ADMITTED not in request.environ:
        wait = limiter.admit(principal.key_id, time.monotonic())
        if wait is not None:
            raise RateLimited(wait)
    refusal: DomainError | None = request.environ.get(REFUSED)
    if refusal is not None:
        raise refusal.with_traceback(None)  # many are told the same one, and it would grow with each


def _key() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    text = token.strip() if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "")
    return _checked(text)


def _checked(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise Unauthenticated
    return text
