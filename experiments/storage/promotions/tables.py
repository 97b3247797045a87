"""The tables of promotions and notices."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Table, Text, UniqueConstraint, text

from experiments.storage.columns import Instant, Key
from experiments.storage.metadata import metadata, row_id

IS_OPEN = "state IN ('proposed', 'approved', 'ramping', 'held')"
"""A segment has at most one promotion under way; the database itself sees to it."""

promotions = Table(
    "promotions",
    metadata,
    row_id(),
    Column("promotion_id", Key, nullable=False),
    Column("experiment_key", Key, nullable=False),
    Column("segment", Key, nullable=False),
    Column("state", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("document", JSON, nullable=False),
    UniqueConstraint("promotion_id"),
    Index(None, "experiment_key", "id"),
    Index(None, "state", "id"),
    Index(
        "uq_promotions_open",
        "experiment_key",
        "segment",
        unique=True,
        postgresql_where=text(IS_OPEN),
        sqlite_where=text(IS_OPEN),
    ),
    sqlite_autoincrement=True,
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Key, primary_key=True),
    Column("url", Text, nullable=False),
    Column("kinds", JSON, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("secret", Text, nullable=False),
    Column("retired_secret", Text),
    Column("retired_until", Instant),
    Column("revision", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("id", Key, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("experiment_key", Key),
    Column("segment", Key),
    Column("at", Instant, nullable=False),
    Column("title", Text, nullable=False),
    Column("payload", JSON, nullable=False),
    Index(None, "at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    row_id(),
    Column("notice_id", Key, ForeignKey("notices.id"), nullable=False),
    # No foreign key: a webhook that is removed at the same moment must not make a promotion fail.
    Column("target", Key, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("next_attempt_at", Instant, nullable=False),
    Column("last_status", BigInteger),
    Column("last_error", Text),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index(None, "notice_id"),
    Index(None, "target", "id"),
    Index(None, "state", "updated_at"),
    Index(
        "ix_deliveries_due",
        "next_attempt_at",
        "id",
        postgresql_where=text("state = 'pending'"),
        sqlite_where=text("state = 'pending'"),
    ),
    sqlite_autoincrement=True,
)
