"""The tables of customers: profiles, consent, who is who, who was erased."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Index, Table, Text, UniqueConstraint

from experiments.storage.columns import Instant, Key
from experiments.storage.metadata import metadata, row_id

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

profile_revision = Table(
    "profile_revision",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

consents = Table(
    "consents",
    metadata,
    Column("unit_digest", Key, primary_key=True),
    Column("state", Text, nullable=False),
    Column("said_at", Instant, nullable=False),
    Column("since", Instant, nullable=False),
    Column("said_by", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index(None, "state", "unit_digest"),
    Index(None, "state", "since"),
    Index(None, "revision"),
)

identities = Table(
    "identities",
    metadata,
    Column("unit_id", Key, primary_key=True),
    Column("person_id", Key, nullable=False),
    Column("bucketed_as", Key, nullable=False),
    Column("linked_at", Instant, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index(None, "person_id"),
    Index(None, "revision"),
)

# `removed_at`: the revision at which rows were removed last; they have no names any more to tell who they were.
identity_revision = Table(
    "identity_revision",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("removed_at", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

# No unit is named here: of who was erased only the digest is known, so that what arrives late is known too.
erasures = Table(
    "erasures",
    metadata,
    row_id(),
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
