"""Customers from a file or a query, taken over into their profiles: one row per unit, typed by the registry."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.errors import InvalidInput
from experiments.domain.nearest import did_you_mean
from experiments.domain.profile import Registry
from experiments.services.collector import held_back
from experiments.services.identity.joined import joined
from experiments.services.lists.cells import Kind, read_cell, read_value
from experiments.services.lists.file import Chunk, Layout, ListFile, Position, Rejected, check_id_column, open_list
from experiments.services.lists.query import Query, QueryList
from experiments.services.ports import Clock, OpenUnitOfWork
from experiments.services.profiles.profiles import ChangeStatus, Profiles, ProfileVerdict, SaidColumns, check_at
from experiments.services.profiles.registry_read import read_registry

BATCH = 40_000
"""Rows that are stored together."""
_KINDS: Mapping[AttributeType, Kind] = {AttributeType.NUMBER: "number", AttributeType.BOOLEAN: "boolean"}

Progress = Callable[[int, int | None], None]
"""(rows done, rows there are about)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportWish:
    """A file or a query is read. `columns`: column -> attribute, where a column is not called like its attribute.

    `at`: since when it is so, which does not lie ahead; None: since the file was written, so that the same file again
    says nothing new; of a query, since now.
    """

    source: str
    path: Path | None = None
    query: Query | None = None
    id_column: str = "unit_id"
    columns: Mapping[str, str] = field(default_factory=dict)
    at: datetime | None = None
    delimiter: str = ","
    most_bad_rows: int = 100

    def __post_init__(self) -> None:
        if (self.path is None) is (self.query is None):
            raise ValueError("either a file or a query is read")

    @property
    def name(self) -> str:
        """What is read, for people."""
        return "the query" if self.path is None else self.path.name

    def open(self) -> ListFile:
        """Raises InvalidInput for a file that cannot be read."""
        if self.query is not None:
            return QueryList(self.query)
        assert self.path is not None
        return open_list(self.path, self.delimiter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """How many rows came to what; `bad_rows` are the first of those that were rejected.

    `joined`: how many of them name an id that was joined to another one, whose own profile is not read any more, and
    `joined_lines` where the first of these stand.
    """

    rows: int
    accepted: int
    unchanged: int
    outdated: int
    rejected: int
    attributes: tuple[str, ...]
    left_out: tuple[str, ...]
    bad_rows: tuple[Rejected, ...]
    joined: int
    joined_lines: tuple[int, ...]


class CustomerImporter:
    """Stores batch by batch. Ended at any moment and started again, it finds what is stored unchanged and goes on."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork, profiles: Profiles, clock: Clock) -> None:
        self._open = open_unit_of_work
        self._profiles = profiles
        self._clock = clock

    def run(self, wish: ImportWish, progress: Progress = lambda done, total: None) -> Imported:
        """Raise InvalidInput, and store nothing, where source, columns, `at` or the file as a whole are unfit.

        A row that is unfit is rejected by itself. An empty cell says nothing about its attribute.
        """
        file = wish.open()
        with self._open(read_only=True) as work:
            registry = read_registry(work)
        named = _named(wish, file.header(), registry)
        at = self._at(wish)
        counts: Counter[ChangeStatus] = Counter()
        bad: list[Rejected] = []
        unread: list[int] = []
        total = file.total()
        for chunk in _ahead(_chunks(file, wish, named)):
            counts[ChangeStatus.REJECTED] += chunk.rows_rejected
            lines, said = _said(chunk, wish.source, named, at, registry)
            counts[ChangeStatus.UNCHANGED] += len(chunk.ids) - len(said.unit_ids)
            with held_back():
                verdicts = self._profiles.upsert_columns(said)
            unread += self._joined(lines, said)
            counts[ChangeStatus.ACCEPTED] += verdicts.new
            counts[ChangeStatus.UNCHANGED] += verdicts.same
            counts.update(verdict.status for verdict in verdicts.others.values())
            rejected = sorted([*chunk.rejected, *_refusals(lines, verdicts.others)], key=lambda row: row.line)
            bad += rejected[: wish.most_bad_rows - len(bad)]
            progress(counts.total(), total)
        return Imported(
            rows=counts.total(),
            accepted=counts[ChangeStatus.ACCEPTED],
            unchanged=counts[ChangeStatus.UNCHANGED],
            outdated=counts[ChangeStatus.OUTDATED],
            rejected=counts[ChangeStatus.REJECTED],
            attributes=tuple(one.key for one in named.values()),
            left_out=tuple(column for column in file.header() if column not in named and column != wish.id_column),
            bad_rows=tuple(bad),
            joined=len(unread),
            joined_lines=tuple(unread[: wish.most_bad_rows]),
        )

    def _joined(self, lines: Sequence[int], said: SaidColumns) -> list[int]:
        """Return on which lines something is said of an id that was joined to another one."""
        with self._open(read_only=True) as work:
            others = joined(work, said.unit_ids)
        return [line for line, unit_id in zip(lines, said.unit_ids, strict=True) if unit_id in others] if others else []

    def _at(self, wish: ImportWish) -> datetime:
        now = self._clock()
        if wish.at is None and wish.path is None:
            return now
        if wish.at is None:
            assert wish.path is not None
            return min(datetime.fromtimestamp(wish.path.stat().st_mtime, UTC), now)
        check_at(wish.at, now)
        return wish.at


def _named(wish: ImportWish, header: Sequence[str], registry: Registry) -> dict[str, Attribute]:
    """Return column -> attribute, for the columns that have one."""
    if wish.source not in registry.precedence:
        raise InvalidInput(
            "source_unknown",
            f"There is no source {wish.source!r}: register it first (`winnow sources add`)."
            + did_you_mean(wish.source, registry.precedence),
            path="/source",
        )
    check_id_column(header, wish.id_column, wish.name, wish.delimiter if wish.path else "")
    named = {}
    for column in dict.fromkeys((*wish.columns, *header)):
        key = wish.columns.get(column, column)
        attribute = registry.attributes.get(key)
        if attribute is None and column in wish.columns:
            told = f"There is no attribute {key!r}: register it first (`winnow attributes add`)."
            hint = did_you_mean(key, registry.attributes)
            raise InvalidInput("attribute_unknown", told + hint, path="/columns")
        if attribute is None or column == wish.id_column:
            continue
        if not attribute.takes_from(wish.source):
            message = f"{wish.source!r} is no source of {key!r}: only {' and '.join(attribute.sources)} may say it."
            raise InvalidInput("attribute_of_others", message, path="/columns")
        named[column] = attribute
    keys = [attribute.key for attribute in named.values()]
    if not keys:
        told = (
            f"No column of {wish.name} is called like an attribute: register one first (`winnow attributes add`), or "
            "say which column is which (`--column COLUMN=ATTRIBUTE`)."
        )
        raise InvalidInput("columns_unknown", told)
    if len(set(keys)) < len(keys):
        raise InvalidInput("attribute_repeated", "Two columns are one attribute.", path="/columns")
    return named


def _chunks(file: ListFile, wish: ImportWish, named: Mapping[str, Attribute]) -> Iterator[Chunk]:
    layout = Layout(
        id_column=wish.id_column,
        attributes=tuple(named),
        types={},
        delimiter=wish.delimiter,
        readers={column: partial(read_as, attribute) for column, attribute in named.items()},
    )
    return file.chunks(layout, Position(), BATCH)


def _ahead(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Read the next while one is stored: the database does most of the work then, and we wait."""
    with ThreadPoolExecutor(1) as reading:
        coming = reading.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = reading.submit(next, chunks, None)
            yield chunk


def read_as(attribute: Attribute, cell: Any) -> Any:
    """Return the value of a cell, None for an empty one. Raises InvalidInput, which does not repeat what is there."""
    try:
        value = _of_text(attribute.type, cell) if isinstance(cell, str) else read_value(_meant(attribute.type, cell))
    except InvalidInput:
        value = _unfit(attribute.type, cell)  # of which the check says what is wrong, without its text
    if value is not None:
        attribute.check(value, "")
    return value


def _meant(kind: AttributeType, cell: Any) -> Any:
    """Databases without booleans say 0 and 1, those without days midnights."""
    if kind is AttributeType.BOOLEAN and type(cell) is int and cell in (0, 1):
        return bool(cell)
    if kind is AttributeType.DATE and isinstance(cell, datetime) and cell.time() == time() and cell.tzinfo is None:
        return cell.date()
    return cell


def _unfit(kind: AttributeType, cell: Any) -> Any:
    """Let 1e309 and nan be the numbers they are, so that they are not called texts."""
    try:
        number = float(cell) if kind is AttributeType.NUMBER and isinstance(cell, str) else 0.0
    except ValueError:
        return cell
    return cell if math.isfinite(number) else number


def _of_text(kind: AttributeType, text: str) -> Any:
    if kind is not AttributeType.TEXTS or not text:
        return read_cell(text, _KINDS.get(kind, "text"))
    try:
        return json.loads(text) if text.startswith("[") else text.split("|")
    except (ValueError, RecursionError):
        return text


def _said(
    chunk: Chunk, source: str, named: Mapping[str, Attribute], at: datetime, registry: Registry
) -> tuple[Sequence[int], SaidColumns]:
    """Return what the rows say, and on which lines; rows that say nothing at all are left out."""
    tells = np.zeros(len(chunk.ids), np.bool_)
    for column in (chunk.columns[name] for name in named):
        tells |= np.array([value is not None for value in column.values], np.bool_)[column.codes]
    places = None if tells.all() else np.flatnonzero(tells)
    chosen = [] if places is None else places.tolist()
    columns = {}
    for name, attribute in named.items():
        codes = chunk.columns[name].codes
        columns[attribute.key] = (codes if places is None else codes[places]).tolist(), chunk.columns[name].values
    said = SaidColumns(
        source=source,
        at=at,
        unit_ids=chunk.ids if places is None else [chunk.ids[place] for place in chosen],
        columns=columns,
        checked_by=registry,
    )
    return chunk.lines if places is None else [chunk.lines[place] for place in chosen], said


def _refusals(lines: Sequence[int], verdicts: Mapping[int, ProfileVerdict]) -> list[Rejected]:
    """Tell of rows that were read and yet not taken: without consent, or the registry was edited meanwhile."""
    return [
        Rejected(line=lines[place], column=None, code=verdict.code or "", message=_told(verdict))
        for place, verdict in verdicts.items()
        if verdict.status is ChangeStatus.REJECTED
    ]


def _told(verdict: ProfileVerdict) -> str:
    return str(verdict.message) if verdict.code == "no_consent" else f"{verdict.path}: {verdict.message}"
