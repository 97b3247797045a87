"""The worker's part of segment reports: when one is due, everybody is looked at once, and what is due is stored.

A report is stored together with who was in, in a transaction of its own: whole, or not at all. Of two makers of the
same report the database takes one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from experiments.domain.errors import Unavailable
from experiments.services.ports import Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.profiles.registry_read import every_stored
from experiments.services.segments.cards import Cards, cards_of
from experiments.services.segments.customers import customer_picture
from experiments.services.segments.documents import customers_document, segment_document
from experiments.services.segments.look import PURCHASE, CardWish, Look, look_at
from experiments.services.segments.members import (
    Everybody,
    Step,
    is_step_due,
    needs_step,
    step_of,
    store_step,
    with_weeks,
)
from experiments.services.segments.ports import CUSTOMERS, ReportHead, SegmentReport, Taken
from experiments.services.segments.tables import Progress

REPORTS_KEPT = 60
"""Days of which a report is kept."""
FEW_UNITS = 1_000
"""While there are fewer, reports are made anew when profiles have changed: who begins wants to see what he did."""
PAUSE = timedelta(seconds=60)
"""Between such looks, and after a look that failed."""
LONGEST_REST = timedelta(hours=1)
"""However long a look took, or seems to have taken as the clock was set meanwhile."""
UNKNOWN = -1
"""No revision of profiles."""
FAILED_FOR = timedelta(hours=1)
"""A segment that failed is tried again after so long, or when it is edited."""
SKEW = timedelta(hours=1)
"""Clocks of two machines are not further apart: whoever was erased up to so long before a look is in no set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """What was stored when the look began: the numbers that reports get follow from it."""

    segments: Collection[str]
    customers: bool
    heads: Mapping[str, ReportHead]
    taken: Mapping[str, Taken]

    def number(self, segment: str) -> int:
        return self.heads[segment].number + 1 if segment in self.heads else 1


