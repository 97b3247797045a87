"""who consents and who refuses, by digest

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consents",
        sa.Column("unit_digest", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        _instant("said_at"),
        _instant("since"),
        sa.Column("said_by", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("unit_digest", name=op.f("pk_consents")),
    )
    op.create_index(op.f("ix_consents_state_unit_digest"), "consents", ["state", "unit_digest"])
    op.create_index(op.f("ix_consents_state_since"), "consents", ["state", "since"])
    op.create_index(op.f("ix_consents_revision"), "consents", ["revision"])


def downgrade() -> None:
    op.drop_table("consents")


def _instant(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql"), nullable=False)
