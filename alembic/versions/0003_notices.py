"""notices, their deliveries, and webhooks

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_webhooks()
    _create_notices()
    _create_deliveries()


def downgrade() -> None:
    for name in ("deliveries", "notices", "webhooks"):
        op.drop_table(name)


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _key(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    """Keys and ids sort by code point on every database."""
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=nullable)


def _whole(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=nullable)


def _document(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(), nullable=False)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql"), nullable=nullable)


def _create_webhooks() -> None:
    op.create_table(
        "webhooks",
        _key("id"),
        _text("url"),
        _document("kinds"),
        sa.Column("active", sa.Boolean(), nullable=False),
        _text("secret"),
        _text("retired_secret", nullable=True),
        _instant("retired_until", nullable=True),
        _whole("revision"),
        _instant("created_at"),
        _instant("updated_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )


def _create_notices() -> None:
    op.create_table(
        "notices",
        _key("id"),
        _text("kind"),
        _key("experiment_key", nullable=True),
        _key("segment", nullable=True),
        _instant("at"),
        _text("title"),
        _document("payload"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    op.create_index(op.f("ix_notices_at"), "notices", ["at"])


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(), nullable=False),
        _key("notice_id"),
        _key("target"),
        _text("state"),
        _whole("attempts"),
        _instant("next_attempt_at"),
        _whole("last_status", nullable=True),
        _text("last_error", nullable=True),
        _instant("created_at"),
        _instant("updated_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_deliveries_notice_id_notices")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_deliveries_notice_id"), "deliveries", ["notice_id"])
    op.create_index(op.f("ix_deliveries_target_id"), "deliveries", ["target", "id"])
    op.create_index(op.f("ix_deliveries_state_updated_at"), "deliveries", ["state", "updated_at"])
    pending = sa.text("state = 'pending'")
    op.create_index(
        "ix_deliveries_due", "deliveries", ["next_attempt_at", "id"], postgresql_where=pending, sqlite_where=pending
    )
