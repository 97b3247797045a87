"""Winnow's client for Python: which variant a unit sees, decided in the process, and what came of it."""

from winnow_client.assignment import Assignment
from winnow_client.catalog import Catalog, CatalogError, compile_catalog
from winnow_client.client import Client, Stats
from winnow_client.outbox import Sent

__all__ = ["Assignment", "Catalog", "CatalogError", "Client", "Sent", "Stats", "compile_catalog"]
