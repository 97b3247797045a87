"""The tables of results."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Table, Text

from experiments.storage.columns import Instant, Key
from experiments.storage.metadata import metadata, row_id

snapshots = Table(
    "snapshots",
    metadata,
    row_id(),
    Column("experiment_key", Key, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("exposure_id", BigInteger, nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("identity_revision", BigInteger, nullable=False, server_default="0"),
    Column("watermark_at", Instant, nullable=False),
    Column("computed_at", Instant, nullable=False),
    Column("engine_version", Text, nullable=False),
    Column("input_sha256", Text, nullable=False),
    Column("report_sha256", Text, nullable=False),
    Column("moments", JSON, nullable=False),
    Column("report", JSON, nullable=False),
    Column("realised", JSON, nullable=False, server_default="{}"),
    Column("supplement", JSON, nullable=False, server_default="{}"),
    Index(None, "experiment_key", "id"),
    sqlite_autoincrement=True,
)

drifts = Table(
    "drifts",
    metadata,
    Column("experiment_key", Key, primary_key=True),
    Column("snapshot_id", BigInteger, primary_key=True, autoincrement=False),
    Column("computed_at", Instant, nullable=False),
    Column("document", JSON, nullable=False),
)
