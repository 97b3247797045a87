"""initial

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_LIBRARIES = ("segments", "metrics", "layers")
_TABLES = (
    "catalog_version",
    "leases",
    "api_keys",
    "audit",
    "promotions",
    "snapshots",
    "events",
    "exposures",
    *_LIBRARIES,
    "experiment_versions",
    "experiments",
)


def upgrade() -> None:
    _create_experiments()
    for name in _LIBRARIES:
        _create_library(name)
    _create_exposures()
    _create_events()
    _create_snapshots()
    _create_promotions()
    _create_audit()
    _create_api_keys()
    _create_leases()
    _create_catalog_version()


def downgrade() -> None:
    for name in _TABLES:
        op.drop_table(name)


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _key(name: str) -> sa.Column[Any]:
    """Keys and ids sort by code point on every database."""
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def _whole(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def _document(name: str = "document") -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(), nullable=False)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql"), nullable=nullable)


def _row_id() -> sa.Column[Any]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(), nullable=False)


def _create_numbered(name: str, *parts: Any) -> None:
    """Create a table whose ids only grow, on SQLite too."""
    op.create_table(
        name, _row_id(), *parts, sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")), sqlite_autoincrement=True
    )


def _create_experiments() -> None:
    op.create_table(
        "experiments",
        _key("key"),
        _text("status"),
        _whole("version"),
        _whole("epoch"),
        _whole("revision"),
        _instant("created_at"),
        _instant("updated_at"),
        _instant("started_at", nullable=True),
        _instant("stopped_at", nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_experiments")),
    )
    op.create_table(
        "experiment_versions",
        _key("experiment_key"),
        _whole("number"),
        _whole("epoch"),
        sa.Column("paused", sa.Boolean(), nullable=False),
        _document(),
        _instant("created_at"),
        _text("created_by"),
        sa.PrimaryKeyConstraint("experiment_key", "number", name=op.f("pk_experiment_versions")),
        sa.ForeignKeyConstraint(
            ["experiment_key"], ["experiments.key"], name=op.f("fk_experiment_versions_experiment_key_experiments")
        ),
    )


def _create_library(name: str) -> None:
    op.create_table(
        name,
        _key("key"),
        _whole("revision"),
        _document(),
        _instant("updated_at"),
        sa.PrimaryKeyConstraint("key", name=op.f(f"pk_{name}")),
    )


def _create_exposures() -> None:
    _create_numbered(
        "exposures",
        _key("event_id"),
        _key("unit_id"),
        _key("experiment_key"),
        _whole("version"),
        _whole("epoch"),
        _key("segment"),
        _key("variant"),
        sa.Column("forced", sa.Boolean(), nullable=False),
        _instant("occurred_at"),
        _instant("received_at"),
        sa.UniqueConstraint("event_id", name=op.f("uq_exposures_event_id")),
    )
    op.create_index(op.f("ix_exposures_experiment_key_id"), "exposures", ["experiment_key", "id"])


def _create_events() -> None:
    _create_numbered(
        "events",
        _key("event_id"),
        _key("unit_id"),
        _key("name"),
        sa.Column("value", sa.Double(), nullable=True),
        _instant("occurred_at"),
        _instant("received_at"),
        sa.UniqueConstraint("event_id", name=op.f("uq_events_event_id")),
    )
    op.create_index(op.f("ix_events_name_id"), "events", ["name", "id"])


def _create_snapshots() -> None:
    _create_numbered(
        "snapshots",
        _key("experiment_key"),
        _whole("version"),
        _whole("exposure_id"),
        _whole("event_id"),
        _instant("watermark_at"),
        _instant("computed_at"),
        _text("engine_version"),
        _text("input_sha256"),
        _text("report_sha256"),
        _document("moments"),
        _document("report"),
    )
    op.create_index(op.f("ix_snapshots_experiment_key_id"), "snapshots", ["experiment_key", "id"])


def _create_promotions() -> None:
    _create_numbered(
        "promotions",
        _key("promotion_id"),
        _key("experiment_key"),
        _key("segment"),
        _whole("version_after"),
        _text("state"),
        _document(),
        sa.UniqueConstraint("promotion_id", name=op.f("uq_promotions_promotion_id")),
    )
    op.create_index(op.f("ix_promotions_experiment_key_id"), "promotions", ["experiment_key", "id"])
    applied = sa.text("state = 'applied'")
    op.create_index(
        "uq_promotions_applied",
        "promotions",
        ["experiment_key", "segment", "version_after"],
        unique=True,
        postgresql_where=applied,
        sqlite_where=applied,
    )


def _create_audit() -> None:
    _create_numbered(
        "audit",
        _instant("at"),
        _text("actor"),
        _text("action"),
        _key("subject"),
        _document("detail"),
        _text("evidence_sha256", nullable=True),
    )
    op.create_index(op.f("ix_audit_subject_id"), "audit", ["subject", "id"])


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        _key("id"),
        _text("name"),
        _text("secret_sha256"),
        _document("scopes"),
        _instant("created_at"),
        _instant("revoked_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )


def _create_leases() -> None:
    op.create_table(
        "leases",
        _key("name"),
        _text("holder"),
        _instant("expires_at"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )


def _create_catalog_version() -> None:
    table = op.create_table(
        "catalog_version",
        _whole("id"),
        _whole("number"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_version")),
        sa.CheckConstraint("id = 1", name=op.f("ck_catalog_version_one_row")),
    )
    op.bulk_insert(table, [{"id": 1, "number": 1}])
