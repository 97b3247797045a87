"""Counts that cost a request tenths of a microsecond: plain lists of whole numbers, read when somebody asks.

Adding one to an item of a list runs no bytecode at which CPython passes the GIL on: threads lose no count and need no
lock. Without a GIL two threads could lose one: a count would be a little low, and nothing worse.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping

from experiments.domain.assignment import Assignment, Reason

BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency histogram, in seconds: decisions take tenths of a millisecond, reports take long."""
STATUSES = 600
MAX_EXPERIMENTS = 500
OTHER = "other"
"""Stands for all experiments beyond the first `MAX_EXPERIMENTS`, and for methods that nobody knows."""
UNMATCHED = "unmatched"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RouteCounts:
    """The requests of one route."""

    __slots__ = ("by_bucket", "by_status", "seconds")

    def __init__(self) -> None:
        self.by_status = [0] * STATUSES
        self.by_bucket = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def observe(self, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        bucket = bisect_left(BOUNDS, seconds)
        self.by_status[status] += 1
        self.by_bucket[bucket] += 1
        self.seconds += seconds


class Requests:
    """Counts by method and route. A route is the rule of a view, never the address that was asked for."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str], RouteCounts] = {}
        self._adding = threading.Lock()

    def route(self, method: str, rule: str | None) -> RouteCounts:
        """Return the counts of one route; who answers many of its requests keeps them at hand."""
        name = (method if method in METHODS else OTHER, rule or UNMATCHED)
        found = self._routes.get(name)
        if found is None:
            with self._adding:
                found = self._routes.setdefault(name, RouteCounts())
        return found

    def items(self) -> Iterator[tuple[tuple[str, str], RouteCounts]]:
        """Yield method and rule with their counts."""
        return iter(list(self._routes.items()))


class Decisions:
    """Counts by experiment and reason. Each pair has a slot, which never changes: `by_slot[slot] += 1` counts one."""

    def __init__(self) -> None:
        self.by_slot: list[int] = []
        self._slots: dict[tuple[str, Reason], int] = {}
        self._experiments: set[str] = set()
        self._adding = threading.Lock()

    def slot(self, experiment: str, reason: Reason) -> int:
        """Return the slot of a pair."""
        found = self._slots.get((experiment, reason))
        return self._add(experiment, reason) if found is None else found

    def count(self, answers: Iterable[Assignment]) -> None:
        """Count each of the answers."""
        for answer in answers:
            slot = self.slot(answer.experiment, answer.reason)
            self.by_slot[slot] += 1

    def items(self) -> Iterator[tuple[str, Reason, int]]:
        """Yield experiment, reason and count."""
        for (experiment, reason), slot in list(self._slots.items()):
            yield experiment, reason, self.by_slot[slot]

    def _add(self, experiment: str, reason: Reason) -> int:
        with self._adding:
            if experiment not in self._experiments and len(self._experiments) >= MAX_EXPERIMENTS:
                # Under its own name it would be found quicker the next time, and there would be no end to the names.
                return self._slot_of(OTHER, reason)
            self._experiments.add(experiment)
            return self._slot_of(experiment, reason)

    def _slot_of(self, experiment: str, reason: Reason) -> int:
        name = (experiment, reason)
        if name not in self._slots:
            self.by_slot.append(0)
            self._slots[name] = len(self.by_slot) - 1
        return self._slots[name]


def nonzero(counts: Iterable[int]) -> Mapping[int, int]:
    """Return place and count of what was counted at all."""
    return {place: count for place, count in enumerate(counts) if count}
