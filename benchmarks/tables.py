"""Input of the benchmarks as Parquet: units, exposures and raw events, the same at every run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import ibis

from benchmarks.questions import CONTROL, SEED, SEGMENTS, START, TREATMENT

# DuckDB's own; a thread takes whole groups.
ROW_GROUP = 122_880
THREADS = 2
# Their progress would be written between our tables.
QUIET = "SET enable_progress_bar = false"
_EVENT_FILES = 20
_DAYS_OF_EXPOSURE, _DAYS_BEFORE, _DAYS_AFTER = 14, 2, 7

Tick = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    users: int
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Folder of Parquet files."""

    folder: Path

    @property
    def units(self) -> str:
        return str(self.folder / "units.parquet")

    @property
    def exposures(self) -> str:
        return str(self.folder / "exposures.parquet")

    @property
    def events(self) -> str:
        return str(self.folder / "events_*.parquet")


def connect() -> duckdb.DuckDBPyConnection:
    """Two threads, as on every other side."""
    connection = duckdb.connect(config={"threads": THREADS})
    connection.execute(QUIET)
    return connection


def ibis_connect() -> Any:
    connection = ibis.duckdb.connect(threads=THREADS)
    connection.raw_sql(QUIET)
    return connection


def make_units(tables: Tables, users: int) -> None:
    """One row per unit: who, where, and a number for each metric; revenue in cents, half of the visits without any."""
    orders = f"CASE WHEN {uniform('i', 3)} < 0.12 + 0.01 * arm THEN 1 ELSE 0 END"
    basket = f"round(exp(3.2 + 0.9 * {normal('i', 4)}), 2)"
    refund = f"CASE WHEN {uniform('i', 6)} < 0.08 THEN round(exp(2.5 + 0.7 * {normal('i', 7)}), 2) ELSE 0 END"
    write(
        f"""
        SELECT unit_id, variant, segment, 1 AS epoch, exposed_at,
            ordered, visits, ordered * basket AS revenue, ordered * refund AS refunds
        FROM (
            SELECT *, {orders}::DOUBLE AS ordered, {basket}::DOUBLE AS basket, {refund}::DOUBLE AS refund,
                (1 + floor(-log(1 - {uniform("i", 8)}) * 5))::DOUBLE AS visits
            FROM ({_who(users)})
        )
        """,
        tables.units,
    )


def make_events(tables: Tables, sizes: Sizes, tick: Tick = lambda: None) -> None:
    """Raw rows: exposures, one in five of them repeated, and events from before to after them, in no order."""
    repeated = f"SELECT i, variant, segment, epoch, exposed_at + INTERVAL 1 DAY FROM who WHERE {uniform('i', 9)} < 0.2"
    write(
        f"""
        WITH who AS ({_who(sizes.users)}),
        rows AS (SELECT i, variant, segment, epoch, exposed_at FROM who UNION ALL {repeated})
        SELECT 'customer-' || i AS unit_id, variant, segment, epoch, exposed_at FROM rows
        """,
        tables.exposures,
    )
    for part in range(_EVENT_FILES):
        write(_events(sizes, part), str(tables.folder / f"events_{part:02}.parquet"))
        tick()


EVENT_TICKS = _EVENT_FILES


def _who(users: int) -> str:
    segments = ", ".join(f"'{segment}'" for segment in SEGMENTS)
    return f"""
        SELECT i, 'customer-' || i AS unit_id, 1 AS epoch,
            {uniform("i", 1)} < 0.5 AS treated, CASE WHEN treated THEN 1 ELSE 0 END AS arm,
            CASE WHEN treated THEN '{TREATMENT}' ELSE '{CONTROL}' END AS variant,
            [{segments}][1 + floor({len(SEGMENTS)} * {uniform("i", 2)})::INTEGER] AS segment,
            {instant(f"{_DAYS_OF_EXPOSURE} * {uniform('i', 5)}")} AS exposed_at
        FROM (SELECT range AS i FROM range({users}))
    """


def _events(sizes: Sizes, part: int) -> str:
    first, last = (sizes.events * bound // _EVENT_FILES for bound in (part, part + 1))
    days = f"{_DAYS_BEFORE + _DAYS_OF_EXPOSURE + _DAYS_AFTER} * {uniform('i', 12)} - {_DAYS_BEFORE}"
    return f"""
        SELECT 'customer-' || floor({sizes.users} * {uniform("i", 10)})::BIGINT AS unit_id, name,
            CASE WHEN name IN ('order', 'refund') THEN round(exp(3.2 + 0.9 * {normal("i", 13)}), 2) END AS value,
            {instant(days)} AS occurred_at
        FROM (
            SELECT i, {uniform("i", 11)} AS u,
                CASE WHEN u < 0.60 THEN 'visit' WHEN u < 0.78 THEN 'order' WHEN u < 0.82 THEN 'refund' ELSE 'scroll' END
                    AS name
            FROM (SELECT range AS i FROM range({first}, {last}))
        )
    """


def uniform(row: str, salt: int) -> str:
    """In [0, 1): a hash, so that no thread's turn changes a number. Salts are below 256, of rows each its own."""
    return f"((hash(({row} + {SEED}) * 256 + {salt}) % 4294967296)::DOUBLE / 4294967296)"


def normal(row: str, salt: int) -> str:
    return f"(sqrt(-2 * ln(1 - {uniform(row, salt)})) * cos(2 * pi() * {uniform(row, salt + 100)}))"


def instant(days: str) -> str:
    """A time zone in the column; whole seconds."""
    return f"make_timestamptz({int(START.timestamp()) * 1_000_000} + floor(86400 * ({days}))::BIGINT * 1000000)"


def write(query: str, path: str) -> None:
    with connect() as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE {ROW_GROUP})")
