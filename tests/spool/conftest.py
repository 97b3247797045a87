"""Rows, and databases that can be made to be away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from experiments.domain.errors import RowsRefused, Unavailable
from experiments.domain.event import Event, Exposure
from experiments.services.ports import UnitOfWork
from experiments.services.profiles.ports import ErasureStore
from experiments.services.recording.lines import Lines
from experiments.services.recording.ports import Watermark
from experiments.storage.memory.unit_of_work import MemoryDatabase

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
EVERYTHING = Watermark(exposure_id=10**9, event_id=10**9, at=NOW)


def event(event_id: str, **changes: object) -> Event:
    parts = {"event_id": event_id, "unit_id": "u1", "name": "visit", "occurred_at": NOW, "value": 1.5}
    return Event(**{**parts, **changes})


def exposure(event_id: str, **changes: object) -> Exposure:
    parts = {
        "event_id": event_id,
        "unit_id": "u1",
        "experiment": "banner",
        "version": 1,
        "epoch": 1,
        "segment": "everyone",
        "variant": "a",
        "occurred_at": NOW,
    }
    return Exposure(**{**parts, **changes})


class Flaky:
    """A database in memory that may be away, refuse rows, or die right after a commit."""

    def __init__(self) -> None:
        self.database = MemoryDatabase()
        self.away = False
        self.refuses: Callable[[Lines], bool] = lambda lines: False
        self.loads: list[int] = []
        self.dies_after_commit = False
        self._one = threading.Lock()

    def __call__(self, *, read_only: bool = False) -> UnitOfWork:
        if self.away:
            raise Unavailable("database_unavailable", "The database does not answer.")
        return _Watched(self, read_only)

    def counts(self) -> tuple[int, int]:
        """How many exposures of the banner and visits of its units are stored."""
        with self.database.unit_of_work(read_only=True) as work:
            return work.log.counts("banner", ["visit"], EVERYTHING)

    def wait_for(self, counts: tuple[int, int], seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while self.counts() != counts:
            assert time.monotonic() < deadline, self.counts()
            time.sleep(0.005)


class _Watched:
    def __init__(self, flaky: Flaky, read_only: bool) -> None:
        self._flaky = flaky
        self._work = flaky.database.unit_of_work(read_only=read_only)

    def __enter__(self) -> _Watched:
        self.inner = self._work.__enter__()
        return self

    def __exit__(self, *about: object) -> None:
        self._work.__exit__(*about)

    @property
    def log(self) -> _Watched:
        return self

    @property
    def erasures(self) -> ErasureStore:
        return self.inner.erasures

    def load(self, lines: Lines) -> None:
        if self._flaky.refuses(lines):
            raise RowsRefused("no such character")
        self._flaky.loads.append(lines.rows)
        self.inner.log.load(lines)

    def commit(self) -> None:
        self.inner.commit()
        if self._flaky.dies_after_commit:
            raise Unavailable("database_unavailable", "The connection broke.")


@pytest.fixture
def flaky() -> Flaky:
    return Flaky()
