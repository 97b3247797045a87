"""Promotions with steps: a revision, one open promotion per segment, and what live winners have come to.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OPEN = sa.text("state IN ('proposed', 'approved', 'ramping', 'held')")
_APPLIED = sa.text("state = 'applied'")
_PROMOTIONS = sa.table(
    "promotions",
    sa.column("id", sa.BigInteger()),
    sa.column("experiment_key", sa.Text()),
    sa.column("segment", sa.Text()),
    sa.column("revision", sa.BigInteger()),
    sa.column("version_after", sa.BigInteger()),
    sa.column("document", sa.JSON()),
)
_VERSIONS = sa.table(
    "experiment_versions",
    sa.column("experiment_key", sa.Text()),
    sa.column("number", sa.BigInteger()),
    sa.column("document", sa.JSON()),
)
# SQLite copies the table to drop a column of it, and would forget that ids are never given twice.
_KEEP_IDS = {"sqlite_autoincrement": True}


def upgrade() -> None:
    op.add_column("snapshots", sa.Column("realised", sa.JSON(), nullable=False, server_default="{}"))
    op.drop_index("uq_promotions_applied", table_name="promotions")
    op.add_column("promotions", sa.Column("revision", sa.BigInteger(), nullable=False, server_default="0"))
    _fill(lambda row: {"revision": _steps(row.document), "document": _with_share(row)})
    op.execute("UPDATE promotions SET state = 'held' WHERE state = 'applied'")
    with op.batch_alter_table("promotions", table_kwargs=_KEEP_IDS) as table:
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
    op.add_column("promotions", sa.Column("version_after", sa.BigInteger(), nullable=False, server_default="0"))
    _fill(lambda row: {"version_after": _version_after(row.document)})
    op.execute("UPDATE promotions SET state = 'applied' WHERE state = 'held'")
    with op.batch_alter_table("promotions", table_kwargs=_KEEP_IDS) as table:
        table.alter_column("version_after", server_default=None)
        table.drop_column("revision")
    op.create_index(
        "uq_promotions_applied",
        "promotions",
        ["experiment_key", "segment", "version_after"],
        unique=True,
        postgresql_where=_APPLIED,
        sqlite_where=_APPLIED,
    )
    op.drop_column("snapshots", "realised")


def _fill(values: Callable[[sa.Row[Any]], dict[str, Any]]) -> None:
    """Set columns of every promotion from the row itself; there are as many rows as winners ever went live."""
    connection, columns = op.get_bind(), _PROMOTIONS.c
    wanted = sa.select(columns.id, columns.experiment_key, columns.segment, columns.document)
    for row in connection.execute(wanted).all():
        connection.execute(sa.update(_PROMOTIONS).where(columns.id == row.id).values(values(row)))


def _steps(document: dict[str, Any]) -> int:
    """A promotion of before was proposed, approved and put live in one act; then perhaps it ended."""
    if "steps" in document:
        return len(document["steps"])
    return 3 if document["state"] == "applied" else 4


def _with_share(row: sa.Row[Any]) -> dict[str, Any]:
    """Return the document with the share that its variant got, which only the experiment's version told."""
    document: dict[str, Any] = row.document
    if "steps" in document:
        return document
    columns = _VERSIONS.c
    wanted = sa.select(columns.document).where(
        columns.experiment_key == row.experiment_key, columns.number == document["version_after"]
    )
    version = op.get_bind().execute(wanted).scalar_one_or_none() or {"segments": []}
    plans = [plan for plan in version["segments"] if plan["segment"]["key"] == row.segment]
    ranges = [one for plan in plans for one in plan["allocation"] if one[2] == document["variant"]]
    return {**document, "share_bp": sum(end - start for start, end, _ in ranges)} if ranges else document


def _version_after(document: dict[str, Any]) -> int:
    """Return the version that put it live first; 0 where none did."""
    if "steps" not in document:
        return int(document["version_after"])
    return next((step["version_after"] for step in document["steps"] if step["version_after"] is not None), 0)
