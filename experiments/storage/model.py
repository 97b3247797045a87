"""The whole model: all tables, whichever module they stand in. Migrations are held to it."""

from __future__ import annotations

from experiments.storage import (
    activity_tables,
    consent_tables,
    drift_tables,
    identity_tables,
    report_tables,
    study_tables,
    tables,
)

metadata = tables.metadata

__all__ = [
    "activity_tables",
    "consent_tables",
    "drift_tables",
    "identity_tables",
    "metadata",
    "report_tables",
    "study_tables",
    "tables",
]
