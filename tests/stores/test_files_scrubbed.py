"""What was erased does not stay in SQLite's write-ahead log, however long somebody reads there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from experiments.bootstrap import Winnow, build
from experiments.services.forgetting import files
from experiments.settings import Settings
from experiments.storage.unit_of_work import SqlDatabase, open_database
from tests.conftest import FakeClock

PERSON = "erase-me-4711"


@pytest.fixture
def database(sqlite_url: str) -> Iterator[SqlDatabase]:
    opened = open_database(sqlite_url)
    assert isinstance(opened, SqlDatabase)
    yield opened
    opened.close()


@pytest.fixture
def winnow(database: SqlDatabase, clock: FakeClock) -> Winnow:
    return build(Settings(), open_unit_of_work=database.unit_of_work, clock=clock)


@contextmanager
def reading(database: SqlDatabase) -> Iterator[None]:
    """Stand in the middle of a report."""
    with database.unit_of_work(read_only=True) as work:
        work.erasures.number()
        yield


def test_who_reads_meanwhile_only_delays_it(
    database: SqlDatabase, winnow: Winnow, event: Any, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "AGAIN_SECONDS", 0.0)
    log = Path(f"{make_url(sqlite_url).database}-wal")
    with database.unit_of_work() as work:
        work.log.append_events([event("e1", PERSON)], received_at=winnow.clock())
        work.commit()
    winnow.file_scrubber.follow()
    with reading(database):
        winnow.eraser.erase(PERSON, actor="test")
        winnow.file_scrubber.follow()
        assert PERSON.encode() in log.read_bytes()
    winnow.file_scrubber.follow()
    assert PERSON.encode() not in log.read_bytes()


def test_a_process_that_looked_between_mark_and_deletion_looks_again(
    database: SqlDatabase, winnow: Winnow, event: Any, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, find = Path(f"{make_url(sqlite_url).database}-wal"), winnow.eraser._find
    with database.unit_of_work() as work:
        work.log.append_events([event("e1", PERSON)], received_at=winnow.clock())
        work.commit()
    readers = []

    def looked_at_meanwhile(unit_id: str) -> Any:
        winnow.file_scrubber.follow()
        readers.append(reading(database))
        readers[0].__enter__()
        return find(unit_id)

    monkeypatch.setattr(winnow.eraser, "_find", looked_at_meanwhile)
    winnow.eraser.erase(PERSON, actor="test")
    readers[0].__exit__(None, None, None)
    winnow.file_scrubber.follow()
    assert log.read_bytes() == b""
