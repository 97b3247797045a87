"""attributes, their sources, and profiles

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_LIBRARIES = ("attributes", "sources")


def upgrade() -> None:
    for name in _LIBRARIES:
        _create_library(name)
    _create_profiles()
    _create_profile_revision()


def downgrade() -> None:
    for name in ("profile_revision", "profiles", *_LIBRARIES):
        op.drop_table(name)


def _key(name: str) -> sa.Column[Any]:
    """Keys and ids sort by code point on every database."""
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def _whole(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def _document(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(), nullable=False)


def _instant(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql"), nullable=False)


def _create_library(name: str) -> None:
    op.create_table(
        name,
        _key("key"),
        _whole("revision"),
        _document("document"),
        _instant("updated_at"),
        sa.PrimaryKeyConstraint("key", name=op.f(f"pk_{name}")),
    )


def _create_profiles() -> None:
    op.create_table(
        "profiles",
        _key("unit_id"),
        _document("attributes"),
        _document("said"),
        _whole("revision"),
        _instant("updated_at"),
        sa.PrimaryKeyConstraint("unit_id", name=op.f("pk_profiles")),
    )
    op.create_index(op.f("ix_profiles_revision"), "profiles", ["revision"])


def _create_profile_revision() -> None:
    counter = op.create_table(
        "profile_revision",
        _whole("id"),
        _whole("number"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile_revision")),
        sa.CheckConstraint("id = 1", name=op.f("ck_profile_revision_one_row")),
    )
    op.bulk_insert(counter, [{"id": 1, "number": 0}])
