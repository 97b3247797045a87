"""Files of the spool that are damaged, copied, closed, or wanted by many."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from experiments.domain.errors import Unavailable
from experiments.services.recording.lines import Lines, to_lines
from experiments.spool.drain import Drain
from experiments.spool.file import SpoolFault, SpoolFile
from experiments.spool.hold import hold_new, hold_orphans, lock_path, spool_files, try_hold
from experiments.spool.listing import drain_orphans, spooled
from experiments.spool.spool import Spool
from tests.spool.conftest import NOW, Flaky, event, exposure
from tests.spool.lives import die, started


def test_what_nobody_holds_is_listed_and_can_be_drained(tmp_path: Path, flaky: Flaky) -> None:
    folder = tmp_path / "one"
    dead, living = Spool(folder, flaky), Spool(folder, flaky)
    for spool in (dead, living):
        spool.append([event("e1")], [exposure("x1")], received_at=NOW)
    die(dead)
    (folder / "database.txt").write_text("somewhere\n")
    listed = {one.path: (one.in_use, one.database, one.depth.rows) for one in spooled(tmp_path) if one.depth}
    assert listed == {
        dead._file.hold.path: (False, "somewhere", 2),
        living._file.hold.path: (True, "somewhere", 2),
    }
    assert [(one.path, one.rows, one.dead_rows) for one in drain_orphans(folder, flaky)] == [
        (dead._file.hold.path, 2, 0)
    ]
    assert [one.path for one in spooled(tmp_path)] == [living._file.hold.path]
    living.close(within_seconds=1)


@pytest.mark.parametrize("broken", [b"no database at all" * 400, b""], ids=["garbage", "empty"])
def test_a_file_that_cannot_be_read_stops_nobody(tmp_path: Path, flaky: Flaky, broken: bytes) -> None:
    hold = hold_new(tmp_path)
    hold.path.write_bytes(broken)
    hold.release()
    spool = started(tmp_path, flaky)
    spool.append([event("e1")], [exposure("x1")], received_at=NOW)
    flaky.wait_for((1, 1))
    spool.close(within_seconds=5)


def damaged(folder: Path, flaky: Flaky, name: str, page: str) -> Path:
    """Leave a file that opens, and of which the given page, the rows' root or the last of a row, is no page."""
    dead = Spool(folder, flaky)
    for number in range(3):
        dead.append([event(f"{name}{number}-{one}") for one in range(500)], [], received_at=NOW)
    root = dead._file._writing.execute("SELECT rootpage FROM sqlite_master WHERE name = 'requests'").fetchone()[0]
    dead._file._writing.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    die(dead)
    path = folder / f"{name}.sqlite"
    dead._file.hold.path.rename(path)
    lock_path(dead._file.hold.path).unlink()
    content = bytearray(path.read_bytes())
    start = (root - 1) * 4_096 if page == "root" else content.index(f"{name}1-100\t".encode()) // 4_096 * 4_096
    content[start : start + 8] = b"\xff" * 8
    path.write_bytes(content)
    with sqlite3.connect(path) as other:
        other.execute("SELECT count(*) FROM dead")
        with pytest.raises(sqlite3.DatabaseError):
            other.execute("SELECT * FROM requests").fetchall()
    return path


