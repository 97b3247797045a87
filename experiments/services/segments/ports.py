"""What the services keep of segments: reports that the worker made, and who came and went, as Protocols."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from experiments.domain.membership import Members, MemberWeek

CUSTOMERS = ""
"""Stands where a report names its segment, for the one of everybody: no segment has an empty key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportHead:
    """A report without what it says; `number` counts up per segment, `revision` is that of the segment it tells of."""

    segment: str
    number: int
    revision: int
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentReport(ReportHead):
    """What the worker found; docs/segmentation/reports.md describes the document."""

    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """When the members of a segment were taken last, and by which condition."""

    taken_at: datetime
    condition: str


class SegmentReportStore(Protocol):
    """Reports by segment, and beside them the members as they were taken last and the weeks that were counted."""

    def add(self, report: SegmentReport, *, keep: int) -> bool:
        """Store a report, and remove all but the newest `keep`, and of a day all but the last.

        False, and nothing stored, where there is one of that number: of two makers, one succeeds.
        """

    def newest(self, segment: str) -> SegmentReport | None: ...

    def all_newest(self) -> Mapping[str, SegmentReport]:
        """The newest of each segment, and of everybody."""

    def heads(self) -> Mapping[str, ReportHead]:
        """The same without the documents."""

    def history(self, segment: str) -> tuple[SegmentReport, ...]:
        """Newest first."""

    def taken(self) -> Mapping[str, Taken]:
        """By segment; those of which no members were taken are missing."""

    def members(self, segment: str) -> array[int]:
        """The members that were taken last; none of a segment of which none were taken."""

    def take(self, members: Members) -> None:
        """Store them in place of those that were taken before."""

    def weeks(self, segment: str) -> tuple[MemberWeek, ...]:
        """Oldest first."""

    def add_week(self, week: MemberWeek, *, keep: int) -> None:
        """Store it, and remove all but the newest `keep`."""

    def forget_weeks(self, segment: str) -> None:
        """Remove all: they are weeks of another condition."""

    def forget(self, member: int) -> int:
        """Take somebody out of all sets; return how many held it."""
