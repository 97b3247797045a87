"""Events into a table: through HTTP until every row is there, and by a program that does nothing else."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import Any

import psycopg
from sqlalchemy import make_url

from benchmarks.harness import Work
from benchmarks.online.cores import SERVER, on_core
from benchmarks.online.databases import Ground
from benchmarks.online.http import STORED_SECONDS, winnow_server
from benchmarks.online.sockets import post, send_all
from winnow_client.ids import new_id

BATCH = 100
"""Events in one request."""
BARE_BATCH = 10_000
"""Rows of one bare transaction."""
_CONNECTIONS = 16
_COLUMNS = "event_id, unit_id, name, value, occurred_at, received_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ids:
    """How ids of events are made: by a client, and, as long and alike in order, by the databases."""

    new: Callable[[], str]
    postgres: str
    sqlite: str


IN_ORDER = Ids(
    new=new_id,
    postgres="uuidv7()::text",
    sqlite="printf('%012x', (julianday('now') - 2440587.5) * 86400000) || lower(hex(randomblob(12)))",
)
"""As Winnow's own clients make them: they begin with the time."""
RANDOM = Ids(new=lambda: str(uuid.uuid4()), postgres="gen_random_uuid()::text", sqlite="lower(hex(randomblob(18)))")
"""As many other clients do."""

_FILL_POSTGRES = f"""
    INSERT INTO events ({_COLUMNS})
    SELECT id, 'customer-' || mod(number, 1000000), 'visit', mod(number, 100), now(), now()
    FROM (SELECT {{id}} AS id, number FROM generate_series(1, %s) AS number) AS made
    ORDER BY id
"""
_FILL_SQLITE = f"""
    WITH RECURSIVE numbers(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < ?)
    INSERT INTO events ({_COLUMNS})
    SELECT id, 'customer-' || number % 1000000, 'visit', number % 100, at, at
    FROM (SELECT {{id}} AS id, number, datetime() || '.000000' AS at FROM numbers)
    ORDER BY id
"""
_FILL_ROWS = 1_000_000
"""So many at once: in the order of their ids each million passes through the index once."""

Row = tuple[str, str, str, float, str]


def rows(count: int, ids: Ids) -> list[Row]:
    """Return new events."""
    now, new = datetime.now(UTC).isoformat(" ", "microseconds")[:26], ids.new
    return [(new(), f"customer-{number % 1_000_000:08d}", "visit", float(number % 100), now) for number in range(count)]


@dataclass(slots=True, kw_only=True)
class _Table:
    """The table of events, looked at from outside."""

    ask: Callable[[str], Any]

    def newest(self) -> int:
        return int(self.ask("SELECT coalesce(max(id), 0) FROM events"))

    def wait(self, newest: int, more: int) -> None:
        """Return once so many more are there. Raises RuntimeError where they never are."""
        deadline = time.monotonic() + STORED_SECONDS
        while self.newest() < newest + more or self._since(newest) < more:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{more} events were acknowledged, {self._since(newest)} are stored")
            time.sleep(0.005)

    def _since(self, newest: int) -> int:
        return int(self.ask(f"SELECT count(*) FROM events WHERE id > {newest}"))


def postgres(ground: Ground, stored: int, ids: Ids) -> str:
    """Return the database of a case, with so many events in it already."""

    def make() -> str:
        url = ground.postgres()
        with psycopg.connect(url, autocommit=True) as connection:
            for count in _parts(stored):
                connection.execute(_FILL_POSTGRES.format(id=ids.postgres).encode(), (count,))
            connection.execute("VACUUM ANALYZE events")
            connection.execute("CHECKPOINT")
        return url

    url: str = ground.share("events", make)
    return url


def sqlite(ground: Ground, stored: int, ids: Ids) -> str:
    """Return a file with so many events in it already: one of its own for each side."""
    url = ground.sqlite()
    with _opened(url) as connection:
        for count in _parts(stored):
            connection.execute(_FILL_SQLITE.format(id=ids.sqlite), (count,))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return url


def _parts(count: int) -> list[int]:
    whole, rest = divmod(count, _FILL_ROWS)
    return [_FILL_ROWS] * whole + ([rest] if rest else [])


def winnow_postgres(ground: Ground, *, stored: int, count: int, ids: Ids = IN_ORDER) -> Work:
    """Send events over HTTP; the time ends when all of them are in PostgreSQL's table."""
    return _winnow(ground, partial(postgres, ground, stored, ids), count, ids)


def winnow_sqlite(ground: Ground, *, stored: int, count: int, ids: Ids = IN_ORDER) -> Work:
    """Send events over HTTP; the time ends when all of them are in SQLite's table."""
    return _winnow(ground, partial(sqlite, ground, stored, ids), count, ids)


