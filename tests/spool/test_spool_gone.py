"""Spool files that are removed while a process writes them: what is acknowledged is found by the next start."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from experiments.domain.errors import Unavailable
from experiments.services.recording.lines import Lines, to_lines
from experiments.spool.backlog import Backlog
from experiments.spool.drain import Drain
from experiments.spool.file import SpoolFile
from experiments.spool.folder import spool_folder, spool_folders
from experiments.spool.hold import hold_new, lock_path, try_hold
from experiments.spool.listing import drain_orphans
from experiments.spool.spool import Spool
from tests.spool.conftest import NOW, Flaky, event, exposure
from tests.spool.lives import die, started, wait_until_empty


def _file_only(path: Path) -> None:
    path.unlink()


def _all_but_the_lock(path: Path) -> None:
    for found in path.parent.glob(f"{path.name}*"):
        if found != lock_path(path):
            found.unlink()


def _log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def _index_of_the_log(path: Path) -> None:
    path.with_name(f"{path.name}-shm").unlink()


def _lock(path: Path) -> None:
    lock_path(path).unlink()


def _folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def _renamed(path: Path) -> None:
    path.rename(path.with_name("another.sqlite"))


REMOVALS = [_file_only, _all_but_the_lock, _log, _index_of_the_log, _lock, _folder, _renamed]
Remove = Callable[[Path], None]
every_removal = pytest.mark.parametrize("remove", REMOVALS, ids=lambda remove: remove.__name__.strip("_"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return spool_folder(tmp_path / "spool", "somewhere")


def taken_over(spool: Spool) -> SpoolFile:
    """Its file as another process has it, which found the lock gone."""
    path = spool._file.hold.path
    lock_path(path).unlink()
    hold = try_hold(path)
    assert hold is not None
    return SpoolFile(hold)


@every_removal
def test_what_is_acknowledged_after_a_removal_and_what_waited_before_survive_a_death(
    folder: Path, flaky: Flaky, caplog: pytest.LogCaptureFixture, remove: Remove
) -> None:
    spool = Spool(folder, flaky)
    for number in range(3):
        spool.append([event(f"before{number}")], [exposure(f"x{number}")], received_at=NOW)
    removed = spool._file.hold.path
    remove(removed)
    spool.append([event("after")], [], received_at=NOW)
    spool.append([event("later")], [], received_at=NOW)
    assert (spool.status().rows, spool.status().entries, spool.status().moves) == (8, 5, 1)
    [told] = [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]
    assert str(removed) in told
    assert not lock_path(removed).exists()
    die(spool)
    list(drain_orphans(folder, flaky))
    assert flaky.counts() == (3, 5)
    assert [one.name for one in folder.iterdir()] == ["database.txt"]
    assert spool_folders(folder.parent) == {folder: "somewhere"}


@every_removal
def test_what_is_drained_goes_on(folder: Path, flaky: Flaky, remove: Remove) -> None:
    spool = started(folder, flaky)
    spool.append([event("e1")], [exposure("x1")], received_at=NOW)
    wait_until_empty(spool)
    flaky.away = True
    spool.append([event("e2")], [], received_at=NOW)
    remove(spool._file.hold.path)
    spool.append([event("e3")], [], received_at=NOW)
    flaky.away = False
    flaky.wait_for((1, 3))
    wait_until_empty(spool)
    spool.close(within_seconds=5)
    left = {one.name for one in folder.iterdir() if not one.name.startswith("another")}
    assert left == {"database.txt"}, "what was renamed is whoever's who finds it"


@every_removal
def test_a_folder_in_which_nothing_changes_is_all_that_is_looked_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch, remove: Remove
) -> None:
    seconds = 0.0
    monkeypatch.setattr("experiments.spool.place.monotonic", lambda: seconds)
    file = SpoolFile(hold_new(folder))
    looked: list[Path] = []
    stat = Path.stat

    def noticed(path: Path, **options: bool) -> os.stat_result:
        looked.append(path)
        return stat(path, **options)

    assert not file.stay()
    with monkeypatch.context() as watched:
        watched.setattr(Path, "stat", noticed)
        assert not file.stay()
        assert len(looked) == 5
        seconds = 2.0
        assert not file.stay()
        looked.clear()
        assert not file.stay()
        assert looked == [folder]
    time.sleep(0.05)
    remove(file.hold.path)
    assert file.stay()
    file.remove()


def test_dead_rows_come_along(folder: Path, flaky: Flaky) -> None:
    flaky.refuses = lambda lines: b"bad" in lines.events
    spool = started(folder, flaky)
    spool.append([event("bad")], [], received_at=NOW)
    wait_until_empty(spool)
    shutil.rmtree(folder)
    spool.append([event("good")], [exposure("x1")], received_at=NOW)
    flaky.wait_for((1, 1))
    wait_until_empty(spool)
    assert spool._file.depth().dead_rows == spool.status().dead_rows == 1
    spool.close(within_seconds=5)
    assert spool._file.hold.path.exists()


def test_who_has_nothing_to_write_notices_too(folder: Path, flaky: Flaky, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it takes its own file for that of a dead process."""
    monkeypatch.setattr("experiments.spool.drainer.LOOK_SECONDS", 0.05)
    flaky.refuses = lambda lines: b"bad" in lines.events
    spool = started(folder, flaky)
    spool.append([event("bad")], [], received_at=NOW)
    wait_until_empty(spool)
    lock_path(spool._file.hold.path).unlink()
    deadline = time.monotonic() + 10
    while not spool.status().moves:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert (spool.status().moves, spool.status().dead_rows) == (1, 1)
    spool.close(within_seconds=5)
    [left] = folder.glob("*.sqlite")
    assert left == spool._file.hold.path


