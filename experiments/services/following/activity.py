"""Following how much units do: events by day become engagement in their profiles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from experiments.domain.activity import UnitActivity
from experiments.domain.followed import Place
from experiments.services.following.engagement_attributes import ATTRIBUTES, WINDOW, next_due, still_counting, values
from experiments.services.following.follower import Follower
from experiments.services.following.persons import Happened, Named
from experiments.services.ports import UnitOfWork
from experiments.services.profiles.ports import ActivityStore
from segmentation.behaviour.instants import day_of, start_of


class ActivityFollower(Follower[UnitActivity, Place]):
    """Days that no window needs any more are dropped whenever a row is written."""

    attributes = ATTRIBUTES

    def _rows(self, work: UnitOfWork) -> ActivityStore:
        return work.activity

    def _usable(self, rows: Named, now: datetime) -> Named:
        begins = start_of(day_of(now) - WINDOW.days)
        return [row for row in rows if row[3] >= begins]

    def _add(self, happened: Happened, work: UnitOfWork, now: datetime) -> None:
        new = counted_by_day(happened)
        before = work.activity.some(new)
        held = {unit_id: row.by_day for unit_id, row in before.items()}
        work.activity.put([_row(unit_id, held.get(unit_id, {}), by_day, now) for unit_id, by_day in new.items()])

    def _merged(self, row: UnitActivity, before: UnitActivity | None, unit_id: str, now: datetime) -> UnitActivity:
        return _row(unit_id, {} if before is None else before.by_day, row.by_day, now)

    def _current(self, rows: Sequence[UnitActivity], now: datetime) -> Sequence[UnitActivity]:
        return [replace(row, by_day=still_counting(row.by_day, now)) for row in rows]

    def _said(
        self, counted: Mapping[str, UnitActivity], followed: Place, now: datetime
    ) -> tuple[Mapping[str, Mapping[str, Any]], Mapping[str, datetime]]:
        said = {unit_id: values(row.by_day, now) for unit_id, row in counted.items()}
        return said, {unit_id: next_due(row.by_day, now) for unit_id, row in counted.items()}

    def _keep(self, rows: Mapping[str, UnitActivity], due_at: Mapping[str, datetime], work: UnitOfWork) -> None:
        work.activity.put([replace(rows[unit_id], due_at=at) for unit_id, at in due_at.items()])


def counted_by_day(happened: Happened) -> dict[str, dict[int, int]]:
    """Count events by unit and day."""
    found: dict[str, dict[int, int]] = {}
    for (unit_id, day), count in Counter(zip(happened.unit_ids, map(day_of, happened.instants), strict=True)).items():
        found.setdefault(unit_id, {})[day] = count
    return found


def _row(unit_id: str, before: Mapping[int, int], new: Mapping[int, int], now: datetime) -> UnitActivity:
    """Add two counts; who did something is due."""
    both = {day: before.get(day, 0) + new.get(day, 0) for day in {*before, *new}}
    return UnitActivity(unit_id=unit_id, by_day=still_counting(both, now), due_at=now)
