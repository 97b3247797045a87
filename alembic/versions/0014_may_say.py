"""which attributes could be said when all units were last looked at

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TABLES = ("behaviour_followed", "activity_followed")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("may_say", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    for table in _TABLES:
        op.drop_column(table, "may_say")
