"""Who may pass, and which headers their answers have: found out once, and remembered for a moment."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from time import perf_counter
from typing import NamedTuple, TypeAlias

from api.lane.asked import Environ
from experiments.domain.errors import DomainError
from experiments.services.keys import Keys, Principal, Scope

Headers: TypeAlias = list[tuple[str, str]]
Place: TypeAlias = tuple[str, str | None, str | None, str]
"""Route, origin, and the scheme before and behind the proxy: with the status, what headers depend on."""

REMEMBERED_SECONDS = 1.0
"""On top of what `Keys` remembers."""
MAX_REMEMBERED = 10_000
MAX_PLACES = 1_000
MAX_ORIGIN = 300
"""More than any name of a host has."""
ANY_ORIGIN, ELSEWHERE = "*", "elsewhere"
"""Those that may not ask across origins are all told the same."""
_PROTOS = frozenset({None, "http", "https"})
_TAUGHT = frozenset({"200", "202", "304"})
"""Who is not known, or is sent elsewhere, teaches nothing: strangers cannot fill what is kept."""
_OWN = frozenset({"content-length", "etag", "x-request-id"})

Sent: TypeAlias = tuple[str, str | None, str | None, str | None, str | None, str]
"""What a passage hangs on, as it was sent: route, both headers that hold keys, origin, and both schemes."""


class Learnt(NamedTuple):
    """What answers of one status have in common at a place."""

    code: int
    headers: Headers


class Passage(NamedTuple):
    """`learnt` by status is what is known of the place so far; `until` is by `perf_counter`."""

    principal: Principal
    learnt: dict[str, Learnt]
    until: float
    revocations: int


class Passages:
    """It knows nothing of security headers and CORS: the first answer of each kind is Flask's, who teaches them.

    What is `remembered` holds until its time is over or a key is revoked.
    """

    def __init__(self, keys: Keys, origins: Iterable[str]) -> None:
        self._keys = keys
        self._origins = frozenset(origins)
        self._folded = frozenset(origin.casefold() for origin in self._origins)
        self.remembered: dict[Sent, Passage] = {}
        self._learnt: dict[Place, dict[str, Learnt]] = {}
        self._learning = threading.Lock()

    def look_up(self, sent: Sent, scope: Scope) -> Passage | None:
        """Return the passage of who asks; None: Flask says why not, or teaches headers.

        Only those are remembered who may pass, and whose headers are no longer than they should be.
        """
        self.remembered.pop(sent, None)
        revocations = self._keys.revocations  # as they were before the key was looked at
        rule, bearer, key, origin, proto, scheme = sent
        place = self._place(rule, origin, proto, scheme)
        learnt = None if place is None else self._learnt.get(place)
        principal = None if learnt is None else self._recognise(bearer, key)
        if learnt is None or principal is None or not principal.may(scope):
            return None
        passage = Passage(principal, learnt, perf_counter() + REMEMBERED_SECONDS, revocations)
        if sum(len(text) for text in sent if text) <= 2 * MAX_ORIGIN:
            if len(self.remembered) >= MAX_REMEMBERED:
                self.remembered.clear()
            self.remembered[sent] = passage
        return passage

    def place(self, rule: str, environ: Environ) -> Place | None:
        """Return what headers depend on; None where that is odd, or who asks is somebody in particular."""
        if "HTTP_COOKIE" in environ:
            return None
        origin, proto = environ.get("HTTP_ORIGIN"), environ.get("HTTP_X_FORWARDED_PROTO")
        return self._place(rule, origin, proto, environ["wsgi.url_scheme"])

    def learn(self, place: Place, status: str, headers: Headers) -> None:
        """Keep what Flask has said there, if such an answer may teach; a cookie is for one, and teaches nobody."""
        if status[:3] not in _TAUGHT or any(name.lower() == "set-cookie" for name, _ in headers):
            return
        kept = [(name, value) for name, value in headers if name.lower() not in _OWN]
        with self._learning:
            if place not in self._learnt and len(self._learnt) >= MAX_PLACES:
                self._learnt.pop(next(iter(self._learnt)))
            self._learnt.setdefault(place, {}).setdefault(status, Learnt(int(status[:3]), kept))

    def _place(self, rule: str, origin: str | None, proto: str | None, scheme: str) -> Place | None:
        """An origin that is empty, endless, or one of ours but for its capitals is Flask's to judge."""
        if proto not in _PROTOS:
            return None
        if origin is not None and origin not in self._origins:
            if not 0 < len(origin) <= MAX_ORIGIN or origin.casefold() in self._folded:
                return None
            if ANY_ORIGIN not in self._origins:
                origin = ELSEWHERE
        return rule, origin, proto, scheme

    def _recognise(self, bearer: str | None, key: str | None) -> Principal | None:
        if bearer:
            if bearer[:7] != "Bearer ":
                return None
            key = bearer[7:]
        try:
            return self._keys.authenticate(key or "")
        except DomainError:
            return None
