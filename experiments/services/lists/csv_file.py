"""Lists as CSV: strict, in UTF-8, with a header; lines that are plain are read a column at a time."""

from __future__ import annotations

import csv
import gzip
import zlib
from codecs import BOM_UTF8
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.csv as pc

from experiments.domain.errors import DomainError, InvalidInput
from experiments.services.lists.cells import read_cell
from experiments.services.lists.chunk import (
    Chunk,
    Layout,
    Position,
    Rejected,
    Rows,
    check_columns,
    chunk_of,
    coded,
    rejection,
    unreadable,
)

_LONGEST_LINE = 1 << 24
_READ_AT_ONCE = 1 << 20


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

    def check(self, layout: Layout) -> None:
        """Refuse a file in which a column is missing."""
        check_columns(self.header(), layout, self._path.name)

    def chunks(self, layout: Layout, start: Position, rows: int) -> Iterator[Chunk]:
        """Yield batches of at most so many rows, from a position that an earlier batch named."""
        with self._open() as file:
            lines = _Lines(file, Position())
            header = self._header(lines)
            check_columns(header, layout, self._path.name)
            if start.offset:
                file.seek(start.offset)
                lines = _Lines(file, start)
            position, source = lines.position, _Source(file)
            while raw := source.take(rows):
                chunk = _plain_chunk(raw, layout, header, position)
                if chunk is None:
                    source.give_back(raw)
                    chunk = self._chunk(source, layout, header, position, rows)
                if chunk is None:
                    return
                position = chunk.next
                yield chunk

    def _chunk(
        self, source: _Source, layout: Layout, header: Sequence[str], start: Position, rows: int
    ) -> Chunk | None:
        """Read record by record what is not plain: quoted, broken, or of another width; None: nothing is left."""
        lines, batch = _Lines(source, start), _Batch(layout, header)
        for record in self._records(lines):
            batch.add(record)
            if batch.rows == rows:
                break
        return batch.chunk(lines.position) if batch.rows else None

    def _header(self, lines: _Lines) -> list[str]:
        try:
            header = next(csv.reader(lines, strict=True, delimiter=self._delimiter), [])
        except csv.Error as error:
            raise InvalidInput("header_unreadable", f"{self._path.name} has no header: {_told(error)}.") from None
        if lines.broken:
            raise InvalidInput("file_not_utf8", f"The header of {self._path.name} is not UTF-8 text.")
        if not header:
            found = "first line is empty: it names the columns" if lines.line else "file is empty"
            raise InvalidInput("header_missing", f"{self._path.name} has no header: the {found}.")
        return header

    def _records(self, lines: _Lines) -> Iterator[_Record]:
        reader = csv.reader(lines, strict=True, delimiter=self._delimiter)
        while True:
            before, lines.broken = lines.line, False
            values: list[str] | DomainError
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                values = InvalidInput("row_unreadable", f"No CSV: {_told(error)}.")
            else:
                if lines.broken:
                    values = InvalidInput("not_utf8", "The row is not UTF-8 text.")
            if values:
                yield _Record(before + 1, lines.line - before, values)

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        try:
            with gzip.open(self._path) if self._packed else self._path.open("rb") as file:
                yield file  # type: ignore[misc]
        except (OSError, EOFError, zlib.error) as error:
            raise unreadable(self._path, error) from None


def _told(error: csv.Error) -> str:
    """Return what is wrong in the words of who has the file; Python tells of carriage returns what programs may do."""
    told = str(error)
    if told.startswith("new-line character"):
        told = (
            "a carriage return (CR) stands alone outside of quotes; lines end with a line feed (LF) or with CR and LF"
        )
    return told


class _Source:
    """The lines of a file as bytes; those that were taken can be given back."""

    def __init__(self, file: IO[bytes]) -> None:
        self._read = partial(file.readline, _LONGEST_LINE)
        self._held: deque[bytes] = deque()

    def readline(self, _most: int) -> bytes:
        return self._held.popleft() if self._held else self._read()

    def take(self, most: int) -> list[bytes]:
        held = [self._held.popleft() for _ in range(min(most, len(self._held)))]
        return held + list(islice(iter(self._read, b""), most - len(held)))

    def give_back(self, lines: Sequence[bytes]) -> None:
        self._held.extendleft(reversed(lines))


