"""who was erased, by digest

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_erasures()
    _create_salt()


def downgrade() -> None:
    op.drop_table("erasure_salt")
    op.drop_table("erasures")


def _key(name: str) -> sa.Column[Any]:
    """Keys and ids sort by code point on every database."""
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def _whole(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def _create_erasures() -> None:
    op.create_table(
        "erasures",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        _key("erasure_id"),
        _key("unit_digest"),
        sa.Column("erased_at", sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql"), nullable=False),
        _whole("profile_revision"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
        sa.UniqueConstraint("erasure_id", name=op.f("uq_erasures_erasure_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_erasures_erased_at"), "erasures", ["erased_at"])


def _create_salt() -> None:
    """A salt of the database's own: digests outlive every key of the service, and nobody can compare them elsewhere."""
    salts = op.create_table(
        "erasure_salt",
        _whole("id"),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure_salt")),
        sa.CheckConstraint("id = 1", name=op.f("ck_erasure_salt_one_row")),
    )
    op.bulk_insert(salts, [{"id": 1, "salt": secrets.token_hex(32)}])
