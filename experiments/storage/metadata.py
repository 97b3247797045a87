"""What tables share. Documents rest as JSON text, not JSONB: that keeps the order of keys, which splits depend on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Identity, MetaData

from experiments.storage.columns import RowId

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def row_id() -> Column[Any]:
    """Ids only ever grow and are never given twice, also after rows were deleted."""
    return Column("id", RowId, Identity(), primary_key=True)
