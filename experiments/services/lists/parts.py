"""What a run over a list has done so far: one part per batch beside the output, put together when all are there.

A part counts once its record is there, and every file is written under another name first and renamed when it is on the
disk: whatever moment a run is ended at, what it leaves is whole, and the output appears all at once.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from experiments.domain.assignment import Assignment, Reason
from experiments.domain.errors import InvalidInput
from experiments.services.assigning.bulk import Whole
from experiments.services.lists.file import Position, Rejected
from experiments.services.lists.shown import Shown, count_shown

COLUMNS = ("unit_id", "experiment", "version", "epoch", "segment", "variant", "reason", "counted", "content")
_MARK = "Made by winnow assign; it goes when the list is done.\n"
"""Stands in the lock: what shows that the folder is ours before there is a manifest, and after."""
_MANIFEST_OF_OURS = frozenset({"format", "input", "experiment", "options"})
_FILE_OF_OURS = re.compile(r"(lock|((manifest\.json|whole|\d{6,}\.(csv|parquet|rejected|exposed|json))(\.tmp)?))")
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_REJECTED = ("line", "column", "code", "message")
_SCHEMA = pa.schema(
    [
        ("unit_id", pa.string()),
        ("experiment", pa.string()),
        ("version", pa.int32()),
        ("epoch", pa.int32()),
        ("segment", pa.string()),
        ("variant", pa.string()),
        ("reason", pa.string()),
        ("counted", pa.bool_()),
        ("content", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The record of one batch: what became of its rows, and where the next one begins."""

    rows: int
    assigned: int
    rejected: int
    exposed: int
    next: Position
    kinds: Mapping[str, Sequence[str]]


class Output(Protocol):
    """How answers are written: as parts, and parts as one file."""

    suffix: str

    def part(self, ids: Sequence[str], found: Whole) -> bytes: ...

    def corrected(self, part: bytes, is_wrong: Callable[[str], bool], answer: int) -> bytes:
        """Return a part of an earlier run with that answer for the ids whose own is not right any more."""

    def join(self, parts: Iterator[Path], into: IO[bytes]) -> None: ...