@pytest.mark.parametrize("page", ["root", "row"])
def test_a_damaged_file_keeps_no_process_from_starting_and_no_other_from_being_drained(
    tmp_path: Path, flaky: Flaky, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setattr("experiments.spool.drainer.LOOK_SECONDS", 0.05)
    path = damaged(tmp_path, flaky, "0-first", page)
    later = Spool(tmp_path / "later", flaky)
    later.append([], [exposure("x1")], received_at=NOW)
    spool = started(tmp_path, flaky)
    assert spool._file.hold.path != path
    later_path = later._file.hold.path
    die(later)
    later_path.rename(tmp_path / "9-later.sqlite")
    deadline = time.monotonic() + 5
    while (tmp_path / "9-later.sqlite").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    spool.append([event("e1")], [], received_at=NOW)
    deadline = time.monotonic() + 5
    while spool.status().rows:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert flaky.counts()[0] == 1
    assert spool.status().last_error is None
    spool.close(within_seconds=5)
    assert spool_files(tmp_path) == [path], "somebody may want to look at it"


@pytest.mark.parametrize("page", ["root", "row"])
def test_a_damaged_file_is_told_of_and_the_next_is_drained(
    tmp_path: Path, flaky: Flaky, caplog: pytest.LogCaptureFixture, page: str
) -> None:
    path = damaged(tmp_path, flaky, "0-first", page)
    (tmp_path / "1-second.sqlite").write_bytes(b"no database at all" * 400)
    hold = try_hold(tmp_path / "9-later.sqlite")
    assert hold is not None
    file = SpoolFile(hold)
    file.write([to_lines([event("e1")], [exposure("x1")], received_at=NOW)], forget=0)
    file.close()
    assert [(one.path, one.rows) for one in drain_orphans(tmp_path, flaky)] == [(hold.path, 2)]
    assert [one.getMessage().partition(" is left alone: ")[0] for one in caplog.records] == [
        str(path),
        str(tmp_path / "1-second.sqlite"),
    ]


def test_of_the_failures_while_draining_the_first_is_told(
    tmp_path: Path, flaky: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes away midway, and then the file cannot be written either."""
    dead = Spool(tmp_path, flaky)
    for number in range(2):
        dead.append([event(f"e{number}-{one}") for one in range(40_000)], [], received_at=NOW)
    die(dead)
    files = drain_orphans(tmp_path, flaky)

    def full(_file: SpoolFile, _batches: list[Lines], *, forget: int, above: int = 0) -> int:
        raise SpoolFault(dead._file.hold.path, Unavailable("spool_full", "No room."))

    load = Drain._load

    def once(drain: Drain, lines: Lines) -> None:
        load(drain, lines)
        flaky.away = True

    monkeypatch.setattr(SpoolFile, "write", full)
    monkeypatch.setattr(Drain, "_load", once)
    with pytest.raises(Unavailable) as refusal:
        next(files)
    assert refusal.value.code == "database_unavailable"


def test_of_many_that_want_a_file_one_gets_it(tmp_path: Path, flaky: Flaky) -> None:
    dead = Spool(tmp_path, flaky)
    die(dead)
    got, go = [], threading.Barrier(8)

    def want() -> None:
        go.wait()
        held = try_hold(dead._file.hold.path)
        if held is not None:
            got.append(held)

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_a_lock_without_a_file_is_cleared_away(tmp_path: Path) -> None:
    hold_new(tmp_path).release()
    assert list(hold_orphans(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fails", ["_sync_folder", "_connect"])
def test_no_id_is_given_twice_where_starting_over_fails(
    tmp_path: Path, flaky: Flaky, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """Who drains goes by the ids: a row whose id is below what was drained would be dropped unread."""
    spool = Spool(tmp_path, flaky)
    for number in range(5):
        spool.append([event(f"e{number}")], [], received_at=NOW)
    while spool._step() is not None:
        pass
    with monkeypatch.context() as broken:
        broken.setattr(f"experiments.spool.file.{fails}", _fails)
        with pytest.raises(Unavailable):
            spool._file.start_over()
    assert not spool._file.hold.path.exists()  # not half of one, which nobody could read
    assert spool._file.last_id == 5
    spool.append([event("after")], [exposure("x1")], received_at=NOW)
    assert spool._file.last_id == 6
    spool.start()
    flaky.wait_for((1, 6))
    spool.close(within_seconds=5)
    assert list(tmp_path.iterdir()) == []


def _fails(_path: Path) -> None:
    raise OSError("input/output error")


def test_a_closed_file_is_not_made_again(tmp_path: Path) -> None:
    file = SpoolFile(hold_new(tmp_path))
    file.remove()
    for late in (lambda: file.write([], forget=0), file.start_over, file.depth):
        with pytest.raises(Unavailable) as refusal:
            late()
        assert refusal.value.code == "spool_closed"
    file.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_copied_without_its_lock_is_found(tmp_path: Path, flaky: Flaky) -> None:
    dead = Spool(tmp_path, flaky)
    dead.append([event("e1")], [exposure("x1")], received_at=NOW)
    die(dead)
    lock_path(dead._file.hold.path).unlink()
    assert [(one.rows, one.path) for one in drain_orphans(tmp_path, flaky)] == [(2, dead._file.hold.path)]
    assert list(tmp_path.iterdir()) == []


def test_ids_grow_also_after_everything_was_dropped(tmp_path: Path) -> None:
    file = SpoolFile(hold_new(tmp_path))
    one = Lines(events=b"x\n", event_rows=1)
    assert file.write([one, one], forget=0) == 2
    assert file.write([], forget=2) == 2
    assert file.write([one], forget=2) == 3
    assert file.depth().entries == 1
    file.remove()
