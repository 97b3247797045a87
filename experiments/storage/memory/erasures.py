"""Who was erased, in memory."""

from __future__ import annotations

from datetime import datetime

from experiments.domain.erasure import Erased, Erasure
from experiments.storage.memory.state import State


class MemoryErasureStore:
    def __init__(self, state: State) -> None:
        self._state = state

    def salt(self) -> bytes:
        return self._state.erasure_salt

    def add(self, erasure: Erasure) -> None:
        self._state.erasures = (*self._state.erasures, erasure)

    def number(self) -> int:
        return len(self._state.erasures)

    def latest(self) -> datetime | None:
        return max((one.erased_at for one in self._state.erasures), default=None)

    def since(self, instant: datetime | None) -> Erased:
        at: dict[str, datetime] = {}
        for one in self._state.erasures:
            if instant is None or one.erased_at >= instant:
                at[one.unit_digest] = max(one.erased_at, at.get(one.unit_digest, one.erased_at))
        return Erased(salt=self._state.erasure_salt, at=at)
