"""The command line and the API over one database."""

from __future__ import annotations

import pytest

from experiments.storage.unit_of_work import open_database
from tests.conftest import FakeClock
from tests.http.api_client import Caller
from tests.http.conftest import caller


@pytest.fixture
def api(sqlite_url: str, clock: FakeClock) -> Caller:
    """Somebody who may do everything over HTTP, on the database that commands are told of."""
    return caller(open_database(sqlite_url).unit_of_work, clock)
