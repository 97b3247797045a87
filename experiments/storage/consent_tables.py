"""The table of consent."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text

from experiments.storage.columns import Instant, Key
from experiments.storage.tables import metadata

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
