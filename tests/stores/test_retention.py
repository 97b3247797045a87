"""Retention in all stores: what is old goes, what experiments need stays, and what went is on record."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from experiments.bootstrap import build
from experiments.cli import main
from experiments.domain.covariate import Covariate
from experiments.domain.definition import Definition, Randomisation
from experiments.domain.errors import InvalidInput
from experiments.domain.experiment import draft
from experiments.domain.metric import Metric, MetricKind, MetricRole, MetricUse
from experiments.domain.retention import is_measured, needed_by
from experiments.services.analysing.analyse import Analyst
from experiments.services.forgetting.retention import EVERY, Going, Retention
from experiments.services.ports import AuditEntry, OpenUnitOfWork
from experiments.services.recording.ports import Watermark
from experiments.settings import Settings
from experiments.storage.unit_of_work import open_database
from experiments.worker import command
from experiments.worker.lease import LEASE, LEASE_SECONDS
from experiments.worker.worker import FOLLOW_STEPS, Worker
from tests.conftest import FakeClock
from tests.unit.operating.test_worker import FakeAnalyst

DAYS = 30
IN_MEMORY = pytest.mark.parametrize("database_url", ["memory://"], ids=["memory"])
EXPERIMENTS = {"running": (50, None), "fresh": (60, 3), "ended": (80, 40)}
"""Started and stopped so many days ago."""
SHOWN = {"running": (49, 10), "fresh": (45, 10), "ended": (70, 45, 29, 20), "unknown": (31, 29)}
"""Exposures of each, so many days ago."""
HAPPENED = {"purchase": (90, 71, 69, 45, 10), "visit": (90, 31, 29, 1)}
"""`fresh` needs purchases since its start and ten days of lookback before: 70 days."""
GONE_EXPOSURES = {"ended": [70, 45], "unknown": [31]}
GONE_EVENTS = {"purchase": [90, 71], "visit": [90, 31]}


@pytest.fixture
def definition_of(definition: Callable[..., Definition]) -> Callable[..., Definition]:
    def build_one(key: str, **changes: Any) -> Definition:
        lookback = Covariate(key="before", event_name="purchase", lookback_seconds=10 * 86_400)
        metric = Metric(key="spent", name="Spent", kind=MetricKind.MEAN, event_name="purchase", covariates=(lookback,))
        return definition(key, metrics=(MetricUse(metric=metric, role=MetricRole.PRIMARY),), **changes)

    return build_one


@pytest.fixture
def filled(
    *, open_unit_of_work: OpenUnitOfWork, clock: FakeClock, event: Callable, exposure: Callable, definition_of: Callable
) -> OpenUnitOfWork:
    """Experiments of all ages, and rows of all ages."""
    now = clock()
    with open_unit_of_work() as work:
        for key, (started, stopped) in EXPERIMENTS.items():
            one = draft(definition_of(key), by="ada", now=now - timedelta(days=started))
            work.experiments.add(one)
            begun = one.start(now - timedelta(days=started))
            work.experiments.save(begun, expected_revision=one.revision)
            if stopped is not None:
                ended = begun.stop(now - timedelta(days=stopped))
                work.experiments.save(ended, expected_revision=begun.revision)
        old = [(key, age) for key, ages in SHOWN.items() for age in ages]
        shown = [
            exposure(f"x{place:02}", f"u{place}", experiment=key, occurred_at=now - timedelta(days=age))
            for place, (key, age) in enumerate(old)
        ]
        old = [(name, age) for name, ages in HAPPENED.items() for age in ages]
        happened = [
            event(f"e{place:02}", f"u{place}", name=name, occurred_at=now - timedelta(days=age))
            for place, (name, age) in enumerate(old)
        ]
        work.log.append_exposures(shown, received_at=now)
        work.log.append_events(happened, received_at=now)
        work.commit()
    return open_unit_of_work


def retention(opened: OpenUnitOfWork, clock: FakeClock, days: float = DAYS, ids_at_once: int = 3) -> Retention:
    return Retention(opened, clock, days, actor="test", ids_at_once=ids_at_once)


def left(opened: OpenUnitOfWork, clock: FakeClock) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Ages in days of what is there, by experiment and by name."""
    now, mark = clock(), Watermark(exposure_id=999, event_id=999, at=clock())
    with opened(read_only=True) as work:
        shown = {
            key: [(now - row[4]).days for batch in work.log.exposures(key, mark) for row in batch] for key in SHOWN
        }
        happened = {
            name: [(now - row[3]).days for row in work.log.named([name], above=0, upto=999, most=999)]
            for name in HAPPENED
        }
    return shown, happened


