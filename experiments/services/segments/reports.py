"""Segment reports: read what the worker has stored of segments and of everybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from experiments.domain.errors import NoReport
from experiments.domain.segment import Segment
from experiments.services.paging import Stored
from experiments.services.ports import OpenUnitOfWork, UnitOfWork
from experiments.services.profiles.registry_read import every, every_stored
from experiments.services.segments import few
from experiments.services.segments.doubts import Doubt, doubts_at_once
from experiments.services.segments.ports import CUSTOMERS, SegmentReport

NO_SEGMENTS = "There are no segments: `winnow segments make TEMPLATE --save KEY` makes one."
State = Literal["pending", "outdated", "made"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A segment and its newest report; None until the worker has made one.

    `at_once`: what is doubtful about it before anybody was counted.
    """

    segment: Stored[Segment]
    report: SegmentReport | None
    at_once: tuple[Doubt, ...] = ()

    @property
    def state(self) -> State:
        """`outdated`: the segment was edited since; the worker takes it before all others."""
        if self.report is None:
            return "pending"
        return "made" if self.report.revision == self.segment.revision else "outdated"

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Those of the report; where it is not made of the segment as it is now, what is known at once."""
        if self.report is None or self.state != "made":
            return self.at_once
        return tuple(few.told(self.report.document)["doubts"])

    @property
    def made(self) -> SegmentReport:
        """Raise NoReport where there is none."""
        if self.report is None:
            raise NoReport(f"Segment {self.segment.value.key!r} has no report yet")
        return self.report


class SegmentReports:
    """Reads only, and computes nothing."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork) -> None:
        self._open = open_unit_of_work

    def of(self, key: str) -> Reported:
        """Return a segment with its newest report, if any. Raises NotFound."""
        with self._open(read_only=True) as work:
            segment, report = work.segments.get(key), work.reports.newest(key)
            found = Reported(segment=segment, report=report)
            return found if found.state == "made" else replace(found, at_once=_at_once(work)[key])

    def newest(self, key: str) -> SegmentReport:
        """Raise NotFound where there is no such segment, NoReport where the worker has not looked at it yet."""
        return self.of(key).made

    def all_newest(self) -> tuple[Reported, ...]:
        """Every segment in order of key, with a report or without."""
        with self._open(read_only=True) as work:
            segments, reports = tuple(every_stored(work.segments)), work.reports.all_newest()
            doubts = _at_once(work)
        return tuple(
            Reported(segment=one, report=reports.get(one.value.key), at_once=doubts[one.value.key]) for one in segments
        )

    def history(self, key: str) -> tuple[SegmentReport, ...]:
        """Newest first, one a day; empty until there is one. Raises NotFound."""
        with self._open(read_only=True) as work:
            work.segments.get(key)
            return work.reports.history(key)

    def customers(self) -> SegmentReport:
        """Return the newest report of everybody. Raises NoReport."""
        with self._open(read_only=True) as work:
            found = work.reports.newest(CUSTOMERS)
        if found is None:
            raise NoReport("There is no report of all customers yet")
        return found


def _at_once(work: UnitOfWork) -> Mapping[str, tuple[Doubt, ...]]:
    return doubts_at_once(tuple(every(work.segments)), {one.key for one in every(work.attributes)})
