"""Limits: how many requests a key may make. A token bucket per key, in the form that needs one number per key."""

from __future__ import annotations

import threading

TIDY_AT = 10_000
"""From so many keys on, those whose buckets are full again are forgotten."""


class Limiter:
    """A bucket of `burst` tokens per key that fills at `per_second`; the clock is whoever calls, and never goes back.

    Kept is the instant at which a key's bucket will be full (the generic cell rate algorithm), so that admitting is one
    comparison. The lock makes the count exact: without it two threads could spend the same token.
    """

    def __init__(self, per_second: float, burst: int) -> None:
        self._interval = 1 / per_second
        self._tolerance = (burst - 1) * self._interval
        self._most_ahead = self._tolerance + 1e-9
        """With room for rounding: who waits as long as told is let in."""
        self._full_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def admit(self, key_id: str, now_seconds: float) -> float | None:
        """Take a token: return None, or the seconds until there will be one."""
        with self._lock:
            full_at = self._full_at.get(key_id, now_seconds)
            if full_at < now_seconds:
                full_at = now_seconds
            elif full_at > now_seconds + self._most_ahead:
                return full_at - now_seconds - self._tolerance
            if len(self._full_at) >= TIDY_AT:
                self._full_at = {key: full for key, full in self._full_at.items() if full > now_seconds}
            self._full_at[key_id] = full_at + self._interval
        return None
