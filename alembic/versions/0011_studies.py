"""studies, the segments that were made of them, and imported lists

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "studies",
        _text("kind"),
        _key("name"),
        _whole("version"),
        _instant("made_at", nullable=False),
        _text("made_by"),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "version", name=op.f("pk_studies")),
    )
    op.create_table(
        "adoptions",
        _key("segment"),
        _text("kind"),
        _key("name"),
        _whole("version"),
        _key("group_key"),
        _instant("adopted_at", nullable=False),
        _text("adopted_by"),
        sa.PrimaryKeyConstraint("segment", name=op.f("pk_adoptions")),
    )
    op.create_index(op.f("ix_adoptions_kind_name"), "adoptions", ["kind", "name"])
    op.create_table(
        "imported_lists",
        _key("key"),
        _instant("at", nullable=False),
        _text("digest"),
        _whole("units"),
        _text("started_by"),
        _instant("finished_at", nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_imported_lists")),
    )


def downgrade() -> None:
    for name in ("imported_lists", "adoptions", "studies"):
        op.drop_table(name)


def _key(name: str) -> sa.Column[Any]:
    """Keys sort by code point on every database."""
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def _whole(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def _instant(name: str, *, nullable: bool) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql"), nullable=nullable)
