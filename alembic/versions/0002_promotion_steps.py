"""Promotions with steps: a revision, one open promotion per segment, and what live winners have come to.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OPEN = sa.text("state IN ('proposed', 'approved', 'ramping', 'held')")
_APPLIED = sa.text("state = 'applied'")


def upgrade() -> None:
    with op.batch_alter_table("snapshots") as table:
        table.add_column(sa.Column("realised", sa.JSON(), nullable=False, server_default="{}"))
    op.drop_index("uq_promotions_applied", table_name="promotions")
    with op.batch_alter_table("promotions") as table:
        table.add_column(sa.Column("revision", sa.BigInteger(), nullable=False, server_default="3"))
    # A promotion of before was proposed, approved and put live in one act; then perhaps it ended.
    op.execute("UPDATE promotions SET revision = 4 WHERE state <> 'applied'")
    op.execute("UPDATE promotions SET state = 'held' WHERE state = 'applied'")
    with op.batch_alter_table("promotions") as table:
        table.alter_column("revision", server_default=None)
        table.drop_column("version_after")
    op.create_index(op.f("ix_promotions_state_id"), "promotions", ["state", "id"])
    op.create_index(
        "uq_promotions_open",
        "promotions",
        ["experiment_key", "segment"],
        unique=True,
        postgresql_where=_OPEN,
        sqlite_where=_OPEN,
    )


def downgrade() -> None:
    """Documents of newer promotions stay as they are: the release before cannot read them."""
    op.drop_index("uq_promotions_open", table_name="promotions")
    op.drop_index(op.f("ix_promotions_state_id"), table_name="promotions")
    op.execute("UPDATE promotions SET state = 'applied' WHERE state = 'held'")
    with op.batch_alter_table("promotions") as table:
        table.add_column(sa.Column("version_after", sa.BigInteger(), nullable=False, server_default="0"))
        table.drop_column("revision")
    with op.batch_alter_table("promotions") as table:
        table.alter_column("version_after", server_default=None)
    op.create_index(
        "uq_promotions_applied",
        "promotions",
        ["experiment_key", "segment", "version_after"],
        unique=True,
        postgresql_where=_APPLIED,
        sqlite_where=_APPLIED,
    )
    with op.batch_alter_table("snapshots") as table:
        table.drop_column("realised")
