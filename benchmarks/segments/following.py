"""Events into a table, and from there into profiles: what membership costs beside bare ingestion, on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from shutil import copyfile
from tempfile import mkdtemp
from time import perf_counter
from typing import Any

from benchmarks.harness import Numbers, Work
from experiments.bootstrap import build
from experiments.services.following.purchases import PurchaseFollower
from experiments.services.following.saying import register
from experiments.settings import Settings
from experiments.storage import migrate
from experiments.storage.unit_of_work import open_database

NOW = datetime(2026, 1, 5, tzinfo=UTC)
CUSTOMERS_SHARE = 0.1
"""So many customers come to one purchase: ten purchases each, one after another in no order."""
_ROWS_AT_ONCE = 10_000
_INSERT = (
    "INSERT INTO events (event_id, unit_id, name, value, occurred_at, received_at) VALUES (?, ?, 'purchase', ?, ?, ?)"
)
_RECORDED = "SELECT count(*), count(DISTINCT unit_id), sum(value) FROM events"
_TOLD = """
    SELECT sum(json_extract(attributes, '$.orders')), count(*), sum(json_extract(attributes, '$.total_spent'))
    FROM profiles
"""

Row = tuple[str, str, float, str, str]


def _rows(count: int) -> list[Row]:
    """Multiplying by a prime that does not divide the count visits all numbers once, in no order."""
    customers = int(count * CUSTOMERS_SHARE)
    instants = [(NOW - timedelta(minutes=7 * minutes)).isoformat(" ", "microseconds")[:26] for minutes in range(50_000)]
    return [
        (f"{place * 7_919 % count:032x}", f"customer-{place * 104_729 % customers}", place % 9_000 / 100, at, at)
        for place in range(count)
        for at in (instants[place * 31 % len(instants)],)
    ]


def bare(count: int) -> Work:
    """What no recorder can do without: rows into the table with its indexes, 10,000 in a transaction."""
    return _work(count, lambda path, seconds: seconds)


def following(count: int) -> Work:
    """The worker's steps until nothing is left to do; that the rows came into the table is not measured."""
    return _work(count, lambda path, seconds: _follow(path))


def _work(count: int, measured: Callable[[Path, float], float]) -> Work:
    folder, rows = Path(mkdtemp(prefix="winnow-follow-")), _rows(count)
    empty = folder / "empty.sqlite"
    migrate.upgrade(f"sqlite:///{empty}")
    return Work(run=partial(_run, empty, rows, measured), numbers=_numbers, seconds=_seconds, count=count)


def _run(empty: Path, rows: list[Row], measured: Callable[[Path, float], float]) -> tuple[float, Numbers]:
    path = empty.with_name("filled.sqlite")
    for old in empty.parent.glob("filled.sqlite*"):
        old.unlink()
    copyfile(empty, path)
    seconds = measured(path, _fill(path, rows))
    with closing(sqlite3.connect(path)) as connection:
        [(count, customers, money)] = connection.execute(
            "SELECT count(*), count(DISTINCT unit_id), sum(value) FROM events"
        )
        told = connection.execute(
            "SELECT sum(json_extract(attributes, '$.orders')), count(*), sum(json_extract(attributes, '$.total_spent'))"
            " FROM profiles"
        ).fetchone()
    if told[1]:
        count, customers, money = told
    return seconds, {"purchases": float(count), "customers": float(customers), "money": round(money, 2)}


def _fill(path: Path, rows: list[Row]) -> float:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        began = perf_counter()
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            with connection:
                connection.executemany(_INSERT, rows[start : start + _ROWS_AT_ONCE])
        return perf_counter() - began


def _follow(path: Path) -> float:
    database = open_database(f"sqlite:///{path}")
    winnow = build(Settings(), open_unit_of_work=database.unit_of_work, clock=lambda: NOW)
    registering = partial(register, winnow.author.sources, winnow.author.attributes, winnow.open_unit_of_work)
    follower = PurchaseFollower(winnow.open_unit_of_work, winnow.clock, ("purchase",), register=registering)
    began = perf_counter()
    while follower.step():
        pass
    seconds = perf_counter() - began
    database.close()
    return seconds


def _seconds(found: tuple[float, Numbers]) -> float:
    return found[0]


def _numbers(found: Any) -> Numbers:
    numbers: Numbers = found[1]
    return numbers
