"""The tables of who is who."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Table

from experiments.storage.columns import Instant, Key
from experiments.storage.tables import metadata

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
