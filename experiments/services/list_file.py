"""Lists of units: CSV or Parquet, read a batch at a time, from any batch on; bad rows are told by their line."""

from __future__ import annotations

import csv
import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.domain.errors import DomainError, InvalidInput
from experiments.domain.names import are_ids, check_id
from experiments.services.bulk import Column, column_of
from experiments.services.list_types import Kind, kinds_of, read_cell, read_value

_GZIP_MAGIC, _PARQUET_MAGIC = b"\x1f\x8b", b"PAR1"
_LONGEST_LINE = 1 << 24
_READ_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Why a row has no answer; `line` is where it starts, counted from 1 as editors do (Parquet: the row)."""

    line: int
    column: str | None
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where the next batch begins: a byte and a line of a CSV file (0: behind its header), a row of a Parquet file."""

    offset: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A batch: the units that can be answered, in order, with their `lines`; those that cannot; where the next is."""

    ids: Sequence[str]
    lines: Sequence[int]
    columns: Mapping[str, Column]
    rejected: Sequence[Rejected]
    next: Position
    kinds: Mapping[str, set[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which columns are looked at: that of the ids, and those of the attributes with their types.

    `readers` read the cells of a column in their own way: text of a CSV file, or what Parquet holds.
    """

    id_column: str
    attributes: tuple[str, ...]
    types: Mapping[str, Kind]
    delimiter: str = ","
    readers: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)


class ListFile(Protocol):
    """A list on disk."""

    def header(self) -> list[str]: ...

    def total(self) -> int | None: ...

    def chunks(self, layout: Layout, start: Position, rows: int) -> Iterator[Chunk]: ...


