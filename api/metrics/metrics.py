"""All that one process counts and knows, and its picture as a document that can be added to others'."""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from api.metrics.counts import Decisions, Requests, nonzero
from api.metrics.items import Items

Numbers = Callable[[], Mapping[str, float]]
"""What is asked when somebody looks, such as the backlog of a spool; only names in `GAUGES` are told."""

LOWEST, HIGHEST, SUM = min, max, sum
GAUGES: Mapping[str, tuple[str, Callable[..., float]]] = {
    "catalog_version": ("Catalog version in memory; of several processes the oldest.", LOWEST),
    "catalog_age_seconds": ("Seconds since the stored catalog version was last looked at; the longest.", HIGHEST),
    "profiles_remembered": ("Units whose profile, or that they have none, is in memory.", SUM),
    "consents_held": ("Units in memory whose consent is not as that of those who have said nothing.", SUM),
    "identities_remembered": ("Units in memory of whom it is known whether they are somebody's other id.", SUM),
    "spool_items": ("Accepted items that are not yet in the database.", SUM),
    "spool_bytes": ("Bytes that they take on the disk.", SUM),
    "spool_oldest_seconds": ("Age of the oldest of them.", HIGHEST),
    "spool_dead_items": ("Items that the database refused for good.", SUM),
    "spool_moves": ("Times that a file of it was removed from under its process, which went on in another.", SUM),
    "streams": ("Open change streams.", SUM),
    "resident_memory_bytes": ("Resident memory of all processes.", SUM),
    "open_file_descriptors": ("Open file descriptors of all processes.", SUM),
    "start_time_seconds": ("Unix time at which the oldest process started.", LOWEST),
}
_STARTED = time.time()


class Metrics:
    """`requests`, `decisions` and `items` count; `watch` adds numbers that are asked for when somebody looks."""

    def __init__(self) -> None:
        self.requests = Requests()
        self.decisions = Decisions()
        self.items = Items()
        self._watched: list[Numbers] = [process_numbers]

    def watch(self, numbers: Numbers) -> None:
        """Tell these numbers too. What asks them may fail: then they are not told, and everything else is."""
        self._watched.append(numbers)

    def picture(self) -> dict[str, Any]:
        """Return everything as plain JSON."""
        gauges: dict[str, float] = {}
        for numbers in self._watched:
            with contextlib.suppress(Exception):  # whoever is told that one thing is broken needs the rest all the more
                gauges |= {name: value for name, value in numbers().items() if name in GAUGES}
        return {
            "requests": [
                {
                    "method": method,
                    "route": rule,
                    "statuses": {str(status): count for status, count in nonzero(counts.by_status).items()},
                    "buckets": list(counts.by_bucket),
                    "seconds": counts.seconds,
                }
                for (method, rule), counts in self.requests.items()
            ],
            "decisions": [[experiment, reason.value, count] for experiment, reason, count in self.decisions.items()],
            "items": [[*name, count] for name, count in self.items.items()],
            "cpu_seconds": time.process_time(),
            "gauges": gauges,
        }


def process_numbers() -> Mapping[str, float]:
    """Return what the system knows of this process."""
    told: dict[str, float] = {"start_time_seconds": _STARTED}
    with contextlib.suppress(OSError):  # only Linux tells
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        told["resident_memory_bytes"] = float(pages * resource.getpagesize())
        told["open_file_descriptors"] = float(sum(1 for _ in Path("/proc/self/fd").iterdir()))
    return told
