"""The library: named things that are created, read, listed and edited, each step with its audit entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from experiments.domain.errors import FrozenField, InvalidInput, RevisionMismatch
from experiments.domain.layer import Layer
from experiments.domain.segment import EVERYONE
from experiments.services.authoring.wishes import refuse_rename
from experiments.services.paging import Page, Stored
from experiments.services.ports import AuditEntry, Clock, Library, OpenUnitOfWork, UnitOfWork


class Keyed(Protocol):
    @property
    def key(self) -> str: ...


Item = TypeVar("Item", bound=Keyed)


class LibraryAuthor(Generic[Item]):
    """Create, read, list and edit one kind of named thing."""

    def __init__(
        self, kind: str, library: Callable[[UnitOfWork], Library[Item]], open_unit_of_work: OpenUnitOfWork, clock: Clock
    ) -> None:
        self._kind = kind
        self._library = library
        self._open = open_unit_of_work
        self._clock = clock

    def create(self, value: Item, *, actor: str) -> Stored[Item]:
        """Raise AlreadyExists."""
        if value.key == EVERYONE:
            raise InvalidInput("key_reserved", f"{EVERYONE!r} is taken by Winnow itself.", path="/key")
        now = self._clock()
        with self._open() as work:
            stored = self._library(work).add(value, now=now)
            self._check(work, value)
            work.audit.append(_entry(now, actor, f"{self._kind}.create", value.key, {}))
            work.commit()
        return stored

    def edit(self, key: str, value: Item, *, expected_revision: int, actor: str) -> Stored[Item]:
        """Raise RevisionMismatch, NotFound."""
        refuse_rename(value.key, key)
        now = self._clock()
        with self._open() as work:
            library = self._library(work)
            before = library.get(key)
            if before.revision != expected_revision:
                raise RevisionMismatch(self._kind, key)
            stored = library.save(self._kept(value, before.value), expected_revision=expected_revision, now=now)
            self._check(work, stored.value)
            work.audit.append(_entry(now, actor, f"{self._kind}.edit", key, {"revision": stored.revision}))
            work.commit()
        return stored

    def _kept(self, value: Item, before: Item) -> Item:
        """Return the value with what an edit cannot change."""
        return value

    def _check(self, work: UnitOfWork, value: Item) -> None:
        """Refuse what does not go with the rest of what is stored; it is written already, and undone by refusing."""

    def get(self, key: str) -> Stored[Item]:
        """Raise NotFound."""
        with self._open(read_only=True) as work:
            return self._library(work).get(key)

    def page(self, *, after: str | None, limit: int) -> Page[Stored[Item]]:
        """List in order of key."""
        with self._open(read_only=True) as work:
            return self._library(work).page(after=after, limit=limit)


class LayerAuthor(LibraryAuthor[Layer]):
    """Layers keep their salt, bucketing and slots, whatever an edit says: experiments take and release slots."""

    def _kept(self, value: Layer, before: Layer) -> Layer:
        for name in ("salt", "bucketing"):
            if getattr(value, name) != getattr(before, name):
                raise FrozenField("field_frozen", f"`{name}` never changes.", path=f"/{name}")
        return replace(value, slots=before.slots)


def _entry(at: datetime, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> AuditEntry:
    return AuditEntry(at=at, actor=actor, action=action, subject=subject, detail=detail)
