"""What was counted by following the log, in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Generic, TypeVar

from experiments.domain.activity import UnitActivity
from experiments.domain.followed import Place
from experiments.domain.purchases import CustomerState, Followed, Purchases
from experiments.storage.memory.state import State

Row = TypeVar("Row", Purchases, UnitActivity)


class _CountedRows(Generic[Row]):
    """A writing unit of work in memory is alone anyway."""

    def __init__(self, rows: dict[str, Row]) -> None:
        self._rows: dict[str, Row] = rows

    def some(self, unit_ids: Collection[str]) -> Mapping[str, Row]:
        return {unit_id: self._rows[unit_id] for unit_id in unit_ids if unit_id in self._rows}

    def put(self, rows: Sequence[Row]) -> None:
        self._rows.update({row.unit_id: row for row in rows})

    def postpone(self, due: Mapping[str, datetime]) -> None:
        self.put([replace(self._rows[unit_id], due_at=at) for unit_id, at in due.items()])

    def make_all_due(self, now: datetime) -> None:
        self.put([replace(row, due_at=now) for row in self._rows.values()])

    def remove(self, unit_ids: Collection[str]) -> None:
        for unit_id in unit_ids:
            self._rows.pop(unit_id, None)

    def due(self, now: datetime, *, most: int) -> tuple[Row, ...]:
        found = [row for row in self._rows.values() if row.due_at <= now]
        return tuple(sorted(found, key=lambda row: (row.due_at, row.unit_id))[:most])

    def restart(self, now: datetime) -> None:
        self.put([row.emptied(due_at=now) for row in self._rows.values()])


class MemoryActivityStore(_CountedRows[UnitActivity]):
    def __init__(self, state: State) -> None:
        super().__init__(state.activity)
        self._state = state

    def followed(self) -> Place:
        return self._state.activity_followed

    def take(self) -> Place:
        return self._state.activity_followed

    def advance(self, followed: Place) -> None:
        self._state.activity_followed = followed


class MemoryBehaviourStore(_CountedRows[Purchases]):
    def __init__(self, state: State) -> None:
        super().__init__(state.purchases)
        self._state = state

    def followed(self) -> Followed:
        return self._state.followed

    def take(self) -> Followed:
        return self._state.followed

    def advance(self, followed: Followed) -> None:
        self._state.followed = followed

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
        return [row for row in self._rows.values() if not row.is_empty]
