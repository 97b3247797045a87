"""Studies read, and what they found made into segments. Light: requests come here, and none makes a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from experiments.domain.errors import AlreadyExists, NotFound
from experiments.domain.segment import Segment
from experiments.domain.study import Adoption, Study, StudyKind
from experiments.services.authoring.library import LibraryAuthor
from experiments.services.paging import Page, Stored
from experiments.services.ports import Clock, OpenUnitOfWork, UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptWish:
    """Which group becomes which segment.

    `version` None: the newest that found anything. `segment_name` None: that of the segment, where there is one
    already, or a plain one.
    """

    kind: StudyKind
    name: str
    group: str
    segment: str
    version: int | None = None
    segment_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """The segment as it is stored now; `before`: its condition until now, None where it is new."""

    segment: Stored[Segment]
    before: Mapping[str, Any] | None
    version: int


class Standing(StrEnum):
    """How a segment stands to the newest version of what it was made of.

    `differs`: the rule is another one now; `edited`: somebody changed the segment itself; `gone`: that group is not
    found any more.
    """

    CURRENT = "current"
    DIFFERS = "differs"
    EDITED = "edited"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedSegment:
    """`condition`: what the segment asks now; `rule`: what the newest version would have it ask, None where gone."""

    adoption: Adoption
    standing: Standing
    condition: Mapping[str, Any] | None
    rule: Mapping[str, Any] | None


class Studies:
    """Readers of clusterings and discoveries; adopting is the one act, an ordinary edit of the library with a note."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._open = open_unit_of_work
        self._clock = clock

    def page(self, kind: StudyKind, *, after: str | None, limit: int) -> Page[Study]:
        """List the newest version of each, in order of name."""
        with self._open(read_only=True) as work:
            return work.studies.page(kind, after=after, limit=limit)

    def get(self, kind: StudyKind, name: str, version: int | None = None) -> Study:
        """Return that version, or the newest. Raises NotFound."""
        with self._open(read_only=True) as work:
            return work.studies.get(kind, name, version)

    def versions(self, kind: StudyKind, name: str, *, after: str | None, limit: int) -> Page[Study]:
        """List newest first. Raises NotFound."""
        with self._open(read_only=True) as work:
            work.studies.get(kind, name)
            return work.studies.versions(kind, name, after=after, limit=limit)

    def adopted(self, kind: StudyKind, name: str) -> tuple[AdoptedSegment, ...]:
        """Return what was made of it, in order of segment."""
        with self._open(read_only=True) as work:
            return adopted_segments(work, kind, name)

    def adopt(self, wish: AdoptWish, *, actor: str) -> Adopted:
        """Make a segment of a group, or give the segment that was made of it the group's present rule.

        Raises NotFound, InvalidInput; AlreadyExists where the segment is of another making.
        """
        with self._open(read_only=True) as work:
            study = _meant(work, wish)
            condition = study.adoptable(wish.group)
            before = _segment(work, wish.segment)
            made_of = work.studies.adoption(wish.segment)
        sentence = study.group(wish.group).sentence
        adoption = Adoption(
            segment=wish.segment,
            kind=wish.kind,
            name=wish.name,
            version=study.version,
            group=wish.group,
            adopted_at=self._clock(),
            adopted_by=actor,
        )
        author = _Adopting(adoption, self._open, self._clock)
        if before is None:
            made = Segment(
                key=wish.segment,
                name=wish.segment_name or f"{wish.name} {wish.group}",
                condition=condition,
                description=sentence,
                kind=wish.kind.segment_kind,
            )
            return Adopted(segment=author.create(made, actor=actor), before=None, version=study.version)
        if made_of is None or (made_of.kind, made_of.name, made_of.group) != (wish.kind, wish.name, wish.group):
            raise AlreadyExists("segment", wish.segment)
        after = replace(
            before.value, name=wish.segment_name or before.value.name, condition=condition, description=sentence
        )
        stored = author.edit(wish.segment, after, expected_revision=before.revision, actor=actor)
        return Adopted(segment=stored, before=before.value.condition, version=study.version)


class _Adopting(LibraryAuthor[Segment]):
    """The author of segments, who notes in the same transaction what the segment was made of."""

    def __init__(self, adoption: Adoption, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        super().__init__("segment", lambda work: work.segments, open_unit_of_work, clock)
        self._adoption = adoption

    def _check(self, work: UnitOfWork, value: Segment) -> None:
        work.studies.adopt(self._adoption)


def _meant(work: UnitOfWork, wish: AdoptWish) -> Study:
    newest = work.studies.get(wish.kind, wish.name, wish.version)
    if wish.version is not None:
        return newest
    return newest_with_groups(work, wish.kind, wish.name) or newest


def adopted_segments(work: UnitOfWork, kind: StudyKind, name: str) -> tuple[AdoptedSegment, ...]:
    """Hold each segment against its own version, and against the newest that found anything.

    Leaves of a discovery are no other discovery's: these are held against their own version alone.
    """
    found = work.studies.adoptions(kind, name)
    newest = newest_with_groups(work, kind, name) if found and kind is StudyKind.CLUSTERING else None
    return tuple(_standing(work, one, newest) for one in found)


def newest_with_groups(work: UnitOfWork, kind: StudyKind, name: str) -> Study | None:
    """Return the newest version that found anything."""
    after: str | None = None
    while True:
        page = work.studies.versions(kind, name, after=after, limit=10)
        for study in page.items:
            if study.groups:
                return study
        if page.next_after is None:
            return None
        after = page.next_after


def _standing(work: UnitOfWork, adoption: Adoption, newest: Study | None) -> AdoptedSegment:
    own = work.studies.get(adoption.kind, adoption.name, adoption.version)
    segment = _segment(work, adoption.segment)
    condition = None if segment is None else segment.value.condition
    rule = next((one.condition for one in (newest or own).groups if one.key == adoption.group), None)
    if condition == rule:
        standing = Standing.CURRENT
    elif condition != own.group(adoption.group).condition:
        standing = Standing.EDITED
    else:
        standing = Standing.GONE if rule is None else Standing.DIFFERS
    return AdoptedSegment(adoption=adoption, standing=standing, condition=condition, rule=rule)


def _segment(work: UnitOfWork, key: str) -> Stored[Segment] | None:
    try:
        return work.segments.get(key)
    except NotFound:
        return None
