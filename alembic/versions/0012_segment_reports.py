"""what the worker found of segments: reports, who was in, and who came and went per week

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "segment_reports",
        _segment(),
        _whole("number"),
        _whole("revision"),
        _instant("made_at"),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("segment", "number", name=op.f("pk_segment_reports")),
    )
    op.create_table(
        "segment_members",
        _segment(),
        _whole("piece"),
        _instant("taken_at"),
        sa.Column("condition", sa.Text(), nullable=False),
        _whole("lowest"),
        _whole("highest"),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("segment", "piece", name=op.f("pk_segment_members")),
    )
    op.create_table(
        "segment_weeks",
        _segment(),
        _instant("ends_at"),
        _instant("starts_at"),
        sa.Column("condition", sa.Text(), nullable=False),
        _whole("before"),
        _whole("after"),
        _whole("stayed"),
        sa.PrimaryKeyConstraint("segment", "ends_at", name=op.f("pk_segment_weeks")),
    )


def downgrade() -> None:
    for name in ("segment_weeks", "segment_members", "segment_reports"):
        op.drop_table(name)


def _segment() -> sa.Column[Any]:
    return sa.Column("segment", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def _whole(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def _instant(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql"), nullable=False)