def without(all_of: dict[str, tuple[int, ...]], gone: dict[str, list[int]]) -> dict[str, list[int]]:
    return {key: [age for age in ages if age not in gone.get(key, ())] for key, ages in all_of.items()}


def last(run: Iterator[Going]) -> Going:
    *_, going = run
    return going


def audited(opened: OpenUnitOfWork) -> list[AuditEntry]:
    with opened(read_only=True) as work:
        return list(work.audit.page(subject="retention", after=None, limit=50).items)


def test_what_is_old_and_not_needed_goes(filled: OpenUnitOfWork, clock: FakeClock) -> None:
    going = last(retention(filled, clock).would_go())
    assert left(filled, clock) == (without(SHOWN, {}), without(HAPPENED, {})), "to count deletes nothing"
    assert (dict(going.exposures), dict(going.events)) == (
        {key: len(ages) for key, ages in GONE_EXPOSURES.items()},
        {name: len(ages) for name, ages in GONE_EVENTS.items()},
    )
    assert (going.looked, going.ids) == (19, 19)
    done = last(retention(filled, clock).run())
    assert (done.deleted, done.looked) == (7, 19)
    assert left(filled, clock) == (without(SHOWN, GONE_EXPOSURES), without(HAPPENED, GONE_EVENTS))
    (entry,) = audited(filled)
    assert (entry.actor, entry.action, entry.at) == ("test", "log.expire", clock())
    assert entry.detail == {
        "days": DAYS,
        "before": (clock() - timedelta(days=DAYS)).isoformat(),
        "exposures": {"ended": 2, "unknown": 1},
        "events": {"purchase": 2, "visit": 2},
    }
    last(retention(filled, clock).run())
    assert len(audited(filled)) == 1, "a run that deletes nothing is not told"


def test_a_run_that_ends_midway_is_gone_on_with(filled: OpenUnitOfWork, clock: FakeClock) -> None:
    for going in retention(filled, clock, ids_at_once=1).run():
        if going.deleted == 3:
            break
    last(retention(filled, clock).run())
    assert left(filled, clock) == (without(SHOWN, GONE_EXPOSURES), without(HAPPENED, GONE_EVENTS))
    told = [sum(entry.detail["exposures"].values()) + sum(entry.detail["events"].values()) for entry in audited(filled)]
    assert told == [4, 7]


def test_ids_of_what_stays_stay_and_new_rows_get_new_ones(filled: OpenUnitOfWork, clock: FakeClock, event) -> None:
    last(retention(filled, clock).run())
    with filled() as work:
        work.log.append_events([event("new", occurred_at=clock(), name="visit")], received_at=clock())
        work.commit()
    with filled(read_only=True) as work:
        ids = [row[0] for row in work.log.named(["visit"], above=0, upto=99, most=99)]
    assert ids == [8, 9, 10]


@IN_MEMORY
def test_what_is_read_when_rows_are_deleted_is_what_is_needed_then(
    filled: OpenUnitOfWork, clock: FakeClock, definition_of: Callable
) -> None:
    """Between counting and deleting somebody starts an experiment that looks back at visits."""
    run = retention(filled, clock, ids_at_once=99).run()
    next(run)
    next(run)
    visits = MetricUse(
        metric=Metric(key="v", name="V", kind=MetricKind.CONVERSION, event_name="visit"), role=MetricRole.PRIMARY
    )
    one = draft(replace(definition_of("late"), metrics=(visits,)), by="ada", now=clock())
    with filled() as work:
        work.experiments.add(one)
        begun = one.start(clock() - timedelta(days=100))
        work.experiments.save(begun, expected_revision=one.revision)
        work.commit()
    last(run)
    assert left(filled, clock)[1] == without(HAPPENED, {"purchase": GONE_EVENTS["purchase"]})


@IN_MEMORY
@pytest.mark.parametrize("store", ["behaviour", "activity"])
def test_what_is_followed_stays_until_it_is_counted(filled: OpenUnitOfWork, clock: FakeClock, store: str) -> None:
    def followed(upto: int) -> None:
        with filled() as work:
            rows = getattr(work, store)
            rows.advance(replace(rows.take(), names=("visit",), event_id=upto))
            work.commit()

    followed(6)
    last(retention(filled, clock).run())
    assert left(filled, clock)[1]["visit"] == [31, 29, 1]
    followed(9)
    last(retention(filled, clock).run())
    assert left(filled, clock)[1]["visit"] == [29, 1]


@IN_MEMORY
def test_it_is_done_once_a_day_and_not_at_all_unless_it_is_set(filled: OpenUnitOfWork, clock: FakeClock) -> None:
    assert retention(filled, clock, days=0).step() is False
    keeper = retention(filled, clock)
    steps = 0
    while keeper.step():
        steps += 1
    assert (steps, keeper.step()) == (14, False)
    clock.advance(seconds=EVERY.total_seconds() - 1)
    assert keeper.step() is False
    clock.advance(seconds=1)
    assert keeper.step() is True


