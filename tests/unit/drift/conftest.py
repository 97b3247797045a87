"""A shop in memory whose customers move between segments."""

from __future__ import annotations

import pytest

from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock
from tests.unit.drift.shop import Shop, open_shop


@pytest.fixture
def shop(clock: FakeClock) -> Shop:
    return open_shop(MemoryDatabase().unit_of_work, clock)
