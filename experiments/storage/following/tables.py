"""The tables of what was counted of customers."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Index, Table

from experiments.storage.columns import Instant, Key
from experiments.storage.metadata import metadata

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
    Column("may_say", JSON, nullable=False, server_default="{}"),
    CheckConstraint("id = 1", name="one_row"),
)

activity = Table(
    "activity",
    metadata,
    Column("unit_id", Key, primary_key=True),
    Column("by_day", JSON, nullable=False),
    Column("due_at", Instant, nullable=False),
    Index(None, "due_at"),
)

activity_followed = Table(
    "activity_followed",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("names", JSON, nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("identity_revision", BigInteger, nullable=False),
    Column("may_say", JSON, nullable=False, server_default="{}"),
    CheckConstraint("id = 1", name="one_row"),
)