def test_what_one_process_has_done_another_does_a_day_later(filled: OpenUnitOfWork, clock: FakeClock) -> None:
    """As where cron starts a worker every five minutes."""

    def steps(days: float = 3_000) -> int:
        keeper, done = retention(filled, clock, days=days), 0
        while keeper.step():
            done += 1
        return done

    killed = retention(filled, clock, days=3_000)
    assert killed.step() is True
    assert [steps(), steps()] == [7, 0], "what was killed has not ended"
    assert steps(days=2_000) == 7, "another number of days is not yet done"
    clock.advance(seconds=EVERY.total_seconds() - 1)
    assert steps() == 0
    clock.advance(seconds=1)
    assert [steps(), steps()] == [7, 0]


@IN_MEMORY
def test_a_clock_that_is_set_back_keeps_no_run_away(filled: OpenUnitOfWork, clock: FakeClock) -> None:
    keeper = retention(filled, clock, days=3_000)
    clock.advance(days=300)
    while keeper.step():
        pass
    clock.advance(days=-300)
    assert keeper.step() is True


@IN_MEMORY
def test_the_worker_does_it_after_all_else_and_its_trouble_is_nobody_else_s(
    filled: OpenUnitOfWork, clock: FakeClock
) -> None:
    winnow = build(Settings(), open_unit_of_work=filled, clock=clock)
    keeper, analyst = retention(filled, clock), FakeAnalyst(winnow)
    assert Worker(winnow, analyst, holder="w", stop=threading.Event(), retain=keeper.step).round() is True
    assert left(filled, clock)[0]["ended"] == [29, 20]

    def fails() -> bool:
        raise RuntimeError("no")

    assert Worker(winnow, analyst, holder="w", stop=threading.Event(), retain=fails).round() is True


def worked(filled: OpenUnitOfWork, clock: FakeClock, retain: Callable[[], bool], stop: threading.Event) -> Worker:
    winnow = build(Settings(), open_unit_of_work=filled, clock=clock)
    return Worker(winnow, FakeAnalyst(winnow), holder="w", stop=stop, retain=retain)


@pytest.fixture
def long_log(filled: OpenUnitOfWork, clock: FakeClock, event: Callable) -> OpenUnitOfWork:
    """With a batch an id: more than a round does in its steps."""
    with filled() as work:
        then = clock() - timedelta(days=DAYS + 1)
        old = [event(f"o{place:03}", name="visit", occurred_at=then) for place in range(2 * FOLLOW_STEPS)]
        work.log.append_events(old, received_at=clock())
        work.commit()
    return filled


@IN_MEMORY
def test_a_round_that_is_the_only_one_takes_it_to_its_end(long_log: OpenUnitOfWork, clock: FakeClock) -> None:
    """Each has a keeper of its own, as processes have, and begins to count anew."""
    keepers = [retention(long_log, clock, ids_at_once=1) for _ in range(2)]
    assert worked(long_log, clock, keepers[0].step, threading.Event()).round() is True
    assert audited(long_log) == []
    assert keepers[0].going is not None
    assert keepers[0].going.looked == FOLLOW_STEPS, "a worker goes on with it in its next round"
    assert command._round(worked(long_log, clock, keepers[1].step, threading.Event())) is True
    (entry,) = audited(long_log)
    assert entry.detail["events"] == {"purchase": 2, "visit": 2 + 2 * FOLLOW_STEPS}
    assert left(long_log, clock) == (without(SHOWN, GONE_EXPOSURES), without(HAPPENED, GONE_EVENTS))


@IN_MEMORY
def test_the_only_round_stops_where_told_to_and_where_the_lease_is_lost(
    long_log: OpenUnitOfWork, clock: FakeClock
) -> None:
    stop, steps = threading.Event(), []

    def is_free() -> bool:
        with long_log() as work:
            free = work.leases.acquire(LEASE, holder="another", now=clock(), ttl_seconds=LEASE_SECONDS)
            work.commit()
        return free

    def retain() -> bool:
        steps.append(clock.advance(seconds=LEASE_SECONDS / 2))
        assert not is_free(), "the lease is kept"
        if len(steps) == 2 * FOLLOW_STEPS:
            stop.set()
        return True

    assert worked(long_log, clock, retain, stop).round(is_only=True) is True
    assert len(steps) == 2 * FOLLOW_STEPS

    def lose() -> bool:
        steps.append(clock.advance(seconds=2 * LEASE_SECONDS))
        return is_free() and len(steps) < 4 * FOLLOW_STEPS

    assert worked(long_log, clock, lose, threading.Event()).round(is_only=True) is False


