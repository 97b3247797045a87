"""Segment reports in SQL."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, func, insert, select, update

from experiments.domain.membership import Members, MemberWeek, pack, pieces, unpack, without
from experiments.services.segments.ports import ReportHead, SegmentReport, Taken
from experiments.storage.statements import insert_new
from experiments.storage.studies.tables import segment_members, segment_reports, segment_weeks

_reports, _members, _weeks = segment_reports.c, segment_members.c, segment_weeks.c
_HEAD = (_reports.segment, _reports.number, _reports.revision, _reports.made_at)
_WEEK = ("segment", "starts_at", "ends_at", "condition", "before", "after", "stayed")
_NOBODY = -1
"""Below every hash: the bounds of a piece without members."""


class SqlSegmentReportStore:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, report: SegmentReport, *, keep: int) -> bool:
        values = {column.name: getattr(report, column.name) for column in _reports}
        if not insert_new(self._connection, segment_reports, values | {"document": dict(report.document)}):
            return False
        kept = select(_reports.number, _reports.made_at).where(_reports.segment == report.segment)
        rows = [(row.number, row.made_at) for row in self._connection.execute(kept.order_by(_reports.number.desc()))]
        for number in superfluous(rows, keep):
            old = (_reports.segment == report.segment) & (_reports.number == number)
            self._connection.execute(delete(segment_reports).where(old))
        return True

    def newest(self, segment: str) -> SegmentReport | None:
        wanted = select(segment_reports).where(_reports.segment == segment).order_by(_reports.number.desc()).limit(1)
        row = self._connection.execute(wanted).one_or_none()
        return None if row is None else SegmentReport(**row._mapping)

    def all_newest(self) -> Mapping[str, SegmentReport]:
        rows = self._connection.execute(select(segment_reports).where(_is_newest()))
        return {row.segment: SegmentReport(**row._mapping) for row in rows}

    def heads(self) -> Mapping[str, ReportHead]:
        rows = self._connection.execute(select(*_HEAD).where(_is_newest()))
        return {row.segment: ReportHead(**row._mapping) for row in rows}

    def history(self, segment: str) -> tuple[SegmentReport, ...]:
        wanted = select(segment_reports).where(_reports.segment == segment).order_by(_reports.number.desc())
        return tuple(SegmentReport(**row._mapping) for row in self._connection.execute(wanted))

    def taken(self) -> Mapping[str, Taken]:
        wanted = select(_members.segment, _members.taken_at, _members.condition).where(_members.piece == 0)
        rows = self._connection.execute(wanted)
        return {row.segment: Taken(taken_at=row.taken_at, condition=row.condition) for row in rows}

    def members(self, segment: str) -> array[int]:
        wanted = select(_members.hashes).where(_members.segment == segment).order_by(_members.piece)
        found = array("Q")
        for packed in self._connection.execute(wanted).scalars():
            found.extend(unpack(packed))
        return found

    def take(self, members: Members) -> None:
        self._connection.execute(delete(segment_members).where(_members.segment == members.segment))
        head = {"segment": members.segment, "taken_at": members.taken_at, "condition": members.condition}
        for number, piece in enumerate(pieces(members.hashes)):
            values = {**head, "piece": number, **_packed(piece)}
            self._connection.execute(insert(segment_members).values(values))

    def weeks(self, segment: str) -> tuple[MemberWeek, ...]:
        wanted = select(*(_weeks[name] for name in _WEEK)).where(_weeks.segment == segment).order_by(_weeks.ends_at)
        return tuple(MemberWeek(**row._mapping) for row in self._connection.execute(wanted))

    def add_week(self, week: MemberWeek, *, keep: int) -> None:
        insert_new(self._connection, segment_weeks, {name: getattr(week, name) for name in _WEEK})
        for old in self.weeks(week.segment)[:-keep]:
            gone = (_weeks.segment == week.segment) & (_weeks.ends_at == old.ends_at)
            self._connection.execute(delete(segment_weeks).where(gone))

    def forget_weeks(self, segment: str) -> None:
        self._connection.execute(delete(segment_weeks).where(_weeks.segment == segment))

    def forget(self, member: int) -> int:
        wanted = select(segment_members).where(_members.lowest <= member, _members.highest >= member)
        return sum(self._forget_in(row, member) for row in self._connection.execute(wanted).all())

    def _forget_in(self, row: Row[Any], member: int) -> bool:
        before = unpack(row.hashes)
        after = without(before, member)
        if len(after) == len(before):
            return False
        here = (_members.segment == row.segment) & (_members.piece == row.piece)
        self._connection.execute(update(segment_members).where(here).values(_packed(after)))
        return True


def superfluous(rows: list[tuple[int, datetime]], keep: int) -> list[int]:
    """Of (number, made_at), newest first, return the numbers to remove: of a day the last stays, and `keep` in all."""
    days: set[object] = set()
    gone = []
    for number, made_at in rows:
        if made_at.date() in days or len(days) == keep:
            gone.append(number)
        else:
            days.add(made_at.date())
    return gone


def _is_newest() -> Any:
    newest = _grouped(segment_reports)
    return (_reports.segment == newest.c.segment) & (_reports.number == newest.c.number)


def _grouped(table: Table) -> Any:
    return select(table.c.segment, func.max(table.c.number).label("number")).group_by(table.c.segment).subquery()


def _packed(piece: array[int]) -> dict[str, Any]:
    lowest, highest = (piece[0], piece[-1]) if piece else (_NOBODY, _NOBODY)
    return {"lowest": lowest, "highest": highest, "hashes": pack(piece)}
