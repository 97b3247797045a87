"""What was found by following the log, in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from experiments.domain.purchases import CustomerState, Followed, Purchases
from experiments.storage.memory.state import State


class MemoryBehaviourStore:
    """A writing unit of work in memory is alone anyway."""

    def __init__(self, state: State) -> None:
        self._state = state

    def followed(self) -> Followed:
        return self._state.followed

    def take(self) -> Followed:
        return self._state.followed

    def advance(self, followed: Followed) -> None:
        self._state.followed = followed

    def some(self, unit_ids: Collection[str]) -> Mapping[str, Purchases]:
        rows = self._state.purchases
        return {unit_id: rows[unit_id] for unit_id in unit_ids if unit_id in rows}

    def put(self, rows: Sequence[Purchases]) -> None:
        self._state.purchases.update({row.unit_id: row for row in rows})

    def postpone(self, due: Mapping[str, datetime]) -> None:
        self.put([replace(self._state.purchases[unit_id], due_at=at) for unit_id, at in due.items()])

    def remove(self, unit_ids: Collection[str]) -> None:
        for unit_id in unit_ids:
            self._state.purchases.pop(unit_id, None)

    def due(self, now: datetime, *, most: int) -> tuple[Purchases, ...]:
        found = [row for row in self._state.purchases.values() if row.due_at <= now]
        return tuple(sorted(found, key=lambda row: (row.due_at, row.unit_id))[:most])

    def make_all_due(self, now: datetime) -> None:
        self.put([replace(row, due_at=now) for row in self._state.purchases.values()])

    def restart(self, now: datetime) -> None:
        rows = self._state.purchases.values()
        self.put(
            [replace(row, frequency=0, unvalued=0, monetary_cents=0, previous_at=None, due_at=now) for row in rows]
        )

    def count(self, *, most: int) -> int:
        return min(most, len(self._counted()))

    def numbers(self) -> Iterator[Sequence[tuple[datetime, int, int]]]:
        yield [(row.last_at, row.frequency, row.monetary_cents) for row in self._counted()]

    def states(self) -> Iterator[Sequence[CustomerState]]:
        yield [
            (row.first_at, row.last_at, row.previous_at, row.frequency, row.unvalued, row.monetary_cents)
            for row in self._counted()
        ]

    def _counted(self) -> list[Purchases]:
        return [row for row in self._state.purchases.values() if row.frequency]
