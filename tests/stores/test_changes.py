"""Hearing of changes of the catalog that others make."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

import pytest
from sqlalchemy import text

from experiments.domain.experiment import Experiment
from experiments.storage.engine import make_engine
from experiments.storage.experiments.catalog_changes import PolledFeed, PostgresFeed
from experiments.storage.unit_of_work import open_database

LONG, SOON = 20.0, 5.0


@pytest.mark.slow
def test_postgres_tells_at_once_and_only_of_what_is_committed(
    postgres_url: str, experiment: Callable[..., Experiment]
) -> None:
    database = open_database(postgres_url)
    feed = database.changes()
    feed.wait(LONG)  # the first ends as soon as it listens
    began = monotonic()
    feed.wait(0.2)
    assert monotonic() - began >= 0.2
    with database.unit_of_work() as work:
        work.experiments.add(experiment("home"))
        feed.wait(0.2)
        assert monotonic() - began >= 0.4
        work.commit()
    began = monotonic()
    feed.wait(LONG)
    assert monotonic() - began < SOON
    feed.close()
    database.close()


@pytest.mark.slow
def test_a_broken_connection_is_made_anew(postgres_url: str) -> None:
    engine = make_engine(postgres_url)
    feed = PostgresFeed(engine)
    feed.wait(LONG)
    with engine.begin() as connection:
        listening = "pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
        ended = connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM {listening}"))
        assert ended.scalars().all() == [True]
    feed.wait(0.1)  # finds out
    feed.wait(LONG)  # listens again
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_notify('winnow_catalog', '')"))
    began = monotonic()
    feed.wait(LONG)
    assert monotonic() - began < SOON
    feed.close()
    engine.dispose()


def test_without_being_told_one_waits_for_the_time_that_was_said_or_for_the_end() -> None:
    feed = PolledFeed()
    began = monotonic()
    feed.wait(0.05)
    assert 0.05 <= monotonic() - began < SOON
    threading.Timer(0.05, feed.close).start()
    feed.wait(LONG)
    assert monotonic() - began < SOON