def open_list(path: Path, delimiter: str) -> ListFile:
    """Return the list in a file, which is Parquet where it says so itself, otherwise CSV, plain or gzip."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise _unreadable(path, error) from None
    return ParquetList(path) if magic == _PARQUET_MAGIC else CsvList(path, delimiter, packed=magic[:2] == _GZIP_MAGIC)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file as it lies there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from None


def check_columns(header: Sequence[str], layout: Layout, name: str) -> None:
    """Refuse a file in which a column that is looked at stands nowhere, or twice."""
    for column in (layout.id_column, *layout.attributes):
        if header.count(column) != 1:
            found = "twice" if column in header else "nowhere"
            raise InvalidInput("column_missing", f"Column {column!r} stands {found} in {name}.")


class CsvList:
    """Strict CSV in UTF-8, with a header."""

    def __init__(self, path: Path, delimiter: str, *, packed: bool) -> None:
        self._path, self._delimiter, self._packed = path, delimiter, packed

    def header(self) -> list[str]:
        """Return the names of the columns."""
        with self._open() as file:
            return self._header(_Lines(file, Position()))

    def total(self) -> int | None:
        """Return about how many rows there are: the lines behind the header; None for a packed file."""
        if self._packed:
            return None
        lines, ends = 0, True
        with self._open() as file:
            while block := file.read(_READ_AT_ONCE):
                lines += block.count(b"\n")
                ends = block.endswith(b"\n")
        return max(lines - 1 + (not ends), 0)

    def chunks(self, layout: Layout, start: Position, rows: int) -> Iterator[Chunk]:
        """Yield batches of at most so many rows, from a position that an earlier batch named."""
        with self._open() as file:
            lines = _Lines(file, Position())
            header = self._header(lines)
            check_columns(header, layout, self._path.name)
            if start.offset:
                file.seek(start.offset)
                lines = _Lines(file, start)
            batch = _Batch(layout, header)
            for line, values in self._records(lines):
                batch.add(line, values)
                if batch.rows == rows:
                    yield batch.chunk(lines.position)
                    batch = _Batch(layout, header)
            if batch.rows:
                yield batch.chunk(lines.position)

    def _header(self, lines: _Lines) -> list[str]:
        try:
            header = next(csv.reader(lines, strict=True, delimiter=self._delimiter), [])
        except csv.Error as error:
            raise InvalidInput("header_unreadable", f"{self._path.name} has no header: {error}.") from None
        if lines.broken:
            raise InvalidInput("file_not_utf8", f"The header of {self._path.name} is not UTF-8 text.")
        return header

    def _records(self, lines: _Lines) -> Iterator[tuple[int, list[str] | DomainError]]:
        reader = csv.reader(lines, strict=True, delimiter=self._delimiter)
        while True:
            line, lines.broken = lines.line + 1, False
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, InvalidInput("row_unreadable", f"No CSV: {error}.")
                continue
            if lines.broken:
                yield line, InvalidInput("not_utf8", "The row is not UTF-8 text.")
            elif values:
                yield line, values

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        try:
            with gzip.open(self._path) if self._packed else self._path.open("rb") as file:
                yield file  # type: ignore[misc]
        except (OSError, EOFError, zlib.error) as error:
            raise _unreadable(self._path, error) from None


class _Lines:
    """The lines of a file as text; knows where the next one begins, and whether one was not UTF-8 (`broken`)."""

    def __init__(self, file: IO[bytes], start: Position) -> None:
        self._read = partial(file.readline, _LONGEST_LINE)
        self._offset, self.line = start.offset, start.line
        self.broken = False

    @property
    def position(self) -> Position:
        return Position(offset=self._offset, line=self.line)

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        raw = self._read()
        if not raw:
            raise StopIteration
        if len(raw) == _LONGEST_LINE and not raw.endswith(b"\n"):
            raise InvalidInput("line_too_long", f"Line {self.line + 1} has {_LONGEST_LINE:,} bytes or more.")
        self._offset += len(raw)
        self.line += 1
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            self.broken = True
            return raw.decode(errors="surrogateescape")
        return text if self.line > 1 else text.removeprefix("\ufeff")


class _Batch:
    """Rows of a CSV file until they become a chunk."""

    def __init__(self, layout: Layout, header: Sequence[str]) -> None:
        self._layout, self._width = layout, len(header)
        self._places = [header.index(name) for name in (layout.id_column, *layout.attributes)]
        self._lines: list[int] = []
        self._values: list[list[str]] = []
        self._rejected: list[Rejected] = []
        self.rows = 0

    def add(self, line: int, values: list[str] | DomainError) -> None:
        self.rows += 1
        if isinstance(values, DomainError):
            self._rejected.append(_rejected(line, None, values))
        elif len(values) != self._width:
            message = f"The row has {len(values)} fields, the header {self._width}."
            self._rejected.append(_rejected(line, None, InvalidInput("field_count", message)))
        else:
            self._lines.append(line)
            self._values.append(values)

    def chunk(self, following: Position) -> Chunk:
        first, *others = self._places
        ids = [values[first] for values in self._values]
        cells = {}
        for name, place in zip(self._layout.attributes, others, strict=True):
            texts = pa.array([values[place] for values in self._values], type=pa.string())
            plain = partial(read_cell, kind=self._layout.types.get(name, "auto"))
            cells[name] = _coded(texts, self._layout.readers.get(name, plain))
        rows = _Rows(lines=self._lines, ids=ids, cells=cells, rejected=self._rejected)
        return _chunk(self._layout, rows, following)


class ParquetList:
    """Columns have types already; ids are text or whole numbers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = pq.ParquetFile(path, memory_map=True)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(path, error) from None

    def header(self) -> list[str]:
        """Return the names of the columns."""
        return list(self._file.schema_arrow.names)

    def total(self) -> int | None:
        """Return how many rows there are."""
        return int(self._file.metadata.num_rows)

    def chunks(self, layout: Layout, start: Position, rows: int) -> Iterator[Chunk]:
        """Yield batches of exactly so many rows but for the last, from a row that is a multiple of it."""
        check_columns(self.header(), layout, self._path.name)
        self._check_types(layout)
        row = start.offset
        for table in self._tables(layout, row, rows):
            lines = range(row + 1, row + 1 + table.num_rows)
            row += table.num_rows
            ids = [None if one is None else str(one) for one in _listed(table[layout.id_column])]
            cells = {
                name: _coded(table[name].combine_chunks(), layout.readers.get(name, read_value))
                for name in layout.attributes
            }
            yield _chunk(layout, _Rows(lines=lines, ids=ids, cells=cells, rejected=[]), Position(offset=row))

    def _check_types(self, layout: Layout) -> None:
        kind = self._file.schema_arrow.field(layout.id_column).type
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (_is_text(plain) or pa.types.is_integer(plain)):
            message = f"Ids are texts or whole numbers; column {layout.id_column!r} is of type {kind}."
            raise InvalidInput("id_column_type", message)
        for name in layout.attributes:
            if name in layout.types:
                message = f"{self._path.name} says itself of which types its columns are; {name!r} cannot be another."
                raise InvalidInput("type_declared", message)

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
        try:
            for batch in self._file.iter_batches(batch_size=min(rows, 65_536), row_groups=groups, columns=wanted):
                taken = pa.Table.from_batches([batch.slice(skipped)]) if skipped < batch.num_rows else None
                skipped = max(skipped - batch.num_rows, 0)
                if taken is None:
                    continue
                held = pa.concat_tables([held, taken.select(wanted)])
                while held.num_rows >= rows:
                    yield held.slice(0, rows)
                    held = held.slice(rows)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(self._path, error) from None
        if held.num_rows:
            yield held


