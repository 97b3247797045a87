"""The spool on a database that comes and goes: acknowledged is stored, once."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from experiments.domain.errors import Unavailable
from experiments.services.recording.lines import Lines
from experiments.spool.backlog import Backlog, Waiting
from experiments.spool.file import Depth, Stretch
from experiments.spool.spool import Spool
from tests.spool.conftest import NOW, Flaky, event, exposure
from tests.spool.lives import die, listed, started, wait_until_empty


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
    wait_until_empty(spool)
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
    wait_until_empty(spool)
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
    (left,) = listed(tmp_path)
    assert (left.rows, left.dead_rows) == (0, 2)


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


def test_what_was_being_drained_while_all_was_counted_anew_is_not_taken_off_twice() -> None:
    """Entries up to 2 are drained and dropped from the file before anybody has said so here; 3 waits."""
    one = Lines(events=b"e", event_rows=1)
    backlog = Backlog(Depth(entries=3, rows=3, bytes=3, age_seconds=0, dead_rows=0), last_id=3)
    asked: list[int] = []

    def count(after: int) -> Depth:
        asked.append(after)
        return Depth(entries=1, rows=1, bytes=1, age_seconds=0, dead_rows=0)

    backlog.recount(lambda: 2, count)
    backlog.drained(Stretch(last_id=2, entries=2, lines=[one, one]))
    assert (asked, backlog.waiting().entries, backlog.rows) == ([2], 1, 1)
    backlog.drained(Stretch(last_id=3, entries=1, lines=[one]))
    assert (backlog.waiting().entries, backlog.rows, backlog.bytes) == (0, 0, 0)


def test_what_is_drained_before_it_is_counted_leaves_nothing_behind() -> None:
    seconds = 100.0
    backlog = Backlog(Depth(entries=0, rows=0, bytes=0, age_seconds=0, dead_rows=0), last_id=0, clock=lambda: seconds)
    stored = [Lines(events=b"x\n", event_rows=1)]
    backlog.drained(Stretch(last_id=1, entries=1, lines=stored))
    nothing = Waiting(entries=0, rows=0, bytes=0, age_seconds=0.0)
    assert (backlog.waiting(), backlog.rows, backlog.bytes) == (nothing, 0, 0)
    backlog.added(stored, 1)
    seconds = 200.0
    assert backlog.waiting() == nothing
    backlog.added(stored, 2)
    seconds = 203.0
    assert backlog.waiting() == Waiting(entries=1, rows=1, bytes=2, age_seconds=3.0)
