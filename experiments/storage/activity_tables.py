"""The tables of how much units do."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Index, Table

from experiments.storage.columns import Instant, Key
from experiments.storage.tables import metadata

activity = Table(
    "activity",
    metadata,
    Column("unit_id", Key, primary_key=True),
    Column("by_day", JSON, nullable=False),
    Column("due_at", Instant, nullable=False),
    Index(None, "due_at"),
)

activity_followed = Table(
    "activity_followed",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("names", JSON, nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("identity_revision", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)
