"""The spool on a database that comes and goes: acknowledged is stored, once."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from experiments.domain.errors import Unavailable
from experiments.services.recording.lines import Lines, to_lines
from experiments.spool.backlog import Backlog
from experiments.spool.drain import Drain
from experiments.spool.file import Depth, SpoolFault, SpoolFile, depth_of
from experiments.spool.hold import hold_new, hold_orphans, lock_path, spool_files, try_hold
from experiments.spool.listing import drain_orphans, spooled
from experiments.spool.spool import Spool
from tests.spool.conftest import NOW, Flaky, event, exposure


def started(folder: Path, flaky: Flaky, **options: int) -> Spool:
    spool = Spool(folder, flaky, **options)
    spool.start()
    return spool


def die(spool: Spool) -> None:
    """Let go of the file as a killed process does: nothing is drained, nothing is tidied."""
    spool._drain.step = lambda: None  # type: ignore[method-assign]
    if spool._drainer.is_alive():
        spool._drainer.stop(within_seconds=5)
    spool._file.close()


def fill(spool: Spool) -> tuple[int, Unavailable]:
    """Append an event and an exposure at a time, until it takes no more; return how many times it did."""
    for number in range(1_000):
        try:
            spool.append([event(f"e{number}")], [exposure(f"x{number}")], received_at=NOW)
        except Unavailable as refusal:
            return number, refusal
    raise AssertionError("it is never full")


def test_what_is_appended_is_soon_in_the_database_and_the_file_goes_with_the_process(
    tmp_path: Path, flaky: Flaky
) -> None:
    spool = started(tmp_path, flaky)
    spool.append([event("e1"), event("e2")], [exposure("x1")], received_at=NOW)
    flaky.wait_for((1, 2), seconds=2)
    spool.close(within_seconds=5)
    assert list(tmp_path.iterdir()) == []


def test_it_is_on_disk_when_append_returns(tmp_path: Path, flaky: Flaky) -> None:
    """Seen by another connection, as another process would see it."""
    spool = Spool(tmp_path, flaky)
    spool.append([event("e1")], [exposure("x1"), exposure("x2")], received_at=NOW)
    (path,) = tmp_path.glob("*.sqlite")
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT event_rows, exposure_rows FROM requests").fetchall() == [(1, 2)]
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert spool._file._writing.execute("PRAGMA synchronous").fetchone() == (2,)


def test_while_the_database_is_away_everything_is_taken_and_its_age_is_seen(tmp_path: Path, flaky: Flaky) -> None:
    flaky.away = True
    spool = started(tmp_path, flaky)
    for number in range(50):
        spool.append([event(f"e{number}-{one}") for one in range(10)], [exposure(f"x{number}")], received_at=NOW)
    time.sleep(0.3)
    status = spool.status()
    assert (status.entries, status.rows, status.last_error) == (50, 550, "database_unavailable")
    assert 0.3 <= status.age_seconds < 30
    flaky.away = False
    flaky.wait_for((50, 500))
    spool.close(within_seconds=5)
    assert spool.status().rows == 0


def test_the_next_process_goes_on_with_the_file_of_a_dead_one(tmp_path: Path, flaky: Flaky) -> None:
    flaky.away = True
    dead = Spool(tmp_path, flaky)
    dead.append([event("e1")], [exposure("x1")], received_at=NOW)
    die(dead)
    flaky.away = False
    spool = started(tmp_path, flaky)
    assert spool._file.hold.path == dead._file.hold.path
    flaky.wait_for((1, 1))
    spool.append([event("e2")], [], received_at=NOW)
    flaky.wait_for((1, 2))
    spool.close(within_seconds=5)


def test_running_processes_adopt_the_files_of_dead_ones(
    tmp_path: Path, flaky: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.spool.drainer.LOOK_SECONDS", 0.05)
    living = started(tmp_path, flaky)
    dead = Spool(tmp_path, flaky)
    dead.append([event("e1"), event("e2")], [exposure("x1")], received_at=NOW)
    time.sleep(0.2)
    assert flaky.counts() == (0, 0), "a file was drained whose process lives"
    die(dead)
    flaky.wait_for((1, 2))
    deadline = time.monotonic() + 5
    while dead._file.hold.path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    living.close(within_seconds=5)
    assert list(tmp_path.iterdir()) == []


def test_a_death_between_the_two_commits_doubles_nothing(tmp_path: Path, flaky: Flaky) -> None:
    """The database has the rows, the spool does not know yet: they are inserted again, to no effect."""
    flaky.dies_after_commit = True
    spool = started(tmp_path, flaky)
    spool.append([event("e1"), event("e2")], [exposure("x1")], received_at=NOW)
    flaky.wait_for((1, 2))
    die(spool)
    flaky.dies_after_commit = False
    again = started(tmp_path, flaky)
    deadline = time.monotonic() + 5
    while again.status().rows:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    again.close(within_seconds=5)
    assert flaky.counts() == (1, 2)
    assert sum(flaky.loads) >= 6, "nothing was inserted twice: the test shows nothing"


def test_a_full_spool_says_so_and_takes_again_when_it_is_drained(tmp_path: Path, flaky: Flaky) -> None:
    flaky.away = True
    spool = started(tmp_path, flaky, max_bytes=2_000)
    taken, refusal = fill(spool)
    assert refusal.code == "spool_full"
    assert 5 < taken < 20
    assert spool.status().rows == taken * 2
    flaky.away = False
    spool.append_lines(Lines())
    deadline = time.monotonic() + 5
    while spool.status().rows:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    spool.append([event("after")], [exposure("x-after")], received_at=NOW)
    flaky.wait_for((taken + 1, taken + 1))
    spool.close(within_seconds=5)


def test_a_full_disk_stores_nothing_and_is_survived(tmp_path: Path, flaky: Flaky) -> None:
    """The limit on pages gives SQLite's own "database or disk is full"; a rest that is drained makes room again."""
    spool = Spool(tmp_path, flaky)
    # A full file cannot grow, and a full disk gives the log no room: so that even a deletion fails.
    spool._file._writing.execute("PRAGMA max_page_count = 12")
    taken, refusal = fill(spool)
    assert refusal.code == "spool_full"
    assert "nothing was stored" in refusal.message
    assert spool._file.depth().entries == taken
    spool.start()
    flaky.wait_for((taken, taken))
    spool.append([event("after")], [], received_at=NOW)
    flaky.wait_for((taken, taken + 1))
    spool.close(within_seconds=5)


