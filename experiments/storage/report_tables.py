"""The tables of segment reports. No unit is named: members are hashes under the database's salt."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, LargeBinary, Table, Text

from experiments.storage.columns import Instant, Key
from experiments.storage.tables import metadata

segment_reports = Table(
    "segment_reports",
    metadata,
    Column("segment", Key, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("document", JSON, nullable=False),
)

segment_members = Table(
    "segment_members",
    metadata,
    Column("segment", Key, primary_key=True),
    Column("piece", BigInteger, primary_key=True, autoincrement=False),
    Column("taken_at", Instant, nullable=False),
    Column("condition", Text, nullable=False),
    Column("lowest", BigInteger, nullable=False),
    Column("highest", BigInteger, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
)

segment_weeks = Table(
    "segment_weeks",
    metadata,
    Column("segment", Key, primary_key=True),
    Column("ends_at", Instant, primary_key=True),
    Column("starts_at", Instant, nullable=False),
    Column("condition", Text, nullable=False),
    Column("before", BigInteger, nullable=False),
    Column("after", BigInteger, nullable=False),
    Column("stayed", BigInteger, nullable=False),
)