class SegmentReporter:
    """`failed` is told of segments whose report cannot be made. `hours`: how old reports become.

    After a look it rests as long as the look took: others have their turn.
    """

    def __init__(
        self,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        *,
        failed: Callable[[str, Exception], None],
        purchases: tuple[str, ...] = (),
        hours: float = 24.0,
    ) -> None:
        self._open = open_unit_of_work
        self._clock = clock
        self._failed = failed
        self._wish = CardWish(purchases=purchases or (PURCHASE,))
        self._age = timedelta(hours=hours)
        self._rests: tuple[datetime, timedelta] | None = None
        self._failures: dict[tuple[str, int], datetime] = {}
        self._few: tuple[int, datetime] | None = None
        self._is_new = True

    def step(self, progress: Progress) -> bool:
        """Make what is due; False where nothing is. What `progress` raises ends it; reports stored until then stay."""
        now = self._clock()
        if self._rests is not None and abs(now - self._rests[0]) < self._rests[1]:
            return False
        due = self._due(now)
        if not due.segments and not due.customers:
            return False
        self._rests = now, PAUSE
        self._make(due, now, progress)
        ended = self._clock()
        self._rests = ended, min(abs(ended - now), LONGEST_REST)
        return True

    def _due(self, now: datetime) -> _Due:
        with self._open(read_only=True) as work:
            heads, taken, anew = work.reports.heads(), work.reports.taken(), self._few_have_changed(work, now)
            stored = [(one.value.key, one.revision) for one in every_stored(work.segments)]
        segments = [
            key
            for key, revision in stored
            if (anew or self._is_old(heads.get(key), revision, now) or is_step_due(taken.get(key), now))
            and not self._has_failed(key, revision, now)
        ]
        customers = bool(segments) or anew or self._is_old(heads.get(CUSTOMERS), 0, now)
        return _Due(segments=segments, customers=customers, heads=heads, taken=taken)

    def _is_old(self, head: ReportHead | None, revision: int, now: datetime) -> bool:
        return head is None or head.revision != revision or abs(now - head.made_at) >= self._age

    def _few_have_changed(self, work: UnitOfWork, now: datetime) -> bool:
        """A process that has just begun does not know whether they have, and looks."""
        if self._is_new:
            newest, self._is_new = work.reports.newest(CUSTOMERS), False
            if newest is not None and newest.document["units"] < FEW_UNITS:
                self._few = (UNKNOWN, newest.made_at)
        if self._few is None:
            return False
        revision, at = self._few
        return abs(now - at) >= PAUSE and work.profiles.revision() != revision

    def _has_failed(self, key: str, revision: int, now: datetime) -> bool:
        at = self._failures.get((key, revision))
        return at is not None and abs(now - at) < FAILED_FOR

    def _make(self, due: _Due, now: datetime, progress: Progress) -> None:
        with self._open(read_only=True) as work:
            seen = work.profiles.revision()
            look = look_at(work, self._wish, now, progress)
            steps = _steps(work, look, due)
        self._few = (seen, now) if look.units.num_rows < FEW_UNITS else None
        look = replace(look, weeks=with_weeks(look, steps))
        made = self._cards(look, progress)
        for key, revision in made.revisions.items():
            if key in due.segments and not self._has_failed(key, revision, now):
                progress(0, None, "Storing reports")
                self._attempt(key, revision, now, partial(self._store_segment, made, key, due, steps.get(key)))
        if due.customers:
            self._store(self._customers(made, due), None)

    def _cards(self, look: Look, progress: Progress) -> Cards:
        """All together; where that fails, all but those that fail alone."""
        revisions = {one.value.key: one.revision for one in look.segments}
        try:
            return cards_of(look, self._wish, without=self._bad(revisions, look.at))
        except Exception:
            for key, revision in revisions.items():
                progress(0, None, "Looking for what fails")
                others = revisions.keys() - {key}
                self._attempt(key, revision, look.at, partial(cards_of, look, self._wish, without=others))
            bad = self._bad(revisions, look.at)
            if not bad:
                raise
            return cards_of(look, self._wish, without=bad)

    def _bad(self, revisions: Mapping[str, int], now: datetime) -> Collection[str]:
        return [key for key, revision in revisions.items() if self._has_failed(key, revision, now)]

    def _attempt(self, key: str, revision: int, now: datetime, do: Callable[[], object]) -> None:
        """One segment's trouble is told and does not keep the others waiting; that of the database is everybody's."""
        try:
            do()
        except Unavailable:
            raise
        except Exception as trouble:  # noqa: BLE001
            self._failures[key, revision] = now
            self._failed(key, trouble)

    def _store_segment(self, made: Cards, key: str, due: _Due, step: Step | None) -> None:
        document, revision = segment_document(made, key), made.revisions[key]
        self._store(_report(key, document, made.until, revision=revision, due=due), step)

    def _customers(self, made: Cards, due: _Due) -> SegmentReport:
        with self._open(read_only=True) as work:
            picture = customer_picture(work, made.until)
        return _report(CUSTOMERS, customers_document(made, picture), made.until, revision=0, due=due)

    def _store(self, report: SegmentReport, step: Step | None) -> None:
        """Store all of it, or nothing where another worker was first."""
        with self._open() as work:
            work.behaviour.take()
            if not work.reports.add(report, keep=REPORTS_KEPT):
                return
            if step is not None:
                store_step(work, step, work.erasures.since(report.made_at - SKEW))
            work.commit()


def _steps(work: UnitOfWork, look: Look, due: _Due) -> dict[str, Step]:
    everybody = Everybody(look, work.erasures.salt())
    return {
        one.value.key: step_of(work, everybody, place, due.taken.get(one.value.key))
        for place, one in enumerate(look.segments)
        if one.value.key in due.segments and needs_step(due.taken.get(one.value.key), one.value, look.at)
    }


def _report(key: str, document: Mapping[str, Any], at: datetime, *, revision: int, due: _Due) -> SegmentReport:
    return SegmentReport(segment=key, number=due.number(key), revision=revision, made_at=at, document=document)