def _winnow(ground: Ground, database: Callable[[], str], count: int, ids: Ids) -> Work:
    with ExitStack() as stack:
        ground.enter()
        stack.callback(ground.leave)
        url = database()
        running = winnow_server(stack, ground, url)
        table = _table(stack, url)

        def run() -> float:
            requests = _requests(rows(count, ids), running.headers)
            newest, started = table.newest(), perf_counter()
            answers = send_all(running.server.port, requests, connections=_CONNECTIONS)
            table.wait(newest, count)
            took = perf_counter() - started
            if sum(answer.count(b'"status":"accepted"') for answer in answers) != count:
                raise RuntimeError("not every event was accepted")
            return took

        return Work(run=run, numbers=lambda _: {}, seconds=float, count=count, close=stack.pop_all().close)


def _requests(made: Sequence[Row], headers: dict[str, str]) -> list[bytes]:
    requests = []
    for start in range(0, len(made), BATCH):
        items = [
            {"type": "event", "event_id": id_, "unit_id": unit, "name": name, "value": value, "occurred_at": f"{at}Z"}
            for id_, unit, name, value, at in made[start : start + BATCH]
        ]
        requests.append(post("/v1/events", json.dumps({"items": items}).encode(), headers))
    return requests


def copied(ground: Ground, *, stored: int, count: int, ids: Ids = IN_ORDER) -> Work:
    """COPY to a stage, then insert on conflict: batches of 10,000 into the same table, the text ready beforehand."""
    with ExitStack() as stack:
        ground.enter()
        stack.callback(ground.leave)
        connection = stack.enter_context(psycopg.connect(postgres(ground, stored, ids)))
        connection.execute(
            f"CREATE TEMP TABLE stage ON COMMIT DELETE ROWS AS SELECT {_COLUMNS} FROM events WITH NO DATA"
        )
        connection.commit()

        def run() -> float:
            made = rows(count, ids)
            texts = [
                "".join(
                    f"{id_}\t{unit}\t{name}\t{value}\t{at}\t{at}\n"
                    for id_, unit, name, value, at in made[start : start + BARE_BATCH]
                ).encode()
                for start in range(0, count, BARE_BATCH)
            ]
            with on_core(SERVER):
                started = perf_counter()
                for text in texts:
                    with connection.cursor() as cursor:
                        with cursor.copy(f"COPY stage ({_COLUMNS}) FROM STDIN") as copy:
                            copy.write(text)
                        cursor.execute(
                            f"INSERT INTO events ({_COLUMNS}) SELECT {_COLUMNS} FROM stage "
                            "ON CONFLICT (event_id) DO NOTHING"
                        )
                    connection.commit()
                return perf_counter() - started

        return Work(run=run, numbers=lambda _: {}, seconds=float, count=count, close=stack.pop_all().close)


def single_rows(ground: Ground, *, stored: int, count: int, ids: Ids = IN_ORDER) -> Work:
    """One row, one commit."""
    with ExitStack() as stack:
        ground.enter()
        stack.callback(ground.leave)
        connection = stack.enter_context(psycopg.connect(postgres(ground, stored, ids), autocommit=True))
        marks = "%s, %s, %s, %s, %s, %s"

        def run() -> float:
            made = rows(count, ids)
            with on_core(SERVER):
                started = perf_counter()
                for row in made:
                    connection.execute(
                        f"INSERT INTO events ({_COLUMNS}) VALUES ({marks}) ON CONFLICT (event_id) DO NOTHING",
                        (*row, row[-1]),
                    )
                return perf_counter() - started

        return Work(run=run, numbers=lambda _: {}, seconds=float, count=count, close=stack.pop_all().close)


def executed_many(ground: Ground, *, stored: int, count: int, ids: Ids = IN_ORDER) -> Work:
    """`executemany` of the driver itself, batches of 10,000 into the same table, committed as durably as ours."""
    with ExitStack() as stack:
        ground.enter()
        stack.callback(ground.leave)
        connection = stack.enter_context(_opened(sqlite(ground, stored, ids)))
        statement = f"INSERT INTO events ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING"

        def run() -> float:
            made = [(*row, row[-1]) for row in rows(count, ids)]
            with on_core(SERVER):
                started = perf_counter()
                for start in range(0, count, BARE_BATCH):
                    connection.execute("BEGIN IMMEDIATE")
                    connection.executemany(statement, made[start : start + BARE_BATCH])
                    connection.execute("COMMIT")
                return perf_counter() - started

        return Work(run=run, numbers=lambda _: {}, seconds=float, count=count, close=stack.pop_all().close)


def _table(stack: ExitStack, url: str) -> _Table:
    if make_url(url).get_backend_name() == "sqlite":
        connection: Any = stack.enter_context(_opened(url))
    else:
        connection = stack.enter_context(psycopg.connect(url, autocommit=True))
    return _Table(ask=lambda statement: connection.execute(statement).fetchone()[0])


def _opened(url: str) -> closing[sqlite3.Connection]:
    connection = sqlite3.connect(make_url(url).database or "", isolation_level=None, timeout=30)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    return closing(connection)
