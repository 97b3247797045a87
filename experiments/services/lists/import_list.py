"""Import a list: who is in a file is on the list, whoever is not comes off it, and a segment asks for the list.

The file that was imported last counts. It has an instant of its own, at which all its statements are made: so a run
that was ended goes on where it stopped, and who was on the list before and is not any more is told by an older instant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

from experiments.domain.errors import InvalidInput, StateConflict
from experiments.domain.names import check_instant
from experiments.services.authoring.author import Author
from experiments.services.identity.joined import joined
from experiments.services.lists.file import Chunk, Layout, ListFile, Position, Rejected, digest, open_list
from experiments.services.lists.segment import SOURCE, list_attribute, list_segment, register, stored_segment
from experiments.services.ports import AuditEntry, Clock, OpenUnitOfWork
from experiments.services.profiles.profiles import ChangeStatus, ProfileChange, Profiles, ProfileVerdict, check_at
from experiments.services.profiles.registry_read import read_registry
from experiments.services.segments.tables import Progress
from experiments.services.studies.ports import ImportedList

BATCH = 5_000
"""Rows that are stored together."""
ROWS_UNREADABLE = "rows_unreadable"
"""Who stands in rows that could not be read may have been on the list, and stays."""
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListWish:
    """Which file becomes which list. `written_at` None: when the file was written; who was erased since stays erased.

    `name` None: that of the segment, where there is one already, or its key.
    """

    path: Path
    key: str
    name: str | None = None
    id_column: str = "unit_id"
    delimiter: str = ","
    written_at: datetime | None = None
    most_bad_rows: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ListImported:
    """How many rows came to what: `on_list` were stored or known, `erased` are of people who were erased since.

    Whoever stands there twice is two rows. `kept_because`: why nobody came off who might have. `bad_rows` are the first
    of those that were `rejected`; `is_new`: the segment was made now.
    """

    rows: int
    on_list: int
    taken_off: int
    kept_because: str | None
    erased: int
    rejected: int
    bad_rows: tuple[Rejected, ...]
    is_new: bool


class ListImporter:
    """Stores batch by batch, like every import of profiles; the segment is made when all of it is there."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork, profiles: Profiles, author: Author, clock: Clock) -> None:
        self._open = open_unit_of_work
        self._profiles = profiles
        self._author = author
        self._clock = clock

    def run(self, wish: ListWish, progress: Progress, *, actor: str) -> ListImported:
        """Raise InvalidInput, AlreadyExists, and store nothing, where file, key or segment are unfit.

        A row that is unfit is rejected by itself: whoever it was for is not put on the list, and nobody comes off it.
        Raises StateConflict where somebody imports another file meanwhile: then that one counts.
        """
        file, attribute = open_list(wish.path, wish.delimiter), list_attribute(wish.key)
        wanted, written_at = list_segment(wish.key, wish.name), self._written_at(wish)
        segment = stored_segment(self._author, wanted)
        chunks = _chunks(file, wish)
        first = next(chunks, None)
        if first is None:
            raise InvalidInput("list_empty", f"{wish.path.name} names nobody; a list cannot be emptied by mistake.")
        with self._open(read_only=True) as work:
            registry = read_registry(work)
        register(self._author, registry, attribute, actor=actor)
        before, mine = self._begin(wish, actor)
        run = _Run(attribute=attribute.key, at=mine.at, written_at=written_at, most_bad_rows=wish.most_bad_rows)
        total = file.total()
        for chunk in _again(first, chunks):
            self._stop_if_superseded(mine, run.attribute)
            self._store(chunk, run)
            progress(run.rows, total, "Importing")
        if not run.on_list:
            raise InvalidInput("list_empty", f"No row of {wish.path.name} could be taken; the list stays as it was.")
        kept_because = ROWS_UNREADABLE if before is not None and run.unread else None
        is_replaced = before is not None and kept_because is None
        taken_off = self._take_off(run.attribute, mine.at, progress) if is_replaced else 0
        self._finish(mine, run, taken_off, actor)
        if segment is None:
            self._author.segments.create(wanted, actor=actor)
        elif wish.name is not None and wish.name != segment.value.name:
            renamed = replace(segment.value, name=wish.name)
            self._author.segments.edit(wish.key, renamed, expected_revision=segment.revision, actor=actor)
        return run.told(taken_off, kept_because, is_new=segment is None)

    def _written_at(self, wish: ListWish) -> datetime:
        now = self._clock()
        if wish.written_at is None:
            return min(datetime.fromtimestamp(wish.path.stat().st_mtime, UTC), now)
        check_instant(wish.written_at, "/at")
        check_at(wish.written_at, now)
        return wish.written_at

    def _begin(self, wish: ListWish, actor: str) -> tuple[ImportedList | None, ImportedList]:
        """The same file goes on at the instant it had; another one has a later one than all before it."""
        sha, now = digest(wish.path), self._clock()
        with self._open() as work:
            before = work.lists.take(wish.key)
            at = now if before is None else max(now, before.at + _TICK)
            if before is not None and before.digest == sha:
                at = before.at
            mine = ImportedList(key=wish.key, at=at, digest=sha, units=0, started_by=actor)
            work.lists.put(mine)
            work.commit()
        return before, mine

    def _stop_if_superseded(self, mine: ImportedList, attribute: str) -> None:
        with self._open(read_only=True) as work:
            now = work.lists.get(mine.key)
        if now is not None and now.at != mine.at:
            self._give_way(now, attribute)

    def _give_way(self, now: ImportedList, attribute: str) -> NoReturn:
        """Take off what was put on since another file came, and say that that one counts."""
        self._take_off(attribute, now.at, lambda done, total, label=None: None)
        raise StateConflict("list_superseded", f"Somebody imports another file as {now.key!r}: that one counts.")

    def _store(self, chunk: Chunk, run: _Run) -> None:
        """Put on the list whose ids these are by now: profiles are of persons."""
        with self._open(read_only=True) as work:
            erased, persons = work.erasures.since(run.written_at), joined(work, chunk.ids)
        named = list(zip(chunk.lines, chunk.ids, strict=True))
        kept = [(line, unit_id) for line, unit_id in named if not erased.covers(unit_id, run.written_at)]
        changes = [
            ProfileChange(
                unit_id=persons.get(unit_id, unit_id), source=SOURCE, attributes={run.attribute: True}, at=run.at
            )
            for _, unit_id in kept
        ]
        verdicts = self._profiles.upsert_many(changes)
        run.count(chunk, [line for line, _ in kept], verdicts, erased=len(named) - len(kept))

    def _take_off(self, attribute: str, at: datetime, progress: Progress) -> int:
        """Take back what files before that instant said. Walks all profiles: nothing but they say who is on a list.

        Ids that were joined to another one are nobody's, and not counted.
        """
        after: str | None = None
        taken = looked_at = 0
        while True:
            with self._open(read_only=True) as work:
                page = work.profiles.page(after=after, limit=BATCH)
                others = joined(work, [one.profile.unit_id for one in page])
            if not page:
                return taken
            said = ((one.profile.unit_id, one.profile.said.get(SOURCE, {}).get(attribute)) for one in page)
            changes = [
                ProfileChange(unit_id=unit_id, source=SOURCE, attributes={attribute: None}, at=at)
                for unit_id, statement in said
                if statement is not None and statement.value is not None and statement.at < at
            ]
            if changes:
                verdicts = self._profiles.upsert_many(changes)
                taken += sum(one.status is ChangeStatus.ACCEPTED and one.unit_id not in others for one in verdicts)
            after, looked_at = page[-1].profile.unit_id, looked_at + len(page)
            progress(looked_at, None, "Taking off")

    def _finish(self, mine: ImportedList, run: _Run, taken_off: int, actor: str) -> None:
        now = self._clock()
        detail = {"units": run.on_list, "taken_off": taken_off, "sha256": mine.digest}
        with self._open() as work:
            held = work.lists.take(mine.key)
            if held is None or held.at == mine.at:
                work.lists.put(replace(mine, units=run.on_list, finished_at=now))
                entry = AuditEntry(at=now, actor=actor, action="list.import", subject=mine.key, detail=detail)
                work.audit.append(entry)
                work.commit()
                return
        self._give_way(held, run.attribute)


