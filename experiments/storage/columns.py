"""Column types that behave alike on PostgreSQL and SQLite."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Double, Integer, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

LARGEST_INTEGER = 2**63 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")

RowId = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite counts up by itself only where the column is called INTEGER; it holds 64 bits all the same."""

Number: Double[float] = Double()


class Instant(TypeDecorator[datetime]):
    """An aware instant, kept in UTC to the microsecond; a naive one is refused."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def instant_of(value: datetime | str) -> datetime:
    """Return an instant as `Instant` does, of what the driver has: SQLite's has texts."""
    if isinstance(value, str):
        return datetime.fromisoformat(value + "+00:00")
    return value.astimezone(UTC)


class Key(TypeDecorator[str]):
    """A key or id, ordered by code point everywhere. What no database can hold (NUL, surrogates) equals nothing."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return Text(collation="C") if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value if value is None or storable_text(value) else None


def storable_text(value: str) -> bool:
    """Say whether every database can hold the text."""
    return "\x00" not in value and (value.isascii() or not _SURROGATE.search(value))


def storable_number(value: int) -> bool:
    """Say whether the whole number fits a column; a larger one names nothing that is stored."""
    return -LARGEST_INTEGER <= value <= LARGEST_INTEGER
