"""The tables of segment reports, of studies and of imported lists."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, LargeBinary, Table, Text

from experiments.storage.columns import Instant, Key
from experiments.storage.metadata import metadata

# No unit is named in reports: members are hashes under the database's salt.
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

studies = Table(
    "studies",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Key, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("made_at", Instant, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("document", JSON, nullable=False),
)

adoptions = Table(
    "adoptions",
    metadata,
    # No foreign keys: what a segment was made of stays true whatever becomes of either.
    Column("segment", Key, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Key, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("group_key", Key, nullable=False),
    Column("adopted_at", Instant, nullable=False),
    Column("adopted_by", Text, nullable=False),
    Index(None, "kind", "name"),
)

imported_lists = Table(
    "imported_lists",
    metadata,
    Column("key", Key, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("digest", Text, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("started_by", Text, nullable=False),
    Column("finished_at", Instant),
)
