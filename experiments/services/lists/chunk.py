"""Batches of a list, whatever it is read from: rows that are fit, a column at a time, and why others are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from experiments.domain.errors import DomainError, InvalidInput
from experiments.domain.names import are_ids, check_id
from experiments.services.assigning.bulk import Column, Whole, column_of
from experiments.services.lists.cells import Kind, kinds_of

_SEPARATORS = {";": "';'", "\t": r"'\t'", "|": "'|'", ",": ","}
"""What stands between columns, as it is typed."""
_NO_SUCH_VALUE = (LookupError, OverflowError, ValueError)
"""What reading raises where Python has no such value; zones are looked up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Why a row has no answer; `line` is where it starts, counted from 1 as editors do (Parquet: the row).

    `lines`: how many it takes in, by a quote that is not closed in its first; each of them may have been a row.
    """

    line: int
    column: str | None
    code: str
    message: str
    lines: int = 1


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

    @property
    def rows_rejected(self) -> int:
        """How many rows have no answer: all lines that a broken one takes in count."""
        return sum(one.lines for one in self.rejected)


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

    def check(self, layout: Layout) -> None:
        """Refuse a list whose columns are unfit, before a row of it is used. Raises InvalidInput."""

    def chunks(self, layout: Layout, start: Position, rows: int) -> Iterator[Chunk]: ...


def check_columns(header: Sequence[str], layout: Layout, name: str) -> None:
    """Refuse a file in which a column that is looked at stands nowhere, or twice."""
    check_id_column(header, layout.id_column, name, layout.delimiter)
    for column in layout.attributes:
        if header.count(column) != 1:
            raise InvalidInput("column_missing", _misplaced(header, column, name))


def check_id_column(header: Sequence[str], column: str, name: str, delimiter: str = "") -> None:
    """Refuse a file in which the ids stand nowhere, or twice; `delimiter`: where its header was cut, if it was."""
    if header.count(column) != 1:
        hint = _other_separator(header, delimiter) or "--id-column says which one has the ids."
        raise InvalidInput("column_missing", f"{_misplaced(header, column, name)} {hint}")


def _misplaced(header: Sequence[str], column: str, name: str) -> str:
    return f"Column {column!r} stands {'twice' if column in header else 'nowhere'} in {name}."


def _other_separator(header: Sequence[str], delimiter: str) -> str:
    found = [one for one in _SEPARATORS if one in header[0] and one != delimiter] if len(header) == 1 else []
    if not delimiter or not found:
        return ""
    typed = _SEPARATORS[max(found, key=header[0].count)]
    return f"Its header is a single column, with {typed} in it: --delimiter {typed} cuts it there."


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """A column, and why some of its values are no JSON (by code)."""

    column: Column
    refused: Mapping[int, DomainError]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows that could be read, and those that could not (`rejected`); `long`: lines of those rows that take several."""

    lines: Sequence[int]
    ids: Sequence[str | None]
    cells: Mapping[str, Coded]
    rejected: Sequence[Rejected]
    long: Mapping[int, int] = field(default_factory=dict)


def coded(array: pa.Array, read: Callable[[Any], Any]) -> Coded:
    """Read each distinct value once."""
    if pa.types.is_nested(array.type):
        return coded_values(listed(array), read)
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode(null_encoding="encode")
    distinct = listed(encoded.dictionary)
    codes = encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False).astype(np.int64)
    return _read(codes, [*distinct, None], read)


def coded_values(values: Sequence[Any], read: Callable[[Any], Any]) -> Coded:
    """The same for values in Python."""
    raw = column_of(values)
    return _read(raw.codes, raw.values, read)


def _read(codes: Whole, distinct: Sequence[Any], read: Callable[[Any], Any]) -> Coded:
    values, refused = [], {}
    for code, one in enumerate(distinct):
        value = None
        try:
            value = read(one) if one is not None else None
        except DomainError as refusal:
            refused[code] = refusal
        values.append(value)
    return Coded(column=Column(codes=codes, values=values), refused=refused)


def listed(array: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Text that is not UTF-8 comes with surrogates, and what Python has not as it is: no check lets these pass."""
    if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
        array = array.cast(pa.timestamp("us", array.type.tz), safe=False)
    try:
        listed: list[Any] = array.to_pylist()
    except _NO_SUCH_VALUE as trouble:
        is_text = isinstance(trouble, UnicodeDecodeError) and not pa.types.is_nested(array.type)
        listed = _decoded(array) if is_text else [_told(one) for one in array]
    return listed


def _decoded(array: pa.Array | pa.ChunkedArray) -> list[str | None]:
    raw = array.cast(pa.large_string() if pa.types.is_large_string(array.type) else pa.string())
    binary = pa.large_binary() if pa.types.is_large_string(array.type) else pa.binary()
    return [one if one is None else one.decode(errors="surrogateescape") for one in raw.cast(binary).to_pylist()]


def _told(scalar: pa.Scalar) -> Any:
    """Return the value, or the scalar itself where Python has no such value: a day after 9999, an unknown zone."""
    try:
        return scalar.as_py()
    except _NO_SUCH_VALUE:
        return scalar


def is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def chunk_of(layout: Layout, rows: Rows, following: Position) -> Chunk:
    """Take the rows out that cannot be answered; each is told once, by the first thing that is wrong with it."""
    lines, ids, cells = rows.lines, rows.ids, rows.cells
    bad: dict[int, Rejected] = {}

    def reject(row: int, column: str, refusal: DomainError) -> None:
        bad.setdefault(row, rejection(lines[row], column, refusal, rows.long.get(row, 1)))

    if not are_ids(ids):
        for row, unit_id in enumerate(ids):
            refusal = _id_refusal(unit_id)
            if refusal is not None:
                reject(row, layout.id_column, refusal)
    for name, coded in cells.items():
        for code, refusal in coded.refused.items():
            for row in np.flatnonzero(coded.column.codes == code).tolist():
                reject(row, name, refusal)
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


def rejection(line: int, column: str | None, refusal: DomainError, lines: int = 1) -> Rejected:
    """Tell of a row; of one that takes in several lines, which these are."""
    message = refusal.message
    if lines > 1:
        message += f" A quote makes one row of lines {line:,} to {line + lines - 1:,}."
    return Rejected(line=line, column=column, code=refusal.code, message=message, lines=lines)


def unreadable(path: Path, error: Exception) -> InvalidInput:
    return InvalidInput("file_unreadable", f"{path.name} cannot be read: {error}.")
