"""The registry: which attributes may be stored of units, and which sources say them."""

from __future__ import annotations

from collections.abc import Callable

from experiments.domain.attribute import Attribute
from experiments.domain.errors import FrozenField, NotFound, Taken
from experiments.domain.source import Source
from experiments.services.assigning.catalog import CatalogHolder
from experiments.services.authoring.library import Item, LibraryAuthor
from experiments.services.authoring.meant import unknown
from experiments.services.paging import Stored
from experiments.services.ports import Clock, Library, OpenUnitOfWork, UnitOfWork
from experiments.services.profiles.registry_read import every


class RegistryAuthor(LibraryAuthor[Item]):
    """What is registered decides what profiles say, so the catalog has it: this process sees it at once."""

    def __init__(
        self,
        kind: str,
        library: Callable[[UnitOfWork], Library[Item]],
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        catalog: CatalogHolder,
    ) -> None:
        super().__init__(kind, library, open_unit_of_work, clock)
        self._catalog = catalog

    def create(self, value: Item, *, actor: str) -> Stored[Item]:
        """Raise AlreadyExists."""
        stored = super().create(value, actor=actor)
        self._catalog.catch_up()
        return stored

    def edit(self, key: str, value: Item, *, expected_revision: int, actor: str) -> Stored[Item]:
        """Raise RevisionMismatch, NotFound."""
        stored = super().edit(key, value, expected_revision=expected_revision, actor=actor)
        self._catalog.catch_up()
        return stored


class AttributeAuthor(RegistryAuthor[Attribute]):
    """Attributes keep their type: values of another one are stored already."""

    def _kept(self, value: Attribute, before: Attribute) -> Attribute:
        if value.type is not before.type:
            raise FrozenField("field_frozen", "`type` never changes; register another attribute.", path="/type")
        return value

    def _check(self, work: UnitOfWork, value: Attribute) -> None:
        for position, source in enumerate(value.sources):
            try:
                work.sources.get(source)
            except NotFound as missing:
                raise unknown(missing, work.sources, path=f"/sources/{position}") from None


class SourceAuthor(RegistryAuthor[Source]):
    """No two sources have one precedence, so that it is never open which of them counts."""

    def _check(self, work: UnitOfWork, value: Source) -> None:
        """Comes after the write: that has queued for the catalog, so nobody else can store one meanwhile."""
        for other in every(work.sources):
            if other.precedence == value.precedence and other.key != value.key:
                raise Taken("precedence_taken", f"{other.key!r} has that precedence already.", path="/precedence")
