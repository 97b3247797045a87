"""The tables of experiments, of libraries, and of how often the catalog changed."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Table, Text

from experiments.storage.columns import Instant, Key
from experiments.storage.metadata import metadata

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

catalog_version = Table(
    "catalog_version",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)
