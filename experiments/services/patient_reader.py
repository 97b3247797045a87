"""Reading from a database that may hang: whoever asks waits a moment for it, and no longer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

from experiments.domain.errors import Unavailable

PATIENCE_SECONDS = 1.0
"""How long a request waits. Reading goes on without it: who asks again has what was found and kept meanwhile."""
AWAY_SECONDS = 1.0
"""How long a database that did not answer is not asked again."""
HUNG_SECONDS = 5.0
MOST_HUNG = 3
"""A read that takes so long has hung, maybe alone: others are tried beside it, up to so many that do."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Reading(Generic[K, V]):
    what: K
    began: float
    answer: Future[V]


class PatientReader(Generic[K, V]):
    """Reads in threads of its own, as nothing ends a read that the database does not answer.

    From the first that was not answered until one is, there is one read at a time, for which one request waits;
    all others are told at once. So a database that hangs holds each thread for a moment once, and one now and then.
    One connection that hangs for good, beside others that work, holds up nobody after `HUNG_SECONDS`.
    """

    def __init__(self, read: Callable[[K], V], *, name: str) -> None:
        """`name` is that of its threads."""
        self._read = read
        self._name = name
        self._under_way: set[_Reading[K, V]] = set()
        self._changing = threading.Lock()
        self._is_away = False
        self._again_at = 0.0

    def read(self, what: K, *, join: bool) -> V:
        """Raise Unavailable, or what reading raises; `join`: wait for a read of it that others began, too."""
        reading = self._join_or_begin(what, join)
        if not wait((reading,), PATIENCE_SECONDS).done:
            self._heard(answered=False)
            raise _unavailable()
        return reading.result()

    def answered(self) -> None:
        """Hear that the database answers somebody else: one read may try at once, and says whether it does for all."""
        with self._changing:
            self._again_at = 0.0

    def _join_or_begin(self, what: K, join: bool) -> Future[V]:
        now = monotonic()
        with self._changing:
            recent = [one for one in self._under_way if now - one.began < HUNG_SECONDS]
            begun = next((one for one in recent if one.what == what), None)
            if begun is not None and join and not self._is_away:
                return begun.answer
            too_many = len(self._under_way) - len(recent) >= MOST_HUNG
            if begun is not None or too_many or (self._is_away and (recent or now < self._again_at)):
                raise _unavailable()
            reading: _Reading[K, V] = _Reading(what=what, began=now, answer=Future())
            self._under_way.add(reading)
        try:
            threading.Thread(target=self._run, args=(reading,), name=self._name, daemon=True).start()
        except RuntimeError:  # there is no room for one more thread
            self._run(reading)
        return reading.answer

    def _run(self, reading: _Reading[K, V]) -> None:
        found: list[V] = []
        failure: Exception | None = None
        try:
            found.append(self._read(reading.what))
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for the answer
            failure = error
        self._heard(answered=not isinstance(failure, Unavailable))
        with self._changing:
            self._under_way.remove(reading)
        if failure is None:
            reading.answer.set_result(found[0])
        else:
            reading.answer.set_exception(failure)

    def _heard(self, *, answered: bool) -> None:
        """Who is no longer waited for counts from when that was found out, not from when it was asked."""
        with self._changing:
            self._is_away, self._again_at = not answered, monotonic() + AWAY_SECONDS


def _unavailable() -> Unavailable:
    return Unavailable("database_unavailable", "The database does not answer in time; nothing was stored.")
