"""A wide CSV file, one row per unit, read strictly: what cannot be read is a `BadRow` with its line in the file."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import math
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from experiments.domain.condition import compile_condition
from experiments.domain.errors import DomainError, InvalidInput
from experiments.domain.event import MAX_VALUE
from experiments.domain.names import check_id
from experiments.domain.segment import EVERYONE
from experiments.services.replaying.names import name_of
from experiments.services.replaying.plan import AttributeKind, ReplayPlan

Fields = Mapping[str, str]
_GZIP_MAGIC = b"\x1f\x8b"
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One unit: what it was shown, its outcomes as (event name, value), and what was `known` of it before.

    `id_in_file`: by which a person is asked for consent, and erased; None: the file names nobody.
    """

    number: int
    id_in_file: str | None
    unit_id: str
    attributes: Mapping[str, Any]
    segment: str
    variant: str
    outcomes: tuple[tuple[str, float], ...]
    known: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """Why a row cannot be read; `line` is where it starts in the file, counted from 1 as editors do."""

    line: int
    column: str | None
    code: str
    message: str


class WideFile:
    """Can be read again and again; after a whole reading `sha256` is that of the (unpacked) content."""

    def __init__(self, path: Path, plan: ReplayPlan) -> None:
        self._path = path
        self._plan = plan
        self.sha256: str | None = None

    def rows(self) -> Iterator[Row | BadRow]:
        """Raise InvalidInput where the file as a whole cannot be read or lacks a column."""
        digest = hashlib.sha256()
        self.sha256 = None
        try:
            with self._path.open("rb") as packed, _unpacked(packed) as content:
                text = io.TextIOWrapper(io.BufferedReader(_Hashed(content, digest)), encoding="utf-8-sig", newline="")
                yield from self._parse(text)
        except (OSError, EOFError, zlib.error) as error:
            raise InvalidInput("file_unreadable", f"{self._path.name} cannot be read: {error}.") from None
        except UnicodeDecodeError as error:
            raise InvalidInput("file_not_utf8", f"{self._path.name} is not UTF-8 text: {error.reason}.") from None
        self.sha256 = digest.hexdigest()

    def _parse(self, text: IO[str]) -> Iterator[Row | BadRow]:
        reader = csv.reader(text, strict=True)
        try:
            header = next(reader, [])
        except csv.Error as error:
            raise InvalidInput("header_unreadable", f"{self._path.name} has no header: {error}.") from None
        self._check_header(header)
        parse, number = _RowParser(self._plan), 0
        while True:
            line = reader.line_num + 1
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadRow(line=line, column=None, code="row_unreadable", message=f"No CSV: {error}.")
                continue
            if not values:
                continue
            number += 1
            if len(values) == len(header):
                yield parse(number, line, dict(zip(header, values, strict=True)))
            else:
                message = f"The row has {len(values)} fields, the header {len(header)}."
                yield BadRow(line=line, column=None, code="field_count", message=message)

    def _check_header(self, header: list[str]) -> None:
        for column in self._plan.columns:
            if header.count(column) != 1:
                found = "twice" if column in header else "nowhere"
                message = f"Column {column!r} stands {found} in the header of {self._path.name}."
                raise InvalidInput("column_missing", message)


class _RowParser:
    def __init__(self, plan: ReplayPlan) -> None:
        self._plan = plan
        self._key = plan.wish.key
        self._segments = [(compile_condition(segment.condition), segment.key) for segment in plan.segments]
        self._seen: dict[str, int] = {}

    def __call__(self, number: int, line: int, fields: Fields) -> Row | BadRow:
        column: str | None = None
        try:
            column = self._plan.unit_column
            id_in_file = self._id(line, fields)
            check_id(unit_id := name_of(self._key, id_in_file or str(number)), "")
            column = self._plan.variant_column
            variant = self._variant(fields[column])
            attributes: dict[str, Any] = {}
            for column, kind in self._plan.attributes.items():
                if fields[column] != "":
                    attributes[column] = _ATTRIBUTES[kind](fields[column])
            outcomes: list[tuple[str, float]] = []
            known: list[tuple[str, float]] = []
            for outcome in self._plan.outcomes:
                column = outcome.column
                if value := (_flag if outcome.is_flag else _number)(fields[column]):
                    (known if outcome.is_before else outcomes).append((column, float(value)))
        except DomainError as refusal:
            return BadRow(line=line, column=column, code=refusal.code, message=refusal.message)
        return Row(
            number=number,
            id_in_file=id_in_file,
            unit_id=unit_id,
            attributes=attributes,
            segment=self._segment(attributes),
            variant=variant,
            outcomes=tuple(outcomes),
            known=tuple(known),
        )

    def _id(self, line: int, fields: Fields) -> str | None:
        if self._plan.unit_column is None:
            return None
        unit_id = fields[self._plan.unit_column]
        if not unit_id:
            raise InvalidInput("id_invalid", "The id is missing.")
        if self._seen.setdefault(unit_id, line) != line:
            raise InvalidInput("unit_repeated", f"Unit {unit_id!r} stands on line {self._seen[unit_id]} already.")
        return unit_id

    def _variant(self, value: str) -> str:
        variant = self._plan.variants_by_value.get(value)
        if variant is None:
            known = ", ".join(self._plan.variants_by_value)
            raise InvalidInput("variant_unknown", f"The plan knows no variant {value!r}, only {known}.")
        return variant

    def _segment(self, attributes: Mapping[str, Any]) -> str:
        return next((key for matches, key in self._segments if matches(attributes)), EVERYONE)


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise InvalidInput("not_an_integer", f"{text!r} is no whole number.")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text) if "_" not in text else math.nan
    except ValueError:
        value = _WORDS.get(text.lower(), math.nan)
    if not abs(value) <= MAX_VALUE:
        raise InvalidInput("not_a_number", f"{text!r} is no number between ±{MAX_VALUE:.0e}.")
    return value


def _flag(text: str) -> bool:
    found = _WORDS.get(text.lower())
    if found is None:
        raise InvalidInput("not_a_flag", f"{text!r} is neither 0 or 1 nor true or false.")
    return found


_WORDS = {"0": False, "1": True, "false": False, "true": True}
_ATTRIBUTES: Mapping[AttributeKind, Callable[[str], Any]] = {
    "integer": _integer,
    "number": _number,
    "text": str,
    "boolean": _flag,
}


def _unpacked(packed: IO[bytes]) -> IO[bytes]:
    magic = packed.read(2)
    packed.seek(0)
    return gzip.GzipFile(fileobj=packed) if magic == _GZIP_MAGIC else packed  # type: ignore[return-value]


class _Hashed(io.RawIOBase):
    """Passes bytes through and hashes them on the way."""

    def __init__(self, content: IO[bytes], digest: Any) -> None:
        self._content = content
        self._digest = digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._content.read(len(buffer))
        buffer[: len(chunk)] = chunk
        self._digest.update(chunk)
        return len(chunk)
