"""A spool that closes: what it still takes, what it drains, and what it leaves."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from experiments.domain.errors import Unavailable
from experiments.services.recording.lines import Lines
from experiments.spool.listing import drain_orphans
from tests.spool.conftest import NOW, Flaky, event, exposure
from tests.spool.lives import listed, started


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
    (depth,) = listed(tmp_path)
    assert depth.rows == 2


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

    def slowly(batches: list[Lines], *, forget: int, above: int) -> int:
        if batches:
            under_way.set()
            assert go_on.wait(10)
        return write(batches, forget=forget, above=above)

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
