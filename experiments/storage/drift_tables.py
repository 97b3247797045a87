"""The table of drift."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Table

from experiments.storage.columns import Instant, Key
from experiments.storage.tables import metadata

drifts = Table(
    "drifts",
    metadata,
    Column("experiment_key", Key, primary_key=True),
    Column("snapshot_id", BigInteger, primary_key=True, autoincrement=False),
    Column("computed_at", Instant, nullable=False),
    Column("document", JSON, nullable=False),
)
