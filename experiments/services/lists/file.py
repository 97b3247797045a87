"""Lists of units: CSV or Parquet, read a batch at a time, from any batch on; bad rows are told by their line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from experiments.domain.errors import InvalidInput
from experiments.services.lists.cells import read_value
from experiments.services.lists.chunk import (
    Chunk,
    Layout,
    ListFile,
    Position,
    Rejected,
    Rows,
    check_columns,
    check_id_column,
    chunk_of,
    coded,
    is_text,
    listed,
    unreadable,
)
from experiments.services.lists.csv_file import CsvList
from experiments.services.lists.ids import exact_in, ids_of, is_exact, is_float_column

__all__ = [
    "Chunk",
    "Layout",
    "ListFile",
    "ParquetList",
    "Position",
    "Rejected",
    "check_columns",
    "check_id_column",
    "digest",
    "open_list",
]

_GZIP_MAGIC, _PARQUET_MAGIC = b"\x1f\x8b", b"PAR1"


def open_list(path: Path, delimiter: str) -> ListFile:
    """Return the list in a file, which is Parquet where it says so itself, otherwise CSV, plain or gzip."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise unreadable(path, error) from None
    return ParquetList(path) if magic == _PARQUET_MAGIC else CsvList(path, delimiter, packed=magic[:2] == _GZIP_MAGIC)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file as it lies there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from None


class ParquetList:
    """Columns have types already; ids are text, whole numbers (which floats and decimals may hold too) or UUIDs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = pq.ParquetFile(path, memory_map=True)
        except (OSError, pa.ArrowException) as error:
            raise unreadable(path, error) from None

    def header(self) -> list[str]:
        """Return the names of the columns."""
        return list(self._file.schema_arrow.names)

    def total(self) -> int | None:
        """Return how many rows there are."""
        return int(self._file.metadata.num_rows)

    def check(self, layout: Layout) -> None:
        """Refuse a file whose columns are missing or of another type, or whose ids are floats that are no ids."""
        check_columns(self.header(), replace(layout, delimiter=""), self._path.name)
        self._check_types(layout)
        if is_float_column(self._file.schema_arrow.field(layout.id_column).type):
            row = 1
            for batch in self._batches([layout.id_column]):
                self._ids(batch[layout.id_column], row)
                row += batch.num_rows

    def chunks(self, layout: Layout, start: Position, rows: int) -> Iterator[Chunk]:
        """Yield batches of exactly so many rows but for the last, from a row that is a multiple of it."""
        self.check(layout)
        row = start.offset
        for table in self._tables(layout, row, rows):
            lines = range(row + 1, row + 1 + table.num_rows)
            ids = self._ids(table[layout.id_column], row + 1)
            cells = {
                name: coded(table[name].combine_chunks(), layout.readers.get(name, read_value))
                for name in layout.attributes
            }
            row += table.num_rows
            yield chunk_of(layout, Rows(lines=lines, ids=ids, cells=cells, rejected=[]), Position(offset=row))

    def _check_types(self, layout: Layout) -> None:
        kind = self._file.schema_arrow.field(layout.id_column).type
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (is_text(plain) or is_exact(plain) or is_float_column(kind)):
            message = f"Ids are texts, whole numbers or UUIDs; column {layout.id_column!r} is of type {kind}."
            raise InvalidInput("id_column_type", message)
        for name in layout.attributes:
            if name in layout.types:
                message = f"{self._path.name} says itself of which types its columns are; {name!r} cannot be another."
                raise InvalidInput("type_declared", message)

    def _ids(self, column: pa.Array | pa.ChunkedArray, first_row: int) -> list[str | None]:
        if is_float_column(column.type):
            return ids_of(listed(column), first_row, exact=exact_in(column.type))
        return [None if one is None else str(one) for one in listed(column)]

    def _batches(self, columns: list[str], **more: Any) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._file.iter_batches(columns=columns, **more)
        except (OSError, pa.ArrowException) as error:
            raise unreadable(self._path, error) from None

    def _tables(self, layout: Layout, start: int, rows: int) -> Iterator[pa.Table]:
        groups: list[int] = []
        skipped = start
        for number in range(self._file.metadata.num_row_groups):
            size = self._file.metadata.row_group(number).num_rows
            if not groups and skipped >= size:
                skipped -= size
            else:
                groups.append(number)
        wanted = list(dict.fromkeys((layout.id_column, *layout.attributes)))
        held = pa.table({name: pa.array([], self._file.schema_arrow.field(name).type) for name in wanted})
        for batch in self._batches(wanted, batch_size=min(rows, 65_536), row_groups=groups):
            taken = pa.Table.from_batches([batch.slice(skipped)]) if skipped < batch.num_rows else None
            skipped = max(skipped - batch.num_rows, 0)
            if taken is None:
                continue
            held = pa.concat_tables([held, taken.select(wanted)])
            while held.num_rows >= rows:
                yield held.slice(0, rows)
                held = held.slice(rows)
        if held.num_rows:
            yield held