def test_a_file_that_another_process_holds_by_now_is_left_to_it(folder: Path, flaky: Flaky) -> None:
    """Only the lock was removed, and the other has drained what it found there."""
    spool = Spool(folder, flaky)
    spool.append([event("e1")], [exposure("x1")], received_at=NOW)
    path, other = spool._file.hold.path, taken_over(spool)
    other.write([], forget=1)
    spool.append([event("e2")], [exposure("x2")], received_at=NOW)
    assert spool._file.hold.path != path
    assert (spool.status().entries, spool.status().rows) == (1, 2)
    assert other.stay() is False
    other.close()
    spool.start()
    flaky.wait_for((1, 1))
    wait_until_empty(spool)
    spool.close(within_seconds=5)


@pytest.mark.parametrize("drained", [True, False], ids=["drained-here", "still-there"])
def test_ids_of_another_process_in_the_same_file_are_not_given_again(folder: Path, flaky: Flaky, drained: bool) -> None:
    """Entries under ids that are drained already would never be drained, and be dropped with the next ones."""
    spool = Spool(folder, flaky)
    spool.append([event("a1")], [exposure("x1")], received_at=NOW)
    other = taken_over(spool)
    other.write([to_lines([event(f"b{number}")], [], received_at=NOW) for number in range(3)], forget=0)
    if drained:
        assert spool._step() is not None
    for number in range(5):
        spool.append([event(f"later{number}")], [], received_at=NOW)
    other.close()
    while spool._step() is not None:
        pass
    spool.append([event("last")], [], received_at=NOW)
    while spool._step() is not None:
        pass
    assert flaky.counts() == (1, 10)
    assert (spool.status().rows, spool._file.depth(after=spool._drain.drained_id).rows) == (0, 0)
    spool.close(within_seconds=1)


