"""Spools that are started, that die, and what they leave."""

from __future__ import annotations

import time
from pathlib import Path

from experiments.spool.file import Depth, depth_of
from experiments.spool.hold import spool_files
from experiments.spool.spool import Spool
from tests.spool.conftest import Flaky


def started(folder: Path, flaky: Flaky, **options: int) -> Spool:
    spool = Spool(folder, flaky, **options)
    spool.start()
    return spool


def die(spool: Spool) -> None:
    """Let go of the file as a killed process does: nothing is drained, nothing is tidied."""
    spool._drain.step = lambda: None  # type: ignore[method-assign]
    if spool._drainer.is_alive():
        spool._drainer.stop(within_seconds=5)
    spool._file.close()


def wait_until_empty(spool: Spool) -> None:
    """Until it is known here that the database has everything: that is a moment after it has."""
    deadline = time.monotonic() + 10
    while spool.status().rows or spool.status().entries:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def listed(folder: Path) -> list[Depth]:
    return [depth_of(path) for path in spool_files(folder)]