class _Run:
    """What has come of the rows so far."""

    def __init__(self, *, attribute: str, at: datetime, written_at: datetime, most_bad_rows: int) -> None:
        self.attribute, self.at, self.written_at = attribute, at, written_at
        self._most = most_bad_rows
        self._counts: Counter[ChangeStatus] = Counter()
        self._erased = 0
        self.unread = 0
        self._bad: list[Rejected] = []

    @property
    def on_list(self) -> int:
        return self._counts[ChangeStatus.ACCEPTED] + self._counts[ChangeStatus.UNCHANGED]

    @property
    def rows(self) -> int:
        return self._counts.total() + self._erased

    def count(self, chunk: Chunk, lines: Sequence[int], verdicts: Sequence[ProfileVerdict], *, erased: int) -> None:
        self._counts.update(verdict.status for verdict in verdicts)
        self._counts[ChangeStatus.REJECTED] += chunk.rows_rejected
        self.unread += chunk.rows_rejected
        self._erased += erased
        refused = [
            Rejected(line=line, column=None, code=verdict.code or "", message=verdict.message or "")
            for line, verdict in zip(lines, verdicts, strict=True)
            if verdict.status is ChangeStatus.REJECTED
        ]
        found = sorted([*chunk.rejected, *refused], key=lambda row: row.line)
        self._bad += found[: self._most - len(self._bad)]

    def told(self, taken_off: int, kept_because: str | None, *, is_new: bool) -> ListImported:
        return ListImported(
            rows=self.rows,
            on_list=self.on_list,
            taken_off=taken_off,
            kept_because=kept_because,
            erased=self._erased + self._counts[ChangeStatus.OUTDATED],
            rejected=self._counts[ChangeStatus.REJECTED],
            bad_rows=tuple(self._bad),
            is_new=is_new,
        )


def _chunks(file: ListFile, wish: ListWish) -> Iterator[Chunk]:
    layout = Layout(id_column=wish.id_column, attributes=(), types={}, delimiter=wish.delimiter)
    return file.chunks(layout, Position(), BATCH)


def _again(first: Chunk, others: Iterator[Chunk]) -> Iterator[Chunk]:
    yield first
    yield from others
