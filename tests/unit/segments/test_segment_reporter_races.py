"""Stored reports of segments: what survives a kill, and what two workers make of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.membership import member_of
from experiments.services.segments import reporter as segment_reporter
from experiments.services.segments.ports import CUSTOMERS
from experiments.services.segments.tables import Progress
from experiments.storage.unit_of_work import Database
from experiments.worker.worker import FOLLOW_STEPS, Worker
from tests.conftest import FakeClock
from tests.unit.operating.test_worker import FakeAnalyst
from tests.unit.segments.reported import drawn, new_shop, on_web, reporter, say, silent


class Killed(BaseException):
    """The process is gone."""


def test_killed_anywhere_a_report_is_whole_or_absent(
    shop: Winnow, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while reading, in the middle of storing, and again and again after one report more."""
    say(shop, drawn(1))

    def stored() -> int:
        with shop.open_unit_of_work(read_only=True) as work:
            heads, taken = work.reports.heads(), work.reports.taken()
            assert heads.keys() - {CUSTOMERS} == taken.keys()
            assert {one.number for one in heads.values()} <= {1}
        return len(heads)

    def die_after(words: int) -> Callable[[int, int | None, str | None], None]:
        left = iter(range(words))

        def die(done: int, total: int | None, label: str | None = None) -> None:
            if next(left, None) is None:
                raise Killed

        return die

    def die(*given: object) -> None:
        raise Killed

    with pytest.raises(Killed):
        reporter(shop).step(die_after(0))
    monkeypatch.setattr(segment_reporter, "store_step", die)
    with pytest.raises(Killed):
        reporter(shop).step(silent)
    monkeypatch.undo()
    counts = [stored()]
    for _ in range(2):
        with pytest.raises(Killed):
            reporter(shop).step(die_after(2))
        counts.append(stored())
    assert reporter(shop).step(silent)
    assert [*counts, stored()] == [0, 1, 2, 4]
    assert not reporter(shop).step(silent)


def test_of_two_workers_one_report_is_kept(shop: Winnow, clock: FakeClock) -> None:
    """The second looks and stores everything while the first is about to; a week is counted once."""
    first, second = reporter(shop), reporter(shop)
    say(shop, drawn(1))
    first.step(silent)
    clock.advance(days=7)
    say(shop, drawn(2))
    done = []

    def meanwhile(done_rows: int, total: int | None, label: str | None = None) -> None:
        if label == "Storing reports" and not done:
            done.append(second.step(silent))

    assert first.step(meanwhile)
    assert done == [True]
    for key in ("web", "big", CUSTOMERS):
        with shop.open_unit_of_work(read_only=True) as work:
            assert [one.number for one in work.reports.history(key)] == [2, 1]
            assert len(work.reports.weeks(key)) == (key != CUSTOMERS)


def test_the_worker_makes_them_and_stops_where_told_to(
    shop: Winnow, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(shop, drawn(1))
    stop = threading.Event()

    def told_to_stop(progress: Progress) -> bool:
        stop.set()
        return reporter(shop).step(progress)

    Worker(shop, FakeAnalyst(shop), holder="me", stop=stop, report=told_to_stop).round()
    assert shop.segment_reports.of("web").state == "pending"
    # On a busy machine a look takes longer than the log is left alone for.
    monkeypatch.setattr("experiments.worker.worker.FOLLOW_SECONDS", 600.0)
    followed: list[int] = []
    worker = Worker(
        shop,
        FakeAnalyst(shop),
        holder="me",
        stop=threading.Event(),
        report=reporter(shop).step,
        follow=lambda: followed.append(1) is None,  # type: ignore[func-returns-value]
    )
    worker.round()
    assert (shop.segment_reports.of("web").state, followed) == ("made", [1] * FOLLOW_STEPS)
    # In the middle of a long look the log is followed a step at a time: profiles, and three reports.
    monkeypatch.setattr("experiments.worker.worker.FOLLOW_SECONDS", 0.0)
    clock.advance(days=1)
    worker.round()
    assert len(followed) == 2 * FOLLOW_STEPS + 4


def both_at_once(shop: Winnow) -> None:
    """Two workers look one after the other, as DuckDB wants it within a process, and then store at the same time."""
    looking, storing = threading.Lock(), threading.Barrier(2, timeout=20)

    def work() -> bool:
        looking.acquire()
        looked: list[bool] = []

        def progress(done: int, total: int | None, label: str | None = None) -> None:
            if label == "Storing reports" and not looked:
                looked.append(True)
                looking.release()
                storing.wait()

        return reporter(shop).step(progress)

    with ThreadPoolExecutor(2) as pool:
        assert [one.result() for one in [pool.submit(work), pool.submit(work)]] == [True, True]


def test_in_every_database_two_workers_at_once(database: Database, clock: FakeClock) -> None:
    """Each report is stored once, a week is counted once, and what comes back is what was made."""
    shop = new_shop(clock, database)
    say(shop, drawn(1))
    inside = [on_web(drawn(1)), on_web(drawn(2))]
    both_at_once(shop)
    clock.advance(days=7)
    say(shop, drawn(2))
    both_at_once(shop)
    (week,) = shop.segment_reports.newest("web").document["card"]["stability"]["weeks"]
    gone, come = inside[0] - inside[1], inside[1] - inside[0]
    assert (week["before"], week["left"], week["entered"]) == (len(inside[0]), len(gone), len(come))
    for one in shop.segment_reports.all_newest():
        assert [report.number for report in shop.segment_reports.history(one.segment.value.key)] == [2, 1]
    with shop.open_unit_of_work(read_only=True) as work:
        assert len(work.reports.weeks("web")) == 1
    person = min(inside[1])
    shop.eraser.erase(person, actor="t")
    with shop.open_unit_of_work(read_only=True) as work:
        salt = work.erasures.salt()
        assert list(work.reports.members("web")) == sorted(member_of(salt, unit) for unit in inside[1] - {person})
