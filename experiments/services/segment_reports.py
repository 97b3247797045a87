"""Segment reports: read what the worker has stored of segments and of everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from experiments.domain.errors import NoReport
from experiments.domain.segment import Segment
from experiments.services.ports import OpenUnitOfWork, Stored
from experiments.services.registry_read import every_stored
from experiments.services.report_ports import CUSTOMERS, SegmentReport

State = Literal["pending", "outdated", "made"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A segment and its newest report; None until the worker has made one."""

    segment: Stored[Segment]
    report: SegmentReport | None

    @property
    def state(self) -> State:
        """`outdated`: the segment was edited since; the worker takes it before all others."""
        if self.report is None:
            return "pending"
        return "made" if self.report.revision == self.segment.revision else "outdated"


class SegmentReports:
    """Reads only, and computes nothing."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork) -> None:
        self._open = open_unit_of_work

    def of(self, key: str) -> Reported:
        """Return a segment with its newest report, if any. Raises NotFound."""
        with self._open(read_only=True) as work:
            return Reported(segment=work.segments.get(key), report=work.reports.newest(key))

    def newest(self, key: str) -> SegmentReport:
        """Raise NotFound where there is no such segment, NoReport where the worker has not looked at it yet."""
        found = self.of(key).report
        if found is None:
            raise NoReport(f"Segment {key!r} has no report yet")
        return found

    def all_newest(self) -> tuple[Reported, ...]:
        """Every segment in order of key, with a report or without."""
        with self._open(read_only=True) as work:
            segments, reports = tuple(every_stored(work.segments)), work.reports.all_newest()
        return tuple(Reported(segment=one, report=reports.get(one.value.key)) for one in segments)

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
