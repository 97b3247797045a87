"""what customers bought, and how far the log was followed for it

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "behaviour",
        sa.Column("unit_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        _instant("first_at", nullable=False),
        _instant("last_at", nullable=False),
        _instant("previous_at", nullable=True),
        _whole("frequency"),
        _whole("unvalued"),
        _whole("monetary_cents"),
        _instant("due_at", nullable=False),
        sa.PrimaryKeyConstraint("unit_id", name=op.f("pk_behaviour")),
    )
    op.create_index(op.f("ix_behaviour_due_at"), "behaviour", ["due_at"])
    followed = op.create_table(
        "behaviour_followed",
        _whole("id"),
        sa.Column("names", sa.JSON(), nullable=False),
        _whole("event_id"),
        sa.Column("cuts", sa.JSON(), nullable=True),
        _instant("cuts_at", nullable=True),
        _whole("cuts_customers"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_behaviour_followed")),
        sa.CheckConstraint("id = 1", name=op.f("ck_behaviour_followed_one_row")),
    )
    op.bulk_insert(followed, [{"id": 1, "names": [], "event_id": 0, "cuts_customers": 0}])


def downgrade() -> None:
    for name in ("behaviour_followed", "behaviour"):
        op.drop_table(name)


def _whole(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def _instant(name: str, *, nullable: bool) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql"), nullable=nullable)
