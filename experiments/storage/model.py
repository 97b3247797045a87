"""The whole model: all tables, whichever package they stand in. Migrations are held to it."""

from __future__ import annotations

from experiments.storage.access import tables as access
from experiments.storage.customers import tables as customers
from experiments.storage.experiments import tables as experiments
from experiments.storage.following import tables as following
from experiments.storage.log import tables as log
from experiments.storage.metadata import metadata
from experiments.storage.promotions import tables as promotions
from experiments.storage.results import tables as results
from experiments.storage.studies import tables as studies

SCHEMA_REVISION = "0014"
"""The migration that this model belongs to; a test holds it to the newest script."""

__all__ = [
    "SCHEMA_REVISION",
    "access",
    "customers",
    "experiments",
    "following",
    "log",
    "metadata",
    "promotions",
    "results",
    "studies",
]
