"""who has moved to another segment since exposure

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "drifts",
        sa.Column("experiment_key", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("snapshot_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("computed_at", sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql"), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("experiment_key", "snapshot_id", name=op.f("pk_drifts")),
    )


def downgrade() -> None:
    op.drop_table("drifts")