class PartFolder:
    """The folder `OUT.parts`, which one run at a time works in."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._folder = out.with_name(out.name + ".parts")
        self.rejected_file = out.with_name(out.name + ".rejected.csv")

    @property
    def name(self) -> str:
        return self._folder.name

    def exists(self) -> bool:
        """Say whether an earlier run has begun and not come to its end."""
        return self._manifest.exists()

    def check_apart(self, source: Path) -> None:
        """Refuse to write where the list itself is."""
        for path in (self._out, self.rejected_file):
            if path.exists() and path.samefile(source):
                told = f"{path.name}, which is written, is the list itself: name another file with -o."
                raise InvalidInput("output_is_input", told)
        if source.resolve().is_relative_to(self._folder.resolve()):
            told = f"{source.name} lies in {self.name}, which goes when the list is done: name another file with -o."
            raise InvalidInput("output_is_input", told)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs with the same output away while the block runs. Refuses a folder that somebody else made."""
        if not self._is_ours():
            told = f"{self.name} is there and not of a list that is being assigned: move it, or name another with -o."
            raise InvalidInput("parts_not_ours", told)
        self._folder.mkdir(exist_ok=True)
        with self._lock.open("a", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InvalidInput("already_running", f"Another run is writing {self._out.name}.") from None
            if not lock.tell():
                lock.write(_MARK)
                lock.flush()
            try:
                yield
            finally:
                if not self.exists():
                    self._remove()

    def clear(self) -> None:
        """Forget what was done."""
        # The manifest first: without it, nothing else that is left counts.
        self._manifest.unlink(missing_ok=True)
        for path in list(self._folder.iterdir()):
            if path != self._lock and _FILE_OF_OURS.fullmatch(path.name):
                path.unlink()

    def _is_ours(self) -> bool:
        """Say whether there is no such folder, or one that a run made, whenever it may have been ended."""
        if not self._folder.is_dir() or self._folder.is_symlink():
            return not os.path.lexists(self._folder)
        names = {path.name for path in self._folder.iterdir()}
        if self._lock.is_file():
            written = self._lock.read_bytes()
            if written == _MARK.encode() or (not written and names == {self._lock.name}):
                return True
        return not names or (self.exists() and self._has_manifest_of_ours())

    def _has_manifest_of_ours(self) -> bool:
        try:
            told = self.manifest()
        except InvalidInput:
            return False
        return isinstance(told, dict) and told.keys() >= _MANIFEST_OF_OURS

    def _remove(self) -> None:
        """What others have put there stays, and with it the folder."""
        self.clear()
        self._lock.unlink()
        if not any(self._folder.iterdir()):
            self._folder.rmdir()

    def manifest(self) -> dict[str, Any]:
        """Return what the run that has begun here was about."""
        try:
            told: dict[str, Any] = json.loads(self._manifest.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InvalidInput("parts_unreadable", f"{self.name} cannot be read: {error}.") from None
        return told

    def begin(self, manifest: Mapping[str, Any]) -> None:
        """Say what this run is about."""
        _put(self._manifest, lambda file: file.write(_json(manifest)))

    def parts(self) -> list[Part]:
        """Return the records of all batches that are done, in order."""
        found: list[Part] = []
        while (record := self._path(len(found), "json")).exists():
            told = json.loads(record.read_text(encoding="utf-8"))
            found.append(Part(**{**told, "next": Position(**told["next"])}))
        return found

    def add(
        self, number: int, part: Part, body: bytes, rejected: Sequence[Rejected], suffix: str, *, exposed: Shown
    ) -> None:
        """Keep a batch; it is done when this returns."""
        _put(self._path(number, suffix), lambda file: file.write(body))
        if rejected:
            lines = [(one.line, one.column, one.code, one.message) for one in rejected]
            _put(self._path(number, "rejected"), lambda file: file.write(_csv(lines)))
        if len(exposed):
            _put(self._path(number, "exposed"), lambda file: file.write(exposed.tobytes()))
        _put(self._path(number, "json"), lambda file: file.write(_json(asdict(part))))

    def correct(self, parts: Sequence[Part], suffix: str, corrected: Callable[[bytes], bytes]) -> None:
        """Exchange what is not right any more of the parts that are done; each is whole at any moment."""
        for number in range(len(parts)):
            path = self._path(number, suffix)
            before = path.read_bytes()
            after = corrected(before)
            if after != before:
                _put(path, partial(_write, after))

    def exposed(self, parts: Sequence[Part]) -> int:
        """Count the exposures of all parts, each once in however many it is."""
        return count_shown([self._path(number, "exposed") for number, part in enumerate(parts) if part.exposed])

    def finish(self, parts: Sequence[Part], output: Output) -> None:
        """Put the parts together, in the place of what may have stood there, and clear up."""
        if any(part.rejected for part in parts):
            refused = (self._path(number, "rejected") for number, part in enumerate(parts) if part.rejected)
            self._place(self.rejected_file, lambda file: _join(_csv([_REJECTED]), refused, file))
        else:
            self.rejected_file.unlink(missing_ok=True)
        paths = (self._path(number, output.suffix) for number in range(len(parts)))
        self._place(self._out, lambda file: output.join(paths, file))
        self.clear()

    def _place(self, final: Path, write: Callable[[IO[bytes]], object]) -> None:
        whole = self._folder / "whole"
        _put(whole, write)
        whole.replace(final)
        _sync(final.parent)

    @property
    def _lock(self) -> Path:
        return self._folder / "lock"

    @property
    def _manifest(self) -> Path:
        return self._folder / "manifest.json"

    def _path(self, number: int, suffix: str) -> Path:
        return self._folder / f"{number:06d}.{suffix}"


class CsvOutput:
    """Every answer's columns are written out once."""

    suffix = "csv"

    def __init__(self, answers: Sequence[Assignment], delimiter: str) -> None:
        self._delimiter = delimiter
        rows = [columns_of(answer) for answer in answers]
        self._tails = [_csv([("", *("" if one is None else _word(one) for one in row))], delimiter) for row in rows]

    def part(self, ids: Sequence[str], found: Whole) -> bytes:
        """Return the rows of one batch."""
        tails = [tail.decode() for tail in self._tails]
        texts = [self._quoted(unit_id) for unit_id in ids] if self._is_special("".join(ids)) else ids
        return "".join([text + tails[one] for text, one in zip(texts, found.tolist(), strict=True)]).encode()

    def corrected(self, part: bytes, is_wrong: Callable[[str], bool], answer: int) -> bytes:
        """Look at each line: neither ids nor contents have line breaks."""
        tail = self._tails[answer].decode()
        lines = [(self._id_of(line), line) for line in part.decode().split("\n")[:-1]]
        return "".join(self._quoted(i) + tail if is_wrong(i) else line + "\n" for i, line in lines).encode()

    def join(self, parts: Iterator[Path], into: IO[bytes]) -> None:
        """Write the header and all parts."""
        _join(_csv([COLUMNS], self._delimiter), parts, into)

    def _is_special(self, text: str) -> bool:
        return '"' in text or self._delimiter in text

    def _quoted(self, text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if self._is_special(text) else text

    def _id_of(self, line: str) -> str:
        quoted = _QUOTED.match(line)
        return quoted[1].replace('""', '"') if quoted else line.partition(self._delimiter)[0]


class ParquetOutput:
    """A row group per batch."""

    suffix = "parquet"

    def __init__(self, answers: Sequence[Assignment]) -> None:
        columns = zip(*(columns_of(answer) for answer in answers), strict=True)
        self._answers = pa.table(list(map(list, columns)), schema=pa.schema(list(_SCHEMA)[1:]))

    def part(self, ids: Sequence[str], found: Whole) -> bytes:
        """Return one batch as a file."""
        answers = self._answers.take(pa.array(found))
        return _as_file(answers.add_column(0, _SCHEMA.field("unit_id"), pa.array(ids, type=pa.string())))

    def corrected(self, part: bytes, is_wrong: Callable[[str], bool], answer: int) -> bytes:
        """Exchange all columns but the ids."""
        table = pq.read_table(io.BytesIO(part))
        ids = table["unit_id"]
        wrong = pa.array(map(is_wrong, ids.to_pylist()), type=pa.bool_())
        if not pc.any(wrong).as_py():
            return part
        right = (pc.if_else(wrong, self._answers[name][answer], table[name]) for name in self._answers.column_names)
        return _as_file(pa.table([ids, *right], schema=_SCHEMA))

    def join(self, parts: Iterator[Path], into: IO[bytes]) -> None:
        """Write all parts behind each other."""
        with pq.ParquetWriter(into, _SCHEMA, compression="zstd") as writer:
            for part in parts:
                writer.write_table(pq.read_table(part))


def _as_file(table: pa.Table) -> bytes:
    written = io.BytesIO()
    pq.write_table(table, written, compression="zstd")
    return written.getvalue()


def exposing(answers: Sequence[Assignment], found: Whole) -> list[int]:
    """Return the rows whose units are counted."""
    counted = np.array([answer.reason is Reason.ASSIGNED for answer in answers])
    rows: list[int] = np.flatnonzero(counted[found]).tolist()
    return rows


def columns_of(answer: Assignment) -> tuple[Any, ...]:
    """Return what is written of an answer, behind the id."""
    return (
        answer.experiment,
        answer.version,
        answer.epoch,
        answer.segment,
        answer.variant,
        answer.reason.value,
        answer.reason is Reason.ASSIGNED,
        json.dumps(answer.content, ensure_ascii=False),
    )


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _csv(rows: Sequence[Sequence[Any]], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def _join(head: bytes, parts: Iterator[Path], into: IO[bytes]) -> None:
    into.write(head)
    for part in parts:
        with part.open("rb") as file:
            shutil.copyfileobj(file, into)


def _write(body: bytes, file: IO[bytes]) -> None:
    file.write(body)


def _put(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file that is there as a whole or not at all."""
    unfinished = path.with_name(path.name + ".tmp")
    with unfinished.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Put a rename on the disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
