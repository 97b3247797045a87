"""Reading keys from a database that may hang: whoever asks waits a moment for it, and no longer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from time import monotonic

from experiments.domain.errors import Unavailable
from experiments.services.ports import ApiKey

PATIENCE_SECONDS = 1.0
"""How long a request waits for a key. Reading goes on without it: who asks again has what was found meanwhile."""
AWAY_SECONDS = 1.0
"""How long a database that did not answer is not asked again."""
HUNG_SECONDS = 5.0
MOST_HUNG = 3
"""A read that takes so long has hung, maybe alone: others are tried beside it, up to so many that do."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Reading:
    key_id: str
    began: float
    answer: Future[ApiKey]


class KeyReader:
    """Reads in threads of its own, as nothing ends a read that the database does not answer.

    From the first that was not answered until one is, there is one read at a time, for which one request waits;
    all others are told at once. So a database that hangs holds each thread for a moment once, and one now and then.
    One connection that hangs for good, beside others that work, holds up nobody after `HUNG_SECONDS`.
    """

    def __init__(self, read: Callable[[str], ApiKey]) -> None:
        self._read = read
        self._under_way: set[_Reading] = set()
        self._changing = threading.Lock()
        self._is_away = False
        self._again_at = 0.0

    def read(self, key_id: str, *, join: bool) -> ApiKey:
        """Raise Unavailable, or what reading raises; `join`: wait for a read of it that others began, too."""
        reading = self._join_or_begin(key_id, join)
        if not wait((reading,), PATIENCE_SECONDS).done:
            self._heard(answered=False)
            raise _unavailable()
        return reading.result()

    def _join_or_begin(self, key_id: str, join: bool) -> Future[ApiKey]:
        now = monotonic()
        with self._changing:
            recent = [one for one in self._under_way if now - one.began < HUNG_SECONDS]
            begun = next((one for one in recent if one.key_id == key_id), None)
            if begun is not None and join and not self._is_away:
                return begun.answer
            too_many = len(self._under_way) - len(recent) >= MOST_HUNG
            if begun is not None or too_many or (self._is_away and (recent or now < self._again_at)):
                raise _unavailable()
            reading = _Reading(key_id=key_id, began=now, answer=Future())
            self._under_way.add(reading)
        try:
            threading.Thread(target=self._run, args=(reading,), name="winnow-key", daemon=True).start()
        except RuntimeError:  # there is no room for one more thread
            self._run(reading)
        return reading.answer

    def _run(self, reading: _Reading) -> None:
        key, failure = None, None
        try:
            key = self._read(reading.key_id)
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for the key
            failure = error
        self._heard(answered=not isinstance(failure, Unavailable))
        with self._changing:
            self._under_way.remove(reading)
        if key is not None:
            reading.answer.set_result(key)
        else:
            reading.answer.set_exception(failure)

    def _heard(self, *, answered: bool) -> None:
        """Who is no longer waited for counts from when that was found out, not from when it was asked."""
        with self._changing:
            self._is_away, self._again_at = not answered, monotonic() + AWAY_SECONDS


def _unavailable() -> Unavailable:
    return Unavailable("database_unavailable", "The database does not answer in time; nothing was stored.")
