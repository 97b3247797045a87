"""Who is in a segment, taken once a week without names, so that who came and left can be counted."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from experiments.domain.erasure import Erased
from experiments.domain.membership import Members, MemberWeek, condition_digest, member_of, member_of_digest
from experiments.domain.segment import Segment
from experiments.services.ports import UnitOfWork
from experiments.services.segments.look import Look
from experiments.services.segments.ports import Taken
from experiments.services.segments.tables import column_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEEK = timedelta(weeks=1)
LONGEST_WEEK = timedelta(days=10)
"""Where the worker was away for longer between two looks, what lies between is no week: it is not counted."""
WEEKS_KEPT = 52


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Members to store in place of the former ones, and the week that ends with them, if it is one."""

    members: Members
    week: MemberWeek | None
    is_new_condition: bool


def is_step_due(taken: Taken | None, now: datetime) -> bool:
    return taken is None or abs(now - taken.taken_at) >= WEEK


def needs_step(taken: Taken | None, segment: Segment, now: datetime) -> bool:
    """Say whether it is time, or the condition is another one."""
    return is_step_due(taken, now) or (taken is not None and taken.condition != condition_digest(segment.condition))


class Everybody:
    """The units of a look as hashes, which are computed when the first segment asks."""

    def __init__(self, look: Look, salt: bytes) -> None:
        self.look = look
        self._salt = salt

    def within(self, place: int) -> array[int]:
        """Return the members of the segment at that place, rising."""
        flags = self.look.units[column_of(place)].to_numpy()
        return array("Q", self._hashes[flags[self._order]].tobytes())

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        return np.argsort(self._unsorted, kind="stable")

    @cached_property
    def _hashes(self) -> NDArray[np.uint64]:
        return self._unsorted[self._order]

    @cached_property
    def _unsorted(self) -> NDArray[np.uint64]:
        units = self.look.units["unit_id"].to_pylist()
        return np.array([member_of(self._salt, unit_id) for unit_id in units], dtype=np.uint64)


def step_of(work: UnitOfWork, everybody: Everybody, place: int, taken: Taken | None) -> Step:
    """Take the members of a segment, and compare them with those of a week ago."""
    look, segment = everybody.look, everybody.look.segments[place].value
    members = Members(
        segment=segment.key,
        taken_at=look.at,
        condition=condition_digest(segment.condition),
        hashes=everybody.within(place),
    )
    is_new = taken is not None and taken.condition != members.condition
    week = None
    if taken is not None and not is_new and taken.taken_at < look.at <= taken.taken_at + LONGEST_WEEK:
        week = _week(work.reports.members(segment.key), members, taken.taken_at)
    return Step(members=members, week=week, is_new_condition=is_new)


def _week(before: array[int], members: Members, starts_at: datetime) -> MemberWeek:
    first, last = (np.frombuffer(hashes, dtype=np.uint64) for hashes in (before, members.hashes))
    return MemberWeek(
        segment=members.segment,
        starts_at=starts_at,
        ends_at=members.taken_at,
        condition=members.condition,
        before=len(before),
        after=len(members.hashes),
        stayed=int(np.intersect1d(first, last, assume_unique=True).size),
    )


def with_weeks(look: Look, steps: Mapping[str, Step]) -> Mapping[str, tuple[MemberWeek, ...]]:
    """Return the weeks of all segments, with those that end now."""
    new = {key: (step.week,) for key, step in steps.items() if step.week is not None}
    return {key: (*weeks, *new.get(key, ())) for key, weeks in look.weeks.items()}


def store_step(work: UnitOfWork, step: Step, erased: Erased) -> None:
    """Store members but for those who were erased meanwhile; those who erase wait for us, or we for them."""
    members = step.members
    if step.is_new_condition:
        work.reports.forget_weeks(members.segment)
    if step.week is not None:
        work.reports.add_week(step.week, keep=WEEKS_KEPT)
    gone = {member_of_digest(digest) for digest in erased.at}
    left = array("Q", [one for one in members.hashes if one not in gone]) if gone else members.hashes
    work.reports.take(replace(members, hashes=left))
