"""The tables of keys, leases and audit."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, Table, Text

from experiments.storage.columns import Instant, Key
from experiments.storage.metadata import metadata, row_id

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_sha256", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("tags", JSON, nullable=False, server_default="[]"),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Key, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    row_id(),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Key, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("evidence_sha256", Text),
    Index(None, "subject", "id"),
    sqlite_autoincrement=True,
)
