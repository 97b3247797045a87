"""Lists that a database's query returns; its columns have types already, and rows are counted from 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from experiments.services.lists.cells import read_value
from experiments.services.lists.chunk import Chunk, Layout, Position, Rows, check_columns, chunk_of, coded_values
from experiments.services.lists.ids import ids_of

_KNOWN = (str, int, float, Decimal, date, list, dict, type(None))


class Query(Protocol):
    """A query that was sent; its rows can be read once."""

    @property
    def columns(self) -> list[str]: ...

    def batches(self, rows: int) -> Iterator[Sequence[Sequence[Any]]]:
        """Yield the rows, so many at a time."""


class QueryList:
    """Read from the first row on: there is no place in the middle that another run of the query would have as well."""

    def __init__(self, query: Query) -> None:
        self._query = query

    def header(self) -> list[str]:
        """Return the names of the columns."""
        return self._query.columns

    def total(self) -> None:
        """How many rows there are is known at the end."""

    def check(self, layout: Layout) -> None:
        """Refuse a query in which a column is missing; what its ids are is seen as they come."""
        check_columns(self.header(), replace(layout, delimiter=""), "the query")

    def chunks(self, layout: Layout, start: Position, rows: int) -> Iterator[Chunk]:
        """Yield batches of at most so many rows."""
        header = self.header()
        self.check(layout)
        if start.offset:
            raise ValueError("a query is read from its first row on")
        row = 0
        for batch in self._query.batches(rows):
            columns = dict(zip(header, zip(*batch, strict=True), strict=True))
            cells = {
                name: coded_values([_plain(one) for one in columns[name]], layout.readers.get(name, read_value))
                for name in layout.attributes
            }
            ids = ids_of(columns[layout.id_column], row + 1)
            lines = range(row + 1, row + 1 + len(batch))
            row += len(batch)
            yield chunk_of(layout, Rows(lines=lines, ids=ids, cells=cells, rejected=[]), Position(offset=row))


def _plain(value: Any) -> Any:
    """Let ids of 128 bits be texts; of what is no JSON its type is left, which no attribute takes."""
    if isinstance(value, _KNOWN):
        return value
    return str(value) if isinstance(value, UUID) else type(value)
