"""The wall clock is set back and forth, by hours and under load: nothing is refused, lost, doubled or stands still."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, func, select

from experiments.storage.access.tables import leases
from experiments.storage.engine import normalised
from experiments.storage.log.tables import events
from tests.e2e.load import Load, assert_stored_once
from tests.e2e.offered import offered, start_worker, working
from tests.e2e.wall_clock import WallClock

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

HOUR = 3_600


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = create_engine(normalised(url))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def holder(url: str) -> str | None:
    with connected(url) as connection:
        return connection.execute(select(leases.c.holder).where(leases.c.name == "worker")).scalar()


def wait_for_other_holder(url: str, than: str | None) -> str:
    deadline = time.monotonic() + 30
    while (found := holder(url)) in (None, than):
        assert time.monotonic() < deadline, f"{than} is still said to work"
        time.sleep(0.05)
    assert found is not None
    return found


def test_the_clock_is_set_back_and_forth_under_load(sql_url: str, tmp_path: Path) -> None:
    wall = WallClock(tmp_path / "clock")
    with (
        offered(sql_url, tmp_path, **wall.environment) as (server, key),
        working(sql_url, tmp_path / "worker.log", **wall.environment) as workers,
    ):
        wait_for_other_holder(sql_url, than=None)
        with Load(server.address, key) as load:
            for seconds in (-HOUR, 2 * HOUR, -30, 0):
                wall.step_to(seconds)
                load.wait_for_more(20)
        server.wait_until_drained()
        assert set(load.answers) == {"200", "202"}, load.answers
        assert workers[0].poll() is None
    assert_stored_once(sql_url, load)
    with connected(sql_url) as connection:
        times = connection.execute(select(func.min(events.c.received_at), func.max(events.c.received_at))).one()
    now = datetime.now(UTC).replace(tzinfo=times[0].tzinfo)
    assert times[0] < now - timedelta(minutes=50), "the servers did not go by this clock"
    assert times[1] > now + timedelta(minutes=110)


def test_a_worker_that_died_in_the_future_is_followed_at_once(sqlite_url: str, tmp_path: Path) -> None:
    """Its lease ends in two hours."""
    wall, log = WallClock(tmp_path / "clock"), tmp_path / "worker.log"
    wall.step_to(2 * HOUR)
    with working(sqlite_url, log, **wall.environment) as workers:
        first = wait_for_other_holder(sqlite_url, than=None)
        workers[0].kill()
        workers[0].wait(30)
        wall.step_to(0)
        workers[0] = start_worker(sqlite_url, log, **wall.environment)
        wait_for_other_holder(sqlite_url, than=first)
