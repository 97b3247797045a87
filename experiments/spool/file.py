"""One spool file: what was committed, in that order, until the database has it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.domain.errors import Unavailable
from experiments.services.recording.lines import Lines, of_today
from experiments.spool.hold import Hold, lock_path
from experiments.spool.place import Place, discard, unlink

_WAL_PAGES = 2_000
"""The write-ahead log is folded into the file after about 8 MB: rarely under load, and it stays small."""
_BUSY_SECONDS = 5
_SCRUB_WAIT_MS = 200
"""So long a scrub waits for others who look into the file, as requests wait for it meanwhile."""
_FULL = 13
_SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    event_rows INTEGER NOT NULL,
    exposure_rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    events BLOB NOT NULL,
    exposures BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS dead (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    reason TEXT NOT NULL,
    event BLOB NOT NULL,
    exposure BLOB NOT NULL,
    UNIQUE (event, exposure)
);
"""
_DEPTH = (
    "SELECT count(*), coalesce(sum(event_rows + exposure_rows), 0), coalesce(sum(bytes), 0), min(at) "
    "FROM requests WHERE id > ?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """What a file holds; `age_seconds` is that of its oldest entry, by the wall clock."""

    entries: int
    rows: int
    bytes: int
    age_seconds: float
    dead_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Entries that follow one another, as one batch; `last_id` is the last one's."""

    last_id: int
    entries: int
    lines: Sequence[Lines]


class SpoolFault(Unavailable):
    """A refusal that comes from a spool file itself and not from the database; `file` is which."""

    def __init__(self, file: Path, refusal: Unavailable) -> None:
        super().__init__(refusal.code, refusal.message)
        self.file = file


class SpoolFile:
    """Held by one process; one thread at a time writes, another may read. Whatever fails raises SpoolFault."""

    def __init__(self, hold: Hold) -> None:
        """Open the file that is held, or make it, letting go of it where that fails."""
        self.hold = hold
        self.last_id = 0
        self._closed = False
        self._place: Place | None = None
        self._one_writer, self._one_reader = threading.Lock(), threading.Lock()
        try:
            self._open()
        except Unavailable:
            hold.release()
            raise

    def _open(self) -> None:
        """Connect, all or nothing; ids go on from where they were, as who drains goes by them."""
        with _translated(self.hold.path), contextlib.ExitStack() as undo:
            writing = undo.enter_context(contextlib.closing(_connect(self.hold.path)))
            writing.executescript(_SCHEMA)
            reading = undo.enter_context(contextlib.closing(_connect(self.hold.path)))
            last = writing.execute("SELECT coalesce(max(id), 0) FROM requests").fetchone()[0]
            _sync_folder(self.hold.path.parent)
            place = Place(self.hold)
            undo.pop_all()
        self._place = place
        self._writing, self._reading = writing, reading
        self.last_id = max(self.last_id, last)

    def write(self, entries: Sequence[Lines], *, forget: int, above: int = 0) -> int:
        """Store entries and drop all up to `forget`, in one transaction that is on disk when this returns.

        Return the last id; ids are larger than any before them, and than `above`. Where it raises, nothing of it was
        stored.
        """
        self.last_id = max(self.last_id, above)
        now, first = time.time(), self.last_id + 1
        rows = [
            (first + place, now, lines.event_rows, lines.exposure_rows, lines.size, lines.events, lines.exposures)
            for place, lines in enumerate(entries)
        ]
        with self._transaction() as connection:
            if rows:
                connection.executemany("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            if forget:
                connection.execute("DELETE FROM requests WHERE id <= ?", (forget,))
        self.last_id += len(rows)
        return self.last_id

    def bury(self, lines: Lines, reason: str) -> None:
        """Put aside a row that the database will never take; doing so again changes nothing."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO dead (at, reason, event, exposure) VALUES (?, ?, ?, ?)",
                (time.time(), reason, lines.events, lines.exposures),
            )

    def read(self, *, after: int, rows: int, size: int) -> Stretch | None:
        """Return what follows `after`, up to about so many rows and bytes; None where nothing does."""
        wanted = (
            "SELECT id, events, event_rows, exposures, exposure_rows FROM requests WHERE id > ? ORDER BY id LIMIT 5000"
        )
        found: list[Lines] = []
        last, have_rows, have_bytes = after, 0, 0
        with self._reads() as connection, contextlib.closing(connection.execute(wanted, (after,))) as cursor:
            for last, events, event_rows, exposures, exposure_rows in cursor:  # noqa: B007 - the last one is wanted
                found.append(
                    of_today(
                        Lines(events=events, event_rows=event_rows, exposures=exposures, exposure_rows=exposure_rows)
                    )
                )
                have_rows += event_rows + exposure_rows
                have_bytes += len(events) + len(exposures)
                if have_rows >= rows or have_bytes >= size:
                    break
        return Stretch(last_id=last, entries=len(found), lines=found) if found else None

    def depth(self, *, after: int = 0) -> Depth:
        """Count what is there, of what waits that with an id above `after`."""
        with self._reads() as connection:
            return _depth(connection, after)

    @property
    def is_gone(self) -> bool:
        """Whether starting over found no room: there is no file, and nothing in it."""
        return self._place is None

    def check(self) -> None:
        """Read every page: a damaged one may be seen by nothing before it is its turn to be drained."""
        with self._reads() as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise sqlite3.DatabaseError(found)

    def scrub(self, is_erased: Callable[[Lines], bool]) -> bool:
        """Drop dead rows, and leave no byte of what was ever deleted in the file.

        False where somebody else looks into it: then some may be left, until this is done again.
        """
        with self._transaction() as connection:
            dead = connection.execute("SELECT id, event, exposure FROM dead").fetchall()
            gone = [(row_id,) for row_id, event, exposure in dead if is_erased(Lines(events=event, exposures=exposure))]
            connection.executemany("DELETE FROM dead WHERE id = ?", gone)
        with self._one_writer, self._one_reader, _translated(self.hold.path):
            self._refuse_if_closed()
            self._writing.execute("VACUUM")
            self._writing.execute(f"PRAGMA busy_timeout = {_SCRUB_WAIT_MS}")
            try:
                busy = self._writing.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                self._writing.execute(f"PRAGMA busy_timeout = {1_000 * _BUSY_SECONDS}")
        return not busy

    def stay(self) -> bool:
        """See to it that the next start finds what is in here; return whether that took a new file.

        One that is removed, or whose lock is, goes on taking what is written: nobody finds it, or everybody takes it.
        So all of it is put into a new one. Raises SpoolFault where there is none to be had.
        """
        place = self._place
        if place is None or place.is_kept():
            return False
        with self._one_writer, self._one_reader, _translated(self.hold.path):
            self._refuse_if_closed()
            self._move(place)
        return True

    def _move(self, place: Place) -> None:
        """Ids stay as they are, as who drains goes by them; another process may have written some here, too."""
        fresh = _made(place.hold_another())
        try:
            with fresh._transaction() as connection:
                waiting = self._writing.execute("SELECT * FROM requests")
                connection.executemany("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?)", waiting)
                dead = self._writing.execute("SELECT * FROM dead")
                connection.executemany("INSERT INTO dead VALUES (?, ?, ?, ?, ?)", dead)
                last = connection.execute("SELECT coalesce(max(id), 0) FROM requests").fetchone()[0]
        except BaseException:
            with contextlib.suppress(Unavailable):
                fresh.remove()
            raise
        self._disconnect()
        self.last_id = max(self.last_id, last)
        self.hold, self._place = fresh.hold, fresh._place
        self._writing, self._reading = fresh._writing, fresh._reading
        with contextlib.suppress(OSError):  # what is left there is drained once more, to no effect
            place.leave()

    def start_over(self) -> None:
        """Give the disk space back, where everything is drained: on a full disk not even a deletion finds room."""
        with self._one_writer, self._one_reader, _translated(self.hold.path):
            self._refuse_if_closed()
            if self._place is not None and not self._place.is_kept():
                self._move(self._place)
                return
            self._disconnect()
            self._place = None
            unlink(self.hold.path)
            try:
                self._open()
            except Exception:
                # Still no room: half a file, in which nothing is, would look like one that cannot be read.
                with contextlib.suppress(OSError):
                    unlink(self.hold.path)
                raise

    def close(self) -> None:
        """Let go of the file; whoever holds it next finds what is left."""
        if self._end():
            self.hold.release()

    def remove(self) -> None:
        """Delete the file, of which nothing is needed any more."""
        if not self._end():
            return
        with _translated(self.hold.path):
            if self._place is None:
                discard(self.hold)
            else:
                self._place.leave()

    def _end(self) -> bool:
        """Disconnect for good; return whether that is news. What comes later must not write what others may hold."""
        with self._one_writer, self._one_reader:
            ends, self._closed = not self._closed, True
            if ends:
                self._disconnect()
        return ends

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise spool_closed()

    def _disconnect(self) -> None:
        for connection in (self._reading, self._writing):
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._one_writer, _translated(self.hold.path):
            self._refuse_if_closed()
            connection = self._writing
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _reads(self) -> Iterator[sqlite3.Connection]:
        with self._one_reader, _translated(self.hold.path):
            self._refuse_if_closed()
            yield self._reading


def _made(hold: Hold) -> SpoolFile:
    """Make a file, or leave nothing of it: it is tried again with each commit."""
    try:
        return SpoolFile(hold)
    except Unavailable:
        with contextlib.suppress(OSError):
            unlink(hold.path)
            lock_path(hold.path).unlink(missing_ok=True)
        raise


def depth_of(path: Path) -> Depth:
    """Count what a file holds, whoever has it."""
    with _translated(path), contextlib.closing(_connect(path)) as connection:
        return _depth(connection)


def lines_in(path: Path) -> tuple[list[Lines], list[Lines]]:
    """Return what waits in a file and what is dead in it, whoever has it; a file that is gone is not made anew."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    with _translated(path), contextlib.closing(sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS)) as connection:
        waiting = connection.execute("SELECT events, exposures FROM requests").fetchall()
        dead = connection.execute("SELECT event, exposure FROM dead").fetchall()
    return [Lines(events=one, exposures=other) for one, other in waiting], [
        Lines(events=one, exposures=other) for one, other in dead
    ]


def _depth(connection: sqlite3.Connection, after: int = 0) -> Depth:
    entries, rows, size, oldest = connection.execute(_DEPTH, (after,)).fetchone()
    dead = connection.execute("SELECT count(*) FROM dead").fetchone()[0]
    age = 0.0 if oldest is None else max(0.0, time.time() - oldest)
    return Depth(entries=entries, rows=rows, bytes=size, age_seconds=age, dead_rows=dead)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS)
    try:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "secure_delete = FAST",
            f"wal_autocheckpoint = {_WAL_PAGES}",
        ):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _sync_folder(folder: Path) -> None:
    """Make the names of new files as durable as what is in them."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise SpoolFault(path, _refusal(error)) from error
    except OSError as error:
        broken = Unavailable("spool_broken", f"The spool cannot be used ({error}); nothing was stored.")
        raise SpoolFault(path, broken) from error


def _refusal(error: sqlite3.Error) -> Unavailable:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == _FULL:
        return spool_full("the disk has no room left")
    return Unavailable("spool_broken", f"The spool cannot be written ({error}); nothing was stored.")


def spool_closed() -> Unavailable:
    """Return the refusal of what comes too late."""
    return Unavailable("spool_closed", "This process is ending; nothing was stored.")


def spool_full(why: str) -> Unavailable:
    """Return the refusal of what finds no room."""
    return Unavailable("spool_full", f"What is to be recorded finds no room ({why}); nothing was stored.")