def test_a_row_that_the_database_never_takes_is_put_aside_and_blocks_nothing(tmp_path: Path, flaky: Flaky) -> None:
    flaky.refuses = lambda lines: b"bad" in lines.events or b"worse" in lines.exposures
    spool = started(tmp_path, flaky)
    events = [event(f"e{number}") for number in range(99)] + [event("bad")]
    spool.append(events, [exposure("x1"), exposure("worse")], received_at=NOW)
    flaky.wait_for((1, 99))
    deadline = time.monotonic() + 5
    while spool.status().dead_rows < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (path,) = tmp_path.glob("*.sqlite")
    spool.close(within_seconds=5)
    with sqlite3.connect(path) as other:
        dead = other.execute("SELECT reason, event, exposure FROM dead ORDER BY id").fetchall()
    assert [(bytes(one).partition(b"\t")[0], bytes(two).partition(b"\t")[0]) for _, one, two in dead] == [
        (b"bad", b""),
        (b"", b"worse"),
    ]
    assert {reason for reason, _, _ in dead} == {"The database refuses rows for good: no such character"}
    (left,) = _listed(tmp_path)
    assert (left.rows, left.dead_rows) == (0, 2)


def _listed(folder: Path) -> list[Depth]:
    return [depth_of(path) for path in spool_files(folder)]


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


def test_large_batches_under_load(tmp_path: Path, flaky: Flaky) -> None:
    flaky.away = True
    spool = started(tmp_path, flaky)
    for number in range(100):
        spool.append([event(f"e{number}-{one}") for one in range(1_000)], [], received_at=NOW)
    spool.append([], [exposure("x1")], received_at=NOW)
    flaky.away = False
    flaky.wait_for((1, 100_000))
    assert flaky.loads[0] == 40_000
    spool.close(within_seconds=5)


def test_many_threads_many_outages_every_row_once(tmp_path: Path, flaky: Flaky) -> None:
    spool = started(tmp_path, flaky)
    spool.append([], [exposure("x")], received_at=NOW)
    acknowledged: list[str] = []

    def send(sender: int) -> None:
        for number in range(60):
            ids = [f"{sender}-{number}-{one}" for one in range(5)]
            spool.append([event(one) for one in ids], [], received_at=NOW)
            acknowledged.extend(ids)

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        flaky.away = not flaky.away
        time.sleep(0.05)
    flaky.away = False
    for thread in threads:
        thread.join(30)
    flaky.wait_for((1, 6 * 60 * 5))
    spool.close(within_seconds=5)
    assert len(set(acknowledged)) == 6 * 60 * 5