@dataclass(frozen=True, slots=True, kw_only=True)
class _Coded:
    """A column, and why some of its values are no JSON (by code)."""

    column: Column
    refused: Mapping[int, DomainError]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Rows that could be read, and those that could not (`rejected`)."""

    lines: Sequence[int]
    ids: Sequence[str | None]
    cells: Mapping[str, _Coded]
    rejected: Sequence[Rejected]


def _coded(array: pa.Array, read: Callable[[Any], Any]) -> _Coded:
    """Read each distinct value once."""
    if pa.types.is_nested(array.type):
        raw = column_of(array.to_pylist())
        codes, distinct = raw.codes, raw.values
    else:
        encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode(null_encoding="encode")
        distinct = _listed(encoded.dictionary)
        nowhere = len(distinct)
        codes = encoded.indices.fill_null(nowhere).to_numpy(zero_copy_only=False).astype(np.int64)
        distinct = [*distinct, None]
    values, refused = [], {}
    for code, one in enumerate(distinct):
        value = None
        try:
            value = read(one) if one is not None else None
        except DomainError as refusal:
            refused[code] = refusal
        values.append(value)
    return _Coded(column=Column(codes=codes, values=values), refused=refused)


def _listed(array: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Text that is not UTF-8 comes with surrogates, which no check lets pass."""
    if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
        array = array.cast(pa.timestamp("us", array.type.tz), safe=False)
    try:
        listed: list[Any] = array.to_pylist()
    except UnicodeDecodeError:
        raw = array.cast(pa.large_string() if pa.types.is_large_string(array.type) else pa.string())
        binary = pa.large_binary() if pa.types.is_large_string(array.type) else pa.binary()
        listed = [one if one is None else one.decode(errors="surrogateescape") for one in raw.cast(binary).to_pylist()]
    return listed


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _chunk(layout: Layout, rows: _Rows, following: Position) -> Chunk:
    """Take the rows out that cannot be answered; each is told once, by the first thing that is wrong with it."""
    lines, ids, cells = rows.lines, rows.ids, rows.cells
    bad: dict[int, Rejected] = {}
    if not are_ids(ids):
        for row, unit_id in enumerate(ids):
            refusal = _id_refusal(unit_id)
            if refusal is not None:
                bad[row] = _rejected(lines[row], layout.id_column, refusal)
    for name, coded in cells.items():
        for code, refusal in coded.refused.items():
            for row in np.flatnonzero(coded.column.codes == code).tolist():
                bad.setdefault(row, _rejected(lines[row], name, refusal))
    columns = {name: coded.column for name, coded in cells.items()}
    good = [unit_id for row, unit_id in enumerate(ids) if row not in bad] if bad else ids
    if bad:
        lines = [line for row, line in enumerate(lines) if row not in bad]
        keep = np.ones(len(ids), dtype=np.bool_)
        keep[list(bad)] = False
        columns = {name: Column(codes=one.codes[keep], values=one.values) for name, one in columns.items()}
    return Chunk(
        ids=[unit_id for unit_id in good if unit_id is not None],
        lines=lines,
        columns=columns,
        rejected=sorted([*rows.rejected, *bad.values()], key=lambda one: one.line),
        next=following,
        kinds={name: kinds_of(column.values) for name, column in columns.items()},
    )


def _id_refusal(unit_id: str | None) -> DomainError | None:
    if not unit_id:
        return InvalidInput("id_invalid", "The id is missing.")
    if any("\udc80" <= one <= "\udcff" for one in unit_id):
        return InvalidInput("not_utf8", "The id is not UTF-8 text.")
    try:
        check_id(unit_id, "")
    except InvalidInput as refusal:
        return refusal
    return None


def _rejected(line: int, column: str | None, refusal: DomainError) -> Rejected:
    return Rejected(line=line, column=column, code=refusal.code, message=refusal.message)


def _unreadable(path: Path, error: Exception) -> InvalidInput:
    return InvalidInput("file_unreadable", f"{path.name} cannot be read: {error}.")
