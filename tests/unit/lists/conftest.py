"""Shops whose databases are empty but for one experiment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.lists.shop import Shop


@pytest.fixture
def shop(sqlite_url: str, tmp_path: Path) -> Shop:
    return Shop(sqlite_url, tmp_path)
