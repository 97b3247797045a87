"""how much units do, by day, and how far the log was followed for it

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "activity",
        sa.Column("unit_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("by_day", sa.JSON(), nullable=False),
        sa.Column("due_at", sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("unit_id", name=op.f("pk_activity")),
    )
    op.create_index(op.f("ix_activity_due_at"), "activity", ["due_at"])
    followed = op.create_table(
        "activity_followed",
        _whole("id"),
        sa.Column("names", sa.JSON(), nullable=False),
        _whole("event_id"),
        _whole("identity_revision"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity_followed")),
        sa.CheckConstraint("id = 1", name=op.f("ck_activity_followed_one_row")),
    )
    op.bulk_insert(followed, [{"id": 1, "names": [], "event_id": 0, "identity_revision": 0}])


def downgrade() -> None:
    for name in ("activity_followed", "activity"):
        op.drop_table(name)


def _whole(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)