class _Lines:
    """The lines of a file as text; knows where the next one begins, and whether one was not UTF-8 (`broken`)."""

    def __init__(self, file: IO[bytes] | _Source, start: Position) -> None:
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


class _Record(NamedTuple):
    """A row with the lines that it takes in, or why it is none."""

    line: int
    lines: int
    values: list[str] | DomainError


class _Batch:
    """Rows of a CSV file until they become a chunk."""

    def __init__(self, layout: Layout, header: Sequence[str]) -> None:
        self._layout, self._width = layout, len(header)
        self._places = [header.index(name) for name in (layout.id_column, *layout.attributes)]
        self._lines: list[int] = []
        self._long: dict[int, int] = {}
        self._values: list[list[str]] = []
        self._rejected: list[Rejected] = []
        self.rows = 0

    def add(self, record: _Record) -> None:
        self.rows += 1
        line, lines, values = record
        if isinstance(values, DomainError):
            self._rejected.append(rejection(line, None, values, lines))
        elif len(values) != self._width:
            message = f"The row has {len(values)} fields, the header {self._width}."
            self._rejected.append(rejection(line, None, InvalidInput("field_count", message), lines))
        else:
            if lines > 1:
                self._long[len(self._lines)] = lines
            self._lines.append(line)
            self._values.append(values)

    def chunk(self, following: Position) -> Chunk:
        first, *others = self._places
        ids = [values[first] for values in self._values]
        cells = {}
        for name, place in zip(self._layout.attributes, others, strict=True):
            texts = pa.array([values[place] for values in self._values], type=pa.string())
            cells[name] = coded(texts, _reader(self._layout, name))
        rows = Rows(lines=self._lines, ids=ids, cells=cells, rejected=self._rejected, long=self._long)
        return chunk_of(self._layout, rows, following)


def _plain_chunk(raw: Sequence[bytes], layout: Layout, header: Sequence[str], start: Position) -> Chunk | None:
    """Read lines as columns; None where one is not plain, or is not a row of its own: then they need a closer look."""
    block = b"".join(raw)
    text = block.replace(b"\r\n", b"\n")
    plain = len(text) < _LONGEST_LINE and not any(one in text for one in (b'"', b"\r", b"\n\n", b"\0"))
    plain = plain and max(map(len, raw)) <= csv.field_size_limit()  # longer ones are refused, beside whatever they are
    if not plain or text.startswith((b"\n", BOM_UTF8)) or not layout.delimiter.isascii():
        return None
    try:
        text.decode()
    except UnicodeDecodeError:
        return None
    names = [str(place) for place in range(len(header))]
    wanted = {name: names[header.index(name)] for name in (layout.id_column, *layout.attributes)}
    try:
        table = pc.read_csv(
            pa.BufferReader(text),
            pc.ReadOptions(column_names=names, block_size=len(text) + 1, use_threads=False),
            pc.ParseOptions(delimiter=layout.delimiter, quote_char=False, ignore_empty_lines=False),
            pc.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), include_columns=list(set(wanted.values()))
            ),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows != len(raw):
        return None
    cells = {name: table[wanted[name]].combine_chunks() for name in layout.attributes}
    return chunk_of(
        layout,
        Rows(
            lines=range(start.line + 1, start.line + 1 + len(raw)),
            ids=table[wanted[layout.id_column]].to_pylist(),
            cells={name: coded(texts, _reader(layout, name)) for name, texts in cells.items()},
            rejected=[],
        ),
        Position(offset=start.offset + len(block), line=start.line + len(raw)),
    )


def _reader(layout: Layout, name: str) -> Callable[[Any], Any]:
    """Return what reads a cell of CSV."""
    return layout.readers.get(name) or partial(read_cell, kind=layout.types.get(name, "auto"))
