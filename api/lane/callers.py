"""Who is asking: keys that were recognised a moment ago."""

from __future__ import annotations

from time import monotonic

from api.lane.asked import Environ
from experiments.domain.errors import DomainError
from experiments.services.keys import Keys, Principal

REMEMBERED_SECONDS = 1.0
"""On top of what `Keys` remembers."""
MAX_REMEMBERED = 10_000


class Callers:
    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._remembered: dict[str, tuple[float, int, Principal]] = {}

    def recognise(self, environ: Environ) -> Principal | None:
        """Return who asks, or None: Flask says why not."""
        text = environ.get("HTTP_AUTHORIZATION", "")
        if text[:7] == "Bearer ":
            text = text[7:]
        elif text:
            return None
        else:
            text = environ.get("HTTP_X_API_KEY", "")
        found = self._remembered.get(text)
        if found is not None and monotonic() < found[0] and found[1] == self._keys.revocations:
            return found[2]
        return self._look_up(text)

    def _look_up(self, text: str) -> Principal | None:
        revocations = self._keys.revocations
        try:
            principal = self._keys.authenticate(text)
        except DomainError:
            self._remembered.pop(text, None)
            return None
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[text] = (monotonic() + REMEMBERED_SECONDS, revocations, principal)
        return principal
