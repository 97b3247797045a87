"""A shop in memory whose segments are reported on."""

from __future__ import annotations

import pytest

from experiments.bootstrap import Winnow
from tests.conftest import FakeClock
from tests.unit.segments.reported import new_shop


@pytest.fixture
def shop(clock: FakeClock) -> Winnow:
    return new_shop(clock)
