"""Segments, metrics, layers, attributes and sources in SQL: one store for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection, Row, Table, select, update

from experiments.domain.attribute import Attribute
from experiments.domain.errors import AlreadyExists, DomainError, NotFound, RevisionMismatch
from experiments.domain.layer import Layer
from experiments.domain.metric import Metric
from experiments.domain.segment import Segment
from experiments.domain.source import Source
from experiments.services.paging import Page, Stored
from experiments.storage.columns import storable_number
from experiments.storage.documents import library, registry
from experiments.storage.documents.versioned import Document
from experiments.storage.experiments import tables
from experiments.storage.experiments.catalog_changes import bump_catalog_version
from experiments.storage.paging import after_key, cut
from experiments.storage.statements import insert_new


class Keyed(Protocol):
    @property
    def key(self) -> str: ...


K = TypeVar("K", bound=Keyed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf(Generic[K]):
    """What tells one library from another; `in_catalog`: frontends' answers depend on it."""

    kind: str
    table: Table
    to_document: Callable[[K], Document]
    from_document: Callable[[Mapping[str, Any]], K]
    in_catalog: bool = False


SEGMENTS: Shelf[Segment] = Shelf(
    kind="segment",
    table=tables.segments,
    to_document=library.segment_to_document,
    from_document=library.segment_from_document,
)
METRICS: Shelf[Metric] = Shelf(
    kind="metric",
    table=tables.metrics,
    to_document=library.metric_to_document,
    from_document=library.metric_from_document,
)
LAYERS: Shelf[Layer] = Shelf(
    kind="layer",
    table=tables.layers,
    to_document=library.layer_to_document,
    from_document=library.layer_from_document,
    in_catalog=True,
)
ATTRIBUTES: Shelf[Attribute] = Shelf(
    kind="attribute",
    table=tables.attributes,
    to_document=registry.attribute_to_document,
    from_document=registry.attribute_from_document,
    in_catalog=True,
)
SOURCES: Shelf[Source] = Shelf(
    kind="source",
    table=tables.sources,
    to_document=registry.source_to_document,
    from_document=registry.source_from_document,
    in_catalog=True,
)


class SqlLibrary(Generic[K]):
    def __init__(self, connection: Connection, shelf: Shelf[K]) -> None:
        self._connection = connection
        self._shelf = shelf
        self._columns = shelf.table.c

    def add(self, value: K, *, now: datetime) -> Stored[K]:
        stored = Stored(value=value, revision=1, updated_at=now)
        self._announce()
        if not insert_new(self._connection, self._shelf.table, self._values(stored)):
            raise AlreadyExists(self._shelf.kind, value.key)
        return stored

    def get(self, key: str) -> Stored[K]:
        row = self._connection.execute(select(self._shelf.table).where(self._columns.key == key)).one_or_none()
        if row is None:
            raise NotFound(self._shelf.kind, key)
        return self._stored(row)

    def save(self, value: K, *, expected_revision: int, now: datetime) -> Stored[K]:
        self._announce()
        if not storable_number(expected_revision):
            raise self._refusal(value.key)
        stored = Stored(value=value, revision=expected_revision + 1, updated_at=now)
        expected = (self._columns.key == value.key, self._columns.revision == expected_revision)
        changed = self._connection.execute(update(self._shelf.table).where(*expected).values(self._values(stored)))
        if changed.rowcount != 1:
            raise self._refusal(value.key)
        return stored

    def page(self, *, after: str | None, limit: int) -> Page[Stored[K]]:
        wanted = select(self._shelf.table).order_by(self._columns.key).limit(limit + 1)
        if (key := after_key(after)) is not None:
            wanted = wanted.where(self._columns.key > key)
        return cut(self._connection.execute(wanted).all(), limit, self._stored, lambda row: row.key)

    def keys(self) -> tuple[str, ...]:
        return tuple(self._connection.execute(select(self._columns.key).order_by(self._columns.key)).scalars())

    def _announce(self) -> None:
        if self._shelf.in_catalog:
            bump_catalog_version(self._connection)

    def _refusal(self, key: str) -> DomainError:
        found = self._connection.execute(select(self._columns.key).where(self._columns.key == key)).one_or_none()
        return NotFound(self._shelf.kind, key) if found is None else RevisionMismatch(self._shelf.kind, key)

    def _values(self, stored: Stored[K]) -> dict[str, Any]:
        return {
            "key": stored.value.key,
            "revision": stored.revision,
            "document": self._shelf.to_document(stored.value),
            "updated_at": stored.updated_at,
        }

    def _stored(self, row: Row[Any]) -> Stored[K]:
        return Stored(value=self._shelf.from_document(row.document), revision=row.revision, updated_at=row.updated_at)
