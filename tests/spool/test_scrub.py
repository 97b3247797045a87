"""Scrubbing: what was deleted leaves no bytes in a spool file, and whoever was erased no dead rows."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from experiments.services.forgetting.erase import Eraser
from experiments.services.recording.lines import to_lines
from experiments.spool.drain import Drain
from experiments.spool.file import SpoolFile
from experiments.spool.hold import hold_new
from experiments.spool.scrub import Scrubber
from experiments.spool.search import FolderSpools
from experiments.spool.spool import Spool
from tests.spool.conftest import NOW, Flaky, event, exposure

PERSON = "customer-who-was-erased"


def rows(batch: int, unit_id: str):
    happened = [event(f"{unit_id}-{batch}-{place}", unit_id=unit_id) for place in range(40)]
    return to_lines(happened, [exposure(f"x-{batch}", unit_id=unit_id)], received_at=NOW)


def files_with(folder: Path, text: str) -> int:
    return sum(text.encode() in path.read_bytes() for path in folder.iterdir())


def erase(flaky: Flaky) -> None:
    Eraser(flaky.database.unit_of_work, lambda: NOW, lambda units: None, None).erase(PERSON, actor="test")


@pytest.fixture
def file(tmp_path: Path) -> SpoolFile:
    """Drained already; of its dead rows, one is of the person."""
    file = SpoolFile(hold_new(tmp_path))
    file.write([rows(batch, PERSON) for batch in range(50)], forget=0)
    file.write([rows(99, "somebody-else")], forget=50)
    file.bury(to_lines([event("dead1", unit_id=PERSON)], [], received_at=NOW), "refused")
    file.bury(to_lines([], [exposure("dead2", unit_id="somebody-else")], received_at=NOW), "refused")
    return file


def test_a_scrubbed_file_has_no_byte_of_who_was_erased(file: SpoolFile, tmp_path: Path, flaky: Flaky) -> None:
    scrubber = Scrubber(flaky.database.unit_of_work)
    scrubber.look()
    assert not scrubber.is_due(file.hold.path)
    erase(flaky)
    scrubber.look()
    assert scrubber.is_due(file.hold.path)
    assert files_with(tmp_path, PERSON) > 0
    assert scrubber.scrub(file)
    assert files_with(tmp_path, PERSON) == 0
    assert not scrubber.is_due(file.hold.path)
    assert (file.depth().rows, file.depth().dead_rows) == (41, 1)
    assert files_with(tmp_path, "somebody-else") == 1
    assert file.write([rows(100, "somebody-else")], forget=0) == 52  # ids go on
    file.close()


def test_who_looks_into_the_file_puts_it_off(file: SpoolFile, tmp_path: Path, flaky: Flaky) -> None:
    erase(flaky)
    scrubber = Scrubber(flaky.database.unit_of_work)
    scrubber.look()
    with closing(sqlite3.connect(file.hold.path, timeout=0)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM requests").fetchone()
        assert not scrubber.scrub(file)
        assert scrubber.is_due(file.hold.path)
    assert scrubber.scrub(file)
    assert files_with(tmp_path, PERSON) == 0
    file.close()


def test_what_waits_is_dropped_on_its_way_and_not_by_scrubbing(tmp_path: Path, flaky: Flaky) -> None:
    file = SpoolFile(hold_new(tmp_path))
    file.write([rows(1, PERSON), rows(1, "somebody-else")], forget=0)
    erase(flaky)
    scrubber = Scrubber(flaky.database.unit_of_work)
    scrubber.look()
    assert not scrubber.empties(file)
    assert file.depth().rows == 82
    drain = Drain(file, flaky)
    while drain.step():
        pass
    assert flaky.counts() == (1, 40)
    assert drain.dead_rows == 0
    file.close()


def test_a_running_spool_scrubs_its_own_file(tmp_path: Path, flaky: Flaky) -> None:
    file = SpoolFile(hold_new(tmp_path))
    file.bury(to_lines([event("dead1", unit_id=PERSON)], [], received_at=NOW), "refused")
    file.write([rows(1, PERSON), rows(1, "somebody-else")], forget=0)
    file.close()
    erase(flaky)
    spool = Spool(tmp_path, flaky)
    assert (spool.status().rows, spool.status().dead_rows) == (82, 1)
    spool.start()
    flaky.wait_for((1, 40))
    deadline = time.monotonic() + 20
    while spool.status().dead_rows:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert files_with(tmp_path, PERSON) == 0
    spool.close(within_seconds=5)
    assert not any(tmp_path.iterdir())


def test_a_damaged_file_is_counted(tmp_path: Path) -> None:
    file = SpoolFile(hold_new(tmp_path))
    file.write([rows(1, PERSON)], forget=0)
    (tmp_path / "damaged.sqlite").write_bytes(b"no database " * 1_000)
    (tmp_path / "gone.sqlite.lock").touch()
    found = FolderSpools(tmp_path, lambda: None).rows_of(PERSON, after=None)
    assert (found.rows, found.dead_rows, found.unreadable_files) == (41, 0, 1)
    assert FolderSpools(tmp_path, lambda: None).rows_of(PERSON, after=NOW).rows == 0
    assert not (tmp_path / "gone.sqlite").exists()
    file.close()
