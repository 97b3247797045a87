"""who is who: ids of one person; and through which channel

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identities",
        _key("unit_id"),
        _key("person_id"),
        _key("bucketed_as"),
        sa.Column("linked_at", sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql"), nullable=False),
        _whole("revision"),
        sa.PrimaryKeyConstraint("unit_id", name=op.f("pk_identities")),
    )
    op.create_index(op.f("ix_identities_person_id"), "identities", ["person_id"])
    op.create_index(op.f("ix_identities_revision"), "identities", ["revision"])
    counter = op.create_table(
        "identity_revision",
        _whole("id"),
        _whole("number"),
        _whole("removed_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_revision")),
        sa.CheckConstraint("id = 1", name=op.f("ck_identity_revision_one_row")),
    )
    op.bulk_insert(counter, [{"id": 1, "number": 0, "removed_at": 0}])
    for table in ("snapshots", "behaviour_followed"):
        op.add_column(table, sa.Column("identity_revision", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("snapshots", sa.Column("supplement", sa.JSON(), nullable=False, server_default="{}"))
    for table in ("exposures", "events"):
        op.add_column(table, _key("channel", nullable=True))
    op.create_index(op.f("ix_exposures_unit_id"), "exposures", ["unit_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_exposures_unit_id"), table_name="exposures")
    for table in ("events", "exposures"):
        op.drop_column(table, "channel")
    op.drop_column("snapshots", "supplement")
    for table in ("behaviour_followed", "snapshots"):
        op.drop_column(table, "identity_revision")
    for name in ("identity_revision", "identities"):
        op.drop_table(name)


def _key(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    """Keys and ids sort by code point on every database."""
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=nullable)


def _whole(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)
