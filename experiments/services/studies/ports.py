"""What the services keep of studies, and of lists that were imported, as Protocols."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from experiments.domain.study import Adoption, Study, StudyKind

if TYPE_CHECKING:
    from experiments.services.paging import Page


class StudyStore(Protocol):
    """Versions of studies, which never change, and the segments that were made of them."""

    def add(self, study: Study) -> None:
        """Raise RevisionMismatch where somebody else has stored that version: of two adders exactly one succeeds."""

    def get(self, kind: StudyKind, name: str, version: int | None = None) -> Study:
        """Return that version, or the newest. Raise NotFound."""

    def page(self, kind: StudyKind, *, after: str | None, limit: int) -> Page[Study]:
        """The newest version of each, in order of name."""

    def versions(self, kind: StudyKind, name: str, *, after: str | None, limit: int) -> Page[Study]:
        """Newest first; none where there is no such study."""

    def adopt(self, adoption: Adoption) -> None:
        """Remember what a segment was made of, in place of what it was made of before."""

    def adoption(self, segment: str) -> Adoption | None: ...

    def adoptions(self, kind: StudyKind, name: str) -> tuple[Adoption, ...]:
        """In order of segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedList:
    """The file that says last who is on a list; `at`: the instant by which its statements are known.

    `finished_at` None: it is being taken over, or that was ended.
    """

    key: str
    at: datetime
    digest: str
    units: int
    started_by: str
    finished_at: datetime | None = None


class ListStore(Protocol):
    """One row per list."""

    def get(self, key: str) -> ImportedList | None: ...

    def take(self, key: str) -> ImportedList | None:
        """The same for who is going to `put` it: until the end of the transaction nobody else does."""

    def put(self, imported: ImportedList) -> None: ...