def test_a_closed_spool_takes_nothing(tmp_path: Path, flaky: Flaky) -> None:
    spool = started(tmp_path, flaky)
    spool.close(within_seconds=5)
    with pytest.raises(Unavailable) as refusal:
        spool.append([event("e1")], [], received_at=NOW)
    assert refusal.value.code == "spool_closed"


def test_closing_drains_what_it_can_and_leaves_the_rest(tmp_path: Path, flaky: Flaky) -> None:
    flaky.away = True
    spool = started(tmp_path, flaky)
    spool.append([event("e1")], [exposure("x1")], received_at=NOW)
    began = time.monotonic()
    spool.close(within_seconds=2)
    assert time.monotonic() - began < 5
    (depth,) = _listed(tmp_path)
    assert depth.rows == 2


def test_a_wall_clock_that_goes_back_an_hour_changes_no_wait_and_no_age(
    tmp_path: Path, flaky: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    flaky.away = True
    spool = started(tmp_path, flaky)
    spool.append([event("e1")], [exposure("x1")], received_at=NOW)
    monkeypatch.setattr(time, "time", lambda: real() - 3_600)
    spool.append([event("e2")], [], received_at=datetime.now(UTC))
    assert 0 <= spool.status().age_seconds < 30
    flaky.away = False
    flaky.wait_for((1, 2), seconds=5)
    assert spool.status().age_seconds < 5
    spool.close(within_seconds=5)


def test_ages_are_those_of_the_oldest_that_is_left() -> None:
    seconds = 100.0
    backlog = Backlog(Depth(entries=1, rows=1, bytes=10, age_seconds=40, dead_rows=0), last_id=7, clock=lambda: seconds)
    assert backlog.waiting().age_seconds == 40
    seconds = 105.0
    backlog.added([Lines(events=b"x\n", event_rows=1)], 8)
    seconds = 106.0
    assert backlog.waiting().age_seconds == 46


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

    def full(_file: SpoolFile, _batches: list[Lines], *, forget: int) -> int:
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


def test_closing_waits_for_the_commit_under_way(tmp_path: Path, flaky: Flaky, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is acknowledged while the process ends is in a file that the next one finds, or that is held."""
    spool = started(tmp_path, flaky)
    spool.append([event("e1")], [exposure("x1")], received_at=NOW)
    flaky.wait_for((1, 1))
    deadline = time.monotonic() + 5
    while spool._forgotten_id == 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    under_way, go_on, write = threading.Event(), threading.Event(), spool._file.write
    outcomes: list[str] = []

    def slowly(batches: list[Lines], *, forget: int) -> int:
        if batches:
            under_way.set()
            assert go_on.wait(10)
        return write(batches, forget=forget)

    def late() -> None:
        try:
            spool.append([event("late")], [], received_at=NOW)
            outcomes.append("stored")
        except Unavailable as refusal:
            outcomes.append(refusal.code)

    monkeypatch.setattr(spool._file, "write", slowly)
    appending = threading.Thread(target=late)
    appending.start()
    assert under_way.wait(10)
    closing = threading.Thread(target=spool.close, kwargs={"within_seconds": 0.2})
    closing.start()
    closing.join(0.6)
    go_on.set()
    for thread in (appending, closing):
        thread.join(10)
        assert not thread.is_alive()
    assert outcomes == ["stored"]
    assert [one.rows for one in drain_orphans(tmp_path, flaky)] == [1]
    assert flaky.counts() == (1, 2)


def test_what_comes_after_the_last_commit_is_refused(tmp_path: Path, flaky: Flaky) -> None:
    """Past the first look at whether the spool is closed, as by a thread that was interrupted right there."""
    spool = started(tmp_path, flaky)
    spool.append([event("e1")], [exposure("x1")], received_at=NOW)
    flaky.wait_for((1, 1))
    spool.close(within_seconds=5)
    spool._closed = False
    with pytest.raises(Unavailable) as refusal:
        spool.append([event("late")], [], received_at=NOW)
    assert refusal.value.code == "spool_closed"
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
