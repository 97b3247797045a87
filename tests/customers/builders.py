"""Tables of purchases for the tests, and CDNOW's where it is there."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
CDNOW = DATA / "CDNOW_master.txt.gz"
CDNOW_SUMMARY = DATA / "cdnow_customers_summary.csv"
CDNOW_END = datetime(1998, 7, 1, tzinfo=UTC)

needs_cdnow = pytest.mark.skipif(not CDNOW.exists(), reason=f"{CDNOW.name} is not beside this checkout")
needs_summary = pytest.mark.skipif(
    not CDNOW_SUMMARY.exists(), reason=f"{CDNOW_SUMMARY.name} is not beside this checkout"
)

_NUMBERS = count()

Purchase = tuple[str | None, datetime | None, float | None]


def on(day: str, clock: str = "00:00:00") -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}+00:00")


def purchases(rows: Iterable[Purchase], values: pa.DataType | None = None) -> Any:
    """(unit_id, at, value)."""
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    types = [pa.string(), pa.timestamp("us", "UTC"), values or pa.float64()]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return stored(pa.table(arrays, names=["unit_id", "at", "value"]))


def stored(rows: pa.Table) -> Any:
    """In a database that all tests share."""
    return stored_in(_database(), rows)


def stored_in(database: Any, rows: pa.Table) -> Any:
    name = f"given_{next(_NUMBERS)}"
    database.con.register("arrow_rows", rows)
    database.raw_sql(f"CREATE TABLE {name} AS FROM arrow_rows")
    database.con.unregister("arrow_rows")
    return database.table(name)


@cache
def _database() -> Any:
    return ibis.duckdb.connect(threads=2)


def rows_of(table: Any) -> dict[str, dict[str, Any]]:
    """By unit."""
    return {row.pop("unit_id"): row for row in table.to_pyarrow().to_pylist()}


def cdnow_lines() -> Iterator[tuple[str, datetime, Decimal]]:
    with gzip.open(CDNOW, "rt") as file:
        next(file)
        for line in filter(str.strip, file):
            customer, day, _, dollars = line.split()
            yield customer, _midnight(day), Decimal(dollars)


@cache
def _midnight(day: str) -> datetime:
    return datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC)


def cdnow() -> Any:
    return purchases((customer, at, float(dollars)) for customer, at, dollars in cdnow_lines())
