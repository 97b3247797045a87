"""Several processes, one answer: each leaves its picture in a folder, and whoever is asked adds them up.

What a process that ended had counted stays in the sums, so that counters never fall; what it knew is gone with it.
Nor do they fall when the next scrape reaches another process: what was told had been left before.
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from api.logs import logger
from api.metrics.metrics import Metrics

EVERY_SECONDS = 1.0
GONE_AFTER_SECONDS = 10.0
_log = logger("winnow.metrics")


class Shared(threading.Thread):
    """Leaves the picture of this process once a second."""

    def __init__(self, metrics: Metrics, folder: Path, every_seconds: float = EVERY_SECONDS) -> None:
        super().__init__(name="winnow-metrics", daemon=True)
        self._metrics = metrics
        self._file = folder / f"{os.getpid()}-{time.time_ns()}.json"
        self._every_seconds = every_seconds
        self._stopped = threading.Event()
        self._leaving = threading.Lock()
        self._failing = False

    def run(self) -> None:
        """Leave a picture at every interval."""
        while not self._stopped.wait(self._every_seconds):
            self.leave()

    def stop(self) -> None:
        """End, with a last picture."""
        self._stopped.set()
        self.leave()

    def leave(self) -> dict[str, Any]:
        """Replace our picture at one stroke, and return it; a failure is told once."""
        aside = self._file.with_suffix(".new")
        with self._leaving:  # an older picture never replaces a newer one
            picture = self._metrics.picture()
            try:
                aside.write_text(json.dumps(picture))
                aside.replace(self._file)
                self._failing = False
            except OSError as error:
                if not self._failing:
                    _log.warning("metrics_not_left", error=repr(error))
                self._failing = True
        return picture

    def pictures(self) -> list[dict[str, Any]]:
        """Leave our picture; return it and the last one of each other process; of one that ended, what it counted."""
        others = [path for path in self._file.parent.glob("*.json") if path != self._file]
        return [self.leave(), *(found for path in others if (found := _read(path)) is not None)]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        picture: dict[str, Any] = json.loads(path.read_text())
        # Whoever lives writes by the clock as it is now, even if it was set back.
        gone = abs(time.time() - path.stat().st_mtime) > GONE_AFTER_SECONDS
    except (OSError, ValueError):
        return None
    return {**picture, "gauges": {}} if gone else picture