@IN_MEMORY
def test_a_long_look_tells_how_far_it_is(
    filled: OpenUnitOfWork, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, int, int]] = []

    class Log:
        def info(self, event: str, *, looked_ids: int, of_ids: int, **_: int) -> None:
            told.append((event, looked_ids, of_ids))

    monkeypatch.setattr(command, "log", Log())
    monkeypatch.setattr(command, "LOOKED_IDS", 8)
    keeper = retention(filled, clock, days=3_000, ids_at_once=3)
    while command._retain(keeper):
        pass
    assert told == [("looked_for_expired", looked, 19) for looked in (9, 16)]


@IN_MEMORY
def test_the_log_tells_how_far_it_is_and_nothing_where_nothing_goes(
    filled: OpenUnitOfWork, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int, int, int]] = []

    class Log:
        def info(self, event: str, *, deleted_rows: int, of_rows: int, looked_ids: int, of_ids: int) -> None:
            assert event == "expired"
            told.append((deleted_rows, of_rows, looked_ids, of_ids))

    monkeypatch.setattr(command, "log", Log())
    keeper = retention(filled, clock, ids_at_once=10)
    while command._retain(keeper):
        pass
    assert told == [(3, 7, 10, 19), (7, 7, 19, 19)]
    clock.advance(days=1)
    while command._retain(keeper):
        pass
    assert len(told) == 2
    clock.advance(days=1)
    while command._retain(keeper):
        pass
    assert told[-1] == (3, 3, 19, 19)


@IN_MEMORY
def test_results_of_what_runs_come_out_again_and_of_what_ended_stay(filled: OpenUnitOfWork, clock: FakeClock) -> None:
    analyst = Analyst(filled, clock)
    for key in ("running", "ended"):
        analyst.analyse(key)
    clock.advance(seconds=1)
    last(retention(filled, clock).run())
    running, ended = analyst.verify("running"), analyst.verify("ended")
    assert (running.identical, running.expired_since) == (True, 0)
    assert (ended.identical, ended.intact, ended.expired_since) == (False, True, 1)
    analyst.analyse("running")
    with pytest.raises(InvalidInput) as refusal:
        analyst.analyse("ended")
    assert refusal.value.code == "rows_expired"


@pytest.mark.parametrize(
    ("stopped_days", "live_winner", "measured"),
    [
        (None, False, True),
        (0, False, True),
        (7, False, True),
        (7.01, False, False),
        (700, False, False),
        (700, True, True),
    ],
)
def test_how_long_results_are_still_computed(
    definition_of: Callable, clock: FakeClock, stopped_days: float | None, live_winner: bool, measured: bool
) -> None:
    planned = draft(definition_of("one"), by="ada", now=clock())
    assert is_measured(planned, clock(), has_live_winner=False) is False
    one = planned.start(clock() - timedelta(days=1_000))
    if stopped_days is not None:
        one = one.stop(clock() - timedelta(days=stopped_days))
    assert is_measured(one, clock(), has_live_winner=live_winner) is measured


def test_what_an_experiment_of_others_needs_has_no_beginning(definition_of: Callable, clock: FakeClock) -> None:
    ours, theirs = (
        draft(definition_of(kind.value, randomisation=kind), by="ada", now=clock()).start(clock())
        for kind in (Randomisation.WINNOW, Randomisation.EXTERNAL)
    )
    began = clock() - timedelta(days=10, seconds=300)
    assert needed_by([(ours, [ours.current])]).names == {"purchase": began}
    assert needed_by([(ours, [ours.current]), (theirs, [theirs.current])]).names == {"purchase": None}


def test_the_command_tells_what_would_go_and_verify_what_is_gone(
    *, sqlite_url: str, clock: FakeClock, event: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WINNOW_DATABASE_URL", sqlite_url)
    database = open_database(sqlite_url)
    with database.unit_of_work() as work:
        work.log.append_events([event("e1", name="visit", occurred_at=clock())], received_at=clock())
        work.commit()
    database.close()
    unset = CliRunner().invoke(main, ["customers", "retention"])
    assert (unset.exit_code, "WINNOW_RETENTION_DAYS is not set" in unset.output) == (2, True)
    monkeypatch.setenv("WINNOW_RETENTION_DAYS", "30")
    for _ in range(2):
        told = CliRunner().invoke(main, ["customers", "retention", "--dry-run"])
        assert "1 row would go." in told.output
        assert "Events of visit: 1" in told.output
    assert "1 row went." in CliRunner().invoke(main, ["customers", "retention"]).output
    assert "0 rows would go." in CliRunner().invoke(main, ["customers", "retention", "--dry-run"]).output
