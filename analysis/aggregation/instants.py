"""Instants of tables, in UTC whatever the time zone of the session that asks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import ibis
import ibis.expr.datatypes as dt

INSTANT = dt.Timestamp(timezone="UTC", scale=6)
_DAY_SECONDS = 86_400
# A time of day, and behind it a zone: Z, +02, -03:30, UTC, Europe/Berlin.
_ZONED = r":.*([A-Za-z]|[+-][0-9]{2}(:?[0-9]{2})?)$"


def instant(value: datetime) -> Any:
    return ibis.literal(value.astimezone(UTC), type="timestamp('UTC')")


def in_utc(column: Any) -> Any:
    """The column as instants. What has no time zone is UTC, where a cast takes it for the session's on DuckDB.

    On other backends a cast is all there is: Ibis sets Spark's session to UTC, of others it has to be UTC.
    """
    found, cast = column.type(), column.cast(INSTANT)
    # What Ibis has no type for are instants in nanoseconds.
    if not _is_duckdb(column) or found.is_unknown() or (found.is_timestamp() and found.timezone is not None):
        return cast
    naive = _instant_of(_since_1970(column.cast("timestamp(6)")))
    return column.re_search(_ZONED).ifelse(cast, naive) if found.is_string() else naive


def day_number(column: Any) -> Any:
    """Days in UTC since 1970-01-01. (Ibis' `epoch_seconds` goes by the session's zone on DuckDB.)"""
    seconds = _since_1970(column) / 1_000_000 if _is_duckdb(column) else column.epoch_seconds()
    return (seconds / _DAY_SECONDS).floor().cast("int64")


def _is_duckdb(column: Any) -> bool:
    return bool(ibis.get_backend(column).name == "duckdb")


def _since_1970(column: Any) -> Any:
    """In microseconds."""
    return ibis.udf.scalar.builtin(_of_database, name="epoch_us", signature=((column.type(),), dt.int64))(column)


def _instant_of(microseconds: Any) -> Any:
    name = "make_timestamptz"
    return ibis.udf.scalar.builtin(_of_database, name=name, signature=((dt.int64,), INSTANT))(microseconds)


def _of_database(column: Any) -> Any:
    """The database has it."""
