"""The tables. Documents rest as JSON text, not JSONB: that keeps the order of keys, which splits depend on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from experiments.storage.columns import Instant, Key, Number, RowId

SCHEMA_REVISION = "0013"
"""The migration that this model belongs to; a test holds it to the newest script."""

IS_OPEN = "state IN ('proposed', 'approved', 'ramping', 'held')"
"""A segment has at most one promotion under way; the database itself sees to it."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _row_id() -> Column[Any]:
    """Ids only ever grow and are never given twice, also after rows were deleted."""
    return Column("id", RowId, Identity(), primary_key=True)


experiments = Table(
    "experiments",
    metadata,
    Column("key", Key, primary_key=True),
    Column("status", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("stopped_at", Instant),
)

experiment_versions = Table(
    "experiment_versions",
    metadata,
    Column("experiment_key", Key, ForeignKey("experiments.key"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("document", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
)


def _library(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("key", Key, primary_key=True),
        Column("revision", BigInteger, nullable=False),
        Column("document", JSON, nullable=False),
        Column("updated_at", Instant, nullable=False),
    )


segments = _library("segments")
metrics = _library("metrics")
layers = _library("layers")
attributes = _library("attributes")
sources = _library("sources")

profiles = Table(
    "profiles",
    metadata,
    Column("unit_id", Key, primary_key=True),
    # Laid over one another when the row was written; requests lay `said` anew, as registry and freshness move on.
    Column("attributes", JSON, nullable=False),
    Column("said", JSON, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index(None, "revision"),
)

behaviour = Table(
    "behaviour",
    metadata,
    Column("unit_id", Key, primary_key=True),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("previous_at", Instant),
    Column("frequency", BigInteger, nullable=False),
    Column("unvalued", BigInteger, nullable=False),
    Column("monetary_cents", BigInteger, nullable=False),
    Column("due_at", Instant, nullable=False),
    Index(None, "due_at"),
)

behaviour_followed = Table(
    "behaviour_followed",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("names", JSON, nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("cuts", JSON(none_as_null=True)),
    Column("cuts_at", Instant),
    Column("cuts_customers", BigInteger, nullable=False),
    Column("identity_revision", BigInteger, nullable=False, server_default="0"),
    CheckConstraint("id = 1", name="one_row"),
)

exposures = Table(
    "exposures",
    metadata,
    _row_id(),
    Column("event_id", Key, nullable=False),
    Column("unit_id", Key, nullable=False),
    Column("experiment_key", Key, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("segment", Key, nullable=False),
    Column("variant", Key, nullable=False),
    Column("forced", Boolean, nullable=False),
    Column("channel", Key),
    Column("occurred_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    UniqueConstraint("event_id"),
    Index(None, "experiment_key", "id"),
    Index(None, "unit_id"),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    _row_id(),
    Column("event_id", Key, nullable=False),
    Column("unit_id", Key, nullable=False),
    Column("name", Key, nullable=False),
    Column("value", Number),
    Column("channel", Key),
    Column("occurred_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    UniqueConstraint("event_id"),
    Index(None, "name", "id"),
    sqlite_autoincrement=True,
)

# No unit is named here: of who was erased only the digest is known, so that what arrives late is known too.
erasures = Table(
    "erasures",
    metadata,
    _row_id(),
    Column("erasure_id", Key, nullable=False),
    Column("unit_digest", Key, nullable=False),
    Column("erased_at", Instant, nullable=False),
    Column("profile_revision", BigInteger, nullable=False),
    UniqueConstraint("erasure_id"),
    Index(None, "erased_at"),
    sqlite_autoincrement=True,
)

erasure_salt = Table(
    "erasure_salt",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("salt", Text, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

snapshots = Table(
    "snapshots",
    metadata,
    _row_id(),
    Column("experiment_key", Key, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("exposure_id", BigInteger, nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("identity_revision", BigInteger, nullable=False, server_default="0"),
    Column("watermark_at", Instant, nullable=False),
    Column("computed_at", Instant, nullable=False),
    Column("engine_version", Text, nullable=False),
    Column("input_sha256", Text, nullable=False),
    Column("report_sha256", Text, nullable=False),
    Column("moments", JSON, nullable=False),
    Column("report", JSON, nullable=False),
    Column("realised", JSON, nullable=False, server_default="{}"),
    Column("supplement", JSON, nullable=False, server_default="{}"),
    Index(None, "experiment_key", "id"),
    sqlite_autoincrement=True,
)

promotions = Table(
    "promotions",
    metadata,
    _row_id(),
    Column("promotion_id", Key, nullable=False),
    Column("experiment_key", Key, nullable=False),
    Column("segment", Key, nullable=False),
    Column("state", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("document", JSON, nullable=False),
    UniqueConstraint("promotion_id"),
    Index(None, "experiment_key", "id"),
    Index(None, "state", "id"),
    Index(
        "uq_promotions_open",
        "experiment_key",
        "segment",
        unique=True,
        postgresql_where=text(IS_OPEN),
        sqlite_where=text(IS_OPEN),
    ),
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    metadata,
    _row_id(),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Key, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("evidence_sha256", Text),
    Index(None, "subject", "id"),
    sqlite_autoincrement=True,
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_sha256", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("tags", JSON, nullable=False, server_default="[]"),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Key, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Key, primary_key=True),
    Column("url", Text, nullable=False),
    Column("kinds", JSON, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("secret", Text, nullable=False),
    Column("retired_secret", Text),
    Column("retired_until", Instant),
    Column("revision", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("id", Key, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("experiment_key", Key),
    Column("segment", Key),
    Column("at", Instant, nullable=False),
    Column("title", Text, nullable=False),
    Column("payload", JSON, nullable=False),
    Index(None, "at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    _row_id(),
    Column("notice_id", Key, ForeignKey("notices.id"), nullable=False),
    # No foreign key: a webhook that is removed at the same moment must not make a promotion fail.
    Column("target", Key, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("next_attempt_at", Instant, nullable=False),
    Column("last_status", BigInteger),
    Column("last_error", Text),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index(None, "notice_id"),
    Index(None, "target", "id"),
    Index(None, "state", "updated_at"),
    Index(
        "ix_deliveries_due",
        "next_attempt_at",
        "id",
        postgresql_where=text("state = 'pending'"),
        sqlite_where=text("state = 'pending'"),
    ),
    sqlite_autoincrement=True,
)

catalog_version = Table(
    "catalog_version",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

profile_revision = Table(
    "profile_revision",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)
