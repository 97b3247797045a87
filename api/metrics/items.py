"""What became of the items that requests send: counts by kind, status and the code of a refusal.

Counts are whole numbers in one list, as in `counts`; the lane adds a whole batch to a slot that it knows.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence

from api.metrics.counts import OTHER
from experiments.domain.event import ItemStatus, ItemVerdict

EVENT, EXPOSURE = "event", "exposure"
KINDS = frozenset({EVENT, EXPOSURE})
MAX_CODES = 100
"""Beyond so many codes of refusals the rest are counted as `OTHER`; the service has fewer."""
ACCEPTED_EVENTS, ACCEPTED_EXPOSURES = 0, 1
"""Slots that never change, for who accepts whole batches: `by_slot[ACCEPTED_EVENTS] += rows`."""

Name = tuple[str, str, str]
"""Kind, status and code; only what was rejected has a code."""


class Items:
    """Each triple of kind, status and code has a slot; `OTHER` is the kind of what is neither event nor exposure."""

    def __init__(self) -> None:
        self._slots: dict[Name, int] = {
            (EVENT, ItemStatus.ACCEPTED.value, ""): ACCEPTED_EVENTS,
            (EXPOSURE, ItemStatus.ACCEPTED.value, ""): ACCEPTED_EXPOSURES,
        }
        self.by_slot = [0] * len(self._slots)
        self._codes: set[str] = set()
        self._adding = threading.Lock()

    def count(self, sent: Sequence[object], verdicts: Sequence[ItemVerdict]) -> None:
        """Count the verdicts on items as they were sent, in the same order."""
        names = Counter(_name(item, verdict) for item, verdict in zip(sent, verdicts, strict=True))
        for name, times in names.items():
            found = self._slots.get(name)
            slot = self._add(name) if found is None else found
            self.by_slot[slot] += times

    def items(self) -> Iterator[tuple[Name, int]]:
        """Yield each name with its count."""
        for name, slot in list(self._slots.items()):
            yield name, self.by_slot[slot]

    def _add(self, name: Name) -> int:
        kind, status, code = name
        with self._adding:
            if code and code not in self._codes:
                if len(self._codes) >= MAX_CODES:
                    name = (kind, status, OTHER)
                else:
                    self._codes.add(code)
            if name not in self._slots:
                self.by_slot.append(0)
                self._slots[name] = len(self.by_slot) - 1
            return self._slots[name]


def _name(item: object, verdict: ItemVerdict) -> Name:
    said = item.get("type") if isinstance(item, dict) else None
    kind = said if isinstance(said, str) and said in KINDS else OTHER
    return kind, verdict.status.value, verdict.code or ""
