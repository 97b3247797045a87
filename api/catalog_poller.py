"""Looking whether another process changed an experiment, a profile or a consent: when told so, and again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from api.logs import logger
from experiments.domain.errors import Unavailable, cause_of
from experiments.services.assigning.catalog import CatalogHolder
from experiments.services.ports import ChangeFeed

_log = logger("winnow.catalog")


class Follows(Protocol):
    """Something remembered that other processes may have changed."""

    def follow(self) -> None: ...


class CatalogPoller(threading.Thread):
    """Refreshes a catalog until stopped, and has caches forget what changed.

    While the database is away the last good ones serve; that is logged once.
    """

    def __init__(
        self, catalog: CatalogHolder, changes: ChangeFeed, every_seconds: float, *, caches: Sequence[Follows] = ()
    ) -> None:
        super().__init__(name="winnow-catalog-poller", daemon=True)
        self._catalog = catalog
        self._changes = changes
        self._caches = caches
        self._every_seconds = every_seconds
        self._stopped = threading.Event()
        self._failing = False
        self._looked_at = time.monotonic()

    def numbers(self) -> Mapping[str, float]:
        """Return for the metrics which version is in memory, and how long ago the stored one was looked at."""
        return {
            "catalog_version": self._catalog.current.version,
            "catalog_age_seconds": time.monotonic() - self._looked_at,
        }

    def run(self) -> None:
        """Look at every change, and at every interval: a change may go untold."""
        while not self._stopped.is_set():
            self._changes.wait(self._every_seconds)
            self.look()

    def stop(self) -> None:
        """End after the present wait and look."""
        self._stopped.set()
        self._changes.close()

    def look(self) -> None:
        """Refresh once; a failure is no reason to end, and that of one keeps no other from hearing who refuses."""
        failed: Exception | None = None
        for refresh in (self._catalog.refresh, *(cache.follow for cache in self._caches)):
            try:
                refresh()
            except Unavailable as away:
                failed = away
                break  # the others ask the same database, and each may wait long for nothing
            except Exception as error:  # noqa: BLE001 - nothing may end the thread that keeps a process up to date
                failed = failed or error
        if failed is None:
            self._looked_at = time.monotonic()
            if self._failing:
                _log.info("catalog_refresh_recovered", version=self._catalog.current.version)
        elif not self._failing:
            _log.warning("catalog_refresh_failed", error=repr(failed), cause=cause_of(failed))
        self._failing = failed is not None