def test_what_was_under_way_while_others_drained_it_is_not_taken_off_the_count(
    folder: Path, flaky: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process is quicker with what is being drained here, and the file moves before that ends."""
    spool = Spool(folder, flaky)
    spool.append([event("e1"), event("e2")], [exposure("x1")], received_at=NOW)
    load = Drain._load

    def slowly(drain: Drain, lines: Lines) -> None:
        other = taken_over(spool)
        other.write([], forget=1)
        other.close()
        spool.append([event("e3")], [], received_at=NOW)
        load(drain, lines)

    with monkeypatch.context() as slow:
        slow.setattr(Drain, "_load", slowly)
        assert spool._step() is not None
    spool.append([event("e4")], [], received_at=NOW)
    assert (spool.status().moves, spool.status().rows, spool.status().entries) == (1, 2, 2)
    spool.close(within_seconds=0)


def test_it_is_noticed_while_the_database_is_away_and_nothing_comes(
    folder: Path, flaky: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.spool.drainer.LOOK_SECONDS", 0.05)
    flaky.away = True
    spool = started(folder, flaky)
    spool.append([event("e1")], [exposure("x1")], received_at=NOW)
    shutil.rmtree(folder)
    deadline = time.monotonic() + 10
    while not spool.status().moves:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    die(spool)
    flaky.away = False
    list(drain_orphans(folder, flaky))
    assert flaky.counts() == (1, 1)


def test_a_count_that_is_too_low_removes_nothing(folder: Path, flaky: Flaky, monkeypatch: pytest.MonkeyPatch) -> None:
    flaky.away = True
    spool = started(folder, flaky)
    spool.append([event("e1")], [exposure("x1")], received_at=NOW)
    monkeypatch.setattr(Backlog, "rows", 0)
    spool.close(within_seconds=0)
    flaky.away = False
    list(drain_orphans(folder, flaky))
    assert flaky.counts() == (1, 1)


def test_what_only_the_folder_held_is_made_anew(folder: Path, flaky: Flaky) -> None:
    spool = Spool(folder, flaky)
    for found in list(folder.iterdir()):
        found.unlink()
    spool.append([event("e1")], [], received_at=NOW)
    assert spool_folders(folder.parent) == {folder: "somewhere"}
    spool.close(within_seconds=0)


def test_a_folder_is_trusted_only_after_a_look_in_quiet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes within the same tick of the disk's clock as the last change leaves no trace in the folder's time."""
    seconds = 0.0
    monkeypatch.setattr("experiments.spool.place.monotonic", lambda: seconds)
    file = SpoolFile(hold_new(folder))
    assert not file.stay()
    stat = Path.stat
    same = stat(folder)
    lock_path(file.hold.path).unlink()
    seconds = 2.0
    with monkeypatch.context() as coarse:
        coarse.setattr(Path, "stat", lambda path, **options: same if path == folder else stat(path, **options))
        assert file.stay()
    file.remove()


def test_what_somebody_put_under_the_name_is_not_removed(folder: Path, flaky: Flaky) -> None:
    spool = Spool(folder, flaky)
    path = spool._file.hold.path
    path.unlink()
    path.write_bytes(b"a copy, put back")
    spool.append([event("e1")], [exposure("x1")], received_at=NOW)
    assert path.read_bytes() == b"a copy, put back"
    assert spool._file.hold.path != path
    spool.close(within_seconds=0)
    path.unlink()
    list(drain_orphans(folder, flaky))
    assert flaky.counts() == (1, 1)


class TestWhereThereIsNoOther:
    """The folder is gone, and something that is no folder is in its place."""

    @pytest.fixture
    def spool(self, folder: Path, flaky: Flaky) -> Iterator[Spool]:
        flaky.away = True
        spool = Spool(folder, flaky)
        spool.append([event("before")], [exposure("x1")], received_at=NOW)
        shutil.rmtree(folder)
        folder.write_text("no folder")
        yield spool
        flaky.away = False
        spool.close(within_seconds=5)

    def test_nothing_is_acknowledged_and_it_is_told_once(self, spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
        for number in range(5):
            with pytest.raises(Unavailable) as refusal:
                spool.append([event(f"e{number}")], [], received_at=NOW)
            assert refusal.value.code == "spool_broken"
        assert len([one for one in caplog.records if one.levelname == "ERROR"]) == 1
        assert (spool.status().last_error, spool.status().moves) == ("spool_broken", 0)
        assert spool.status().rows == 3, "the first was written before anybody looked; the others were not"

    def test_it_goes_on_where_there_is_a_folder_again(self, spool: Spool, folder: Path, flaky: Flaky) -> None:
        with pytest.raises(Unavailable):
            spool.append([event("e1")], [], received_at=NOW)
        folder.unlink()
        spool.append([event("e1")], [], received_at=NOW)
        assert spool.status().moves == 1
        flaky.away = False
        spool.start()
        flaky.wait_for((1, 2))
        wait_until_empty(spool)

    def test_no_file_is_left_of_each_that_cannot_be_made(
        self, spool: Spool, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.unlink()
        with monkeypatch.context() as broken:
            broken.setattr("experiments.spool.file._sync_folder", _fails)
            for number in range(3):
                with pytest.raises(Unavailable):
                    spool.append([event(f"e{number}")], [], received_at=NOW)
        assert [one.name for one in folder.iterdir()] == ["database.txt"]


def _fails(_path: Path) -> None:
    raise OSError("input/output error")


def test_a_drained_file_that_is_made_anew_is_looked_for_under_its_new_names(tmp_path: Path) -> None:
    file = SpoolFile(hold_new(tmp_path))
    file.start_over()
    assert not file.stay()
    file.hold.path.unlink()
    assert file.stay()
    file.hold.path.unlink()
    file.start_over()
    assert not file.stay()
    file.remove()
    assert list(tmp_path.iterdir()) == []
