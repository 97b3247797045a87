"""Drift in memory."""

from __future__ import annotations

from experiments.services.drift.ports import Drift
from experiments.storage.memory.state import State


class MemoryDriftStore:
    def __init__(self, state: State) -> None:
        self._drifts = state.drifts

    def put(self, drift: Drift) -> None:
        self._drifts[drift.experiment, drift.snapshot_id] = drift

    def latest(self, experiment: str) -> Drift | None:
        own = [drift for (key, _), drift in self._drifts.items() if key == experiment]
        return max(own, key=lambda drift: drift.snapshot_id, default=None)
