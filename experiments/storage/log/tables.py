"""The tables of the log."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, UniqueConstraint

from experiments.storage.columns import Instant, Key, Number
from experiments.storage.metadata import metadata, row_id

exposures = Table(
    "exposures",
    metadata,
    row_id(),
    Column("event_id", Key, nullable=False),
    Column("unit_id", Key, nullable=False),
    Column("experiment_key", Key, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("segment", Key, nullable=False),
    Column("variant", Key, nullable=False),
    Column("forced", Boolean, nullable=False),
    Column("channel", Key),
    Column("occurred_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    UniqueConstraint("event_id"),
    Index(None, "experiment_key", "id"),
    Index(None, "unit_id"),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    row_id(),
    Column("event_id", Key, nullable=False),
    Column("unit_id", Key, nullable=False),
    Column("name", Key, nullable=False),
    Column("value", Number),
    Column("channel", Key),
    Column("occurred_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    UniqueConstraint("event_id"),
    Index(None, "name", "id"),
    sqlite_autoincrement=True,
)
