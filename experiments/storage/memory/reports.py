"""Segment reports in memory."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import replace

from experiments.domain.membership import Members, MemberWeek, without
from experiments.services.segments.ports import ReportHead, SegmentReport, Taken
from experiments.storage.memory.journals import as_stored
from experiments.storage.memory.state import State
from experiments.storage.studies.report_store import superfluous


class MemorySegmentReportStore:
    """Tuples and sets are replaced, never changed: a committed state may hold them too."""

    def __init__(self, state: State) -> None:
        self._reports = state.segment_reports
        self._members = state.segment_members
        self._weeks = state.segment_weeks

    def add(self, report: SegmentReport, *, keep: int) -> bool:
        before = self._reports.get(report.segment, ())
        if any(one.number == report.number for one in before):
            return False
        stored = replace(report, document=as_stored(report.document))
        rows = sorted((stored, *before), key=lambda one: -one.number)
        gone = superfluous([(one.number, one.made_at) for one in rows], keep)
        self._reports[report.segment] = tuple(one for one in rows if one.number not in gone)
        return True

    def newest(self, segment: str) -> SegmentReport | None:
        return next(iter(self._reports.get(segment, ())), None)

    def all_newest(self) -> Mapping[str, SegmentReport]:
        return {segment: rows[0] for segment, rows in self._reports.items()}

    def heads(self) -> Mapping[str, ReportHead]:
        return {
            segment: ReportHead(segment=segment, number=one.number, revision=one.revision, made_at=one.made_at)
            for segment, one in self.all_newest().items()
        }

    def history(self, segment: str) -> tuple[SegmentReport, ...]:
        return self._reports.get(segment, ())

    def taken(self) -> Mapping[str, Taken]:
        found = self._members.items()
        return {segment: Taken(taken_at=one.taken_at, condition=one.condition) for segment, one in found}

    def members(self, segment: str) -> array[int]:
        return self._members[segment].hashes if segment in self._members else array("Q")

    def take(self, members: Members) -> None:
        self._members[members.segment] = members

    def weeks(self, segment: str) -> tuple[MemberWeek, ...]:
        return self._weeks.get(segment, ())

    def add_week(self, week: MemberWeek, *, keep: int) -> None:
        self._weeks[week.segment] = (*self._weeks.get(week.segment, ()), week)[-keep:]

    def forget_weeks(self, segment: str) -> None:
        self._weeks.pop(segment, None)

    def forget(self, member: int) -> int:
        after = {segment: replace(one, hashes=without(one.hashes, member)) for segment, one in self._members.items()}
        held = sum(len(after[segment].hashes) < len(one.hashes) for segment, one in self._members.items())
        self._members.update(after)
        return held
