"""What a process remembers of profiles: right, bounded, and never older than what it was told to forget."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from experiments.bootstrap import Winnow, build
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.segment import Segment
from experiments.domain.source import Source, SourceKind
from experiments.services import patient_reader
from experiments.services.authoring.wishes import ExperimentWish
from experiments.services.profiles.cache import ProfileCache
from experiments.services.profiles.profiles import ProfileChange, Profiles
from experiments.settings import Settings
from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock
from tests.unit.builders import VISIT

PATIENCE = 0.1


def seconds(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Counting:
    """Opens units of work, counts those that only read, and does something before one of them ends."""

    def __init__(self) -> None:
        self.database = MemoryDatabase()
        self.reads = 0
        self.dawdles = False
        self.hangs: threading.Event | None = None
        self.before_exit: Callable[[], None] | None = None

    def __call__(self, *, read_only: bool = False) -> Any:
        self.reads += read_only
        if self.hangs is not None:
            self.hangs.wait(20)
        work = self.database.unit_of_work(read_only=read_only)
        act, self.before_exit = (self.before_exit, None) if read_only else (None, self.before_exit)
        if act is not None:
            work._held.callback(act)
        if read_only and self.dawdles:
            work._held.callback(time.sleep, 0.0005)
        return work


@pytest.fixture
def opened() -> Counting:
    return Counting()


@pytest.fixture
def other(opened: Counting, clock: FakeClock, wish: ExperimentWish) -> Winnow:
    """Another process on the same database, in which an experiment runs whose segments look at `mens`."""
    made = build(Settings(), open_unit_of_work=opened, clock=clock)
    for key, condition in (("mens", {"mens": 1}), ("new", {"recency": {"$lte": 1}})):
        made.author.segments.create(Segment(key=key, name=key, condition=condition), actor="test")
    made.author.metrics.create(VISIT, actor="test")
    made.author.sources.create(Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=1), actor="test")
    for key in ("mens", "unasked"):
        made.author.attributes.create(Attribute(key=key, name=key, type=AttributeType.NUMBER), actor="test")
    made.author.create(wish, actor="test")
    made.author.step("banner", "start", actor="test")
    return made


@pytest.fixture
def cache(opened: Counting, other: Winnow, clock: FakeClock) -> ProfileCache:
    """That of a process which hears of changes only by following."""
    return ProfileCache(other.catalog, opened, clock, remembered=10)


def write(winnow: Winnow, unit_id: str, **attributes: Any) -> None:
    winnow.profiles.patch(ProfileChange(unit_id=unit_id, source="crm", attributes=attributes))


def reads(opened: Counting, act: Callable[[], object]) -> int:
    before = opened.reads
    act()
    return opened.reads - before


def test_a_unit_is_read_once_and_so_is_that_it_has_none(opened: Counting, other: Winnow, cache: ProfileCache) -> None:
    write(other, "u1", mens=1, unasked=2)
    assert cache.merged("u1", {"a": 2}) == {"mens": 1, "a": 2}, "only what live conditions name is kept"
    assert cache.merged("u2", {"a": 2}) == {"a": 2}
    for unit_id in ("u1", "u2"):
        assert reads(opened, lambda name=unit_id: cache.merged(name, {})) == 0  # type: ignore[misc]
    assert cache.merged("u1", {"mens": 7}) == {"mens": 7}
    assert cache.numbers() == {"profiles_remembered": 2}


def test_a_request_that_brings_all_that_is_asked_for_reads_nothing(
    opened: Counting, other: Winnow, cache: ProfileCache
) -> None:
    write(other, "u1", mens=1)
    assert reads(opened, lambda: cache.merged("u1", {"mens": 5, "recency": 1})) == 0


def test_nothing_is_read_where_no_condition_names_what_is_registered(
    opened: Counting, other: Winnow, cache: ProfileCache
) -> None:
    write(other, "u1", mens=1)
    other.author.step("banner", "stop", actor="test")
    other.author.step("banner", "archive", actor="test")
    assert other.catalog.current.registry is None
    assert reads(opened, lambda: cache.merged("u1", {})) == 0
    assert reads(opened, lambda: cache.warm([("u1", {}), ("u2", {})])) == 0
    assert reads(opened, cache.follow) == 0


def test_what_others_change_is_forgotten_by_following(opened: Counting, other: Winnow, cache: ProfileCache) -> None:
    cache.follow()
    write(other, "u1", mens=1)
    write(other, "u2", mens=1)
    cache.follow()
    cache.warm((name, {}) for name in ("u1", "u2", "u3"))
    write(other, "u1", mens=2)
    write(other, "u3", mens=3)
    assert [cache.merged(name, {}) for name in ("u1", "u2", "u3")] == [{"mens": 1}, {"mens": 1}, {}]
    cache.follow()
    assert reads(opened, lambda: cache.merged("u2", {})) == 0
    assert [cache.merged(name, {}) for name in ("u1", "u2", "u3")] == [{"mens": 2}, {"mens": 1}, {"mens": 3}]


def test_too_many_changes_at_once_are_all_forgotten(
    monkeypatch: pytest.MonkeyPatch, other: Winnow, cache: ProfileCache
) -> None:
    monkeypatch.setattr("experiments.services.profiles.cache.MOST_FOLLOWED", 2)
    cache.follow()
    cache.warm((name, {}) for name in ("u1", "u2", "u3", "u4"))
    for name in ("u1", "u2", "u3"):
        write(other, name, mens=1)
    cache.follow()
    assert cache.numbers() == {"profiles_remembered": 0}
    assert cache.merged("u3", {}) == {"mens": 1}


def test_what_was_remembered_before_following_began_is_forgotten(other: Winnow, cache: ProfileCache) -> None:
    assert cache.merged("u1", {}) == {}
    write(other, "u1", mens=1)
    cache.follow()
    assert cache.merged("u1", {}) == {"mens": 1}


@pytest.mark.parametrize("heard", ["told", "followed"])
def test_what_was_read_while_it_changed_is_not_remembered(
    opened: Counting, other: Winnow, cache: ProfileCache, heard: str
) -> None:
    """The row is read; before it is remembered, it changes and that is heard of. Then nobody would tell again."""
    cache.follow()

    def change() -> None:
        write(other, "u1", mens=1)
        cache.forget(["u1"]) if heard == "told" else cache.follow()

    opened.before_exit = change
    assert cache.merged("u1", {}) == {}
    assert cache.merged("u1", {}) == {"mens": 1}


def test_a_batch_reads_all_that_it_does_not_know_at_once(opened: Counting, other: Winnow, cache: ProfileCache) -> None:
    for number in range(4):
        write(other, f"u{number}", mens=number)
    cache.merged("u1", {})
    names = [f"u{number}" for number in range(6)]
    assert reads(opened, lambda: cache.warm((name, {"mens": 0}) for name in names)) == 0
    assert reads(opened, lambda: cache.warm((name, {"recency": 0}) for name in names)) == 1
    assert reads(opened, lambda: [cache.merged(name, {}) for name in names]) == 0
    assert cache.merged("u3", {}) == {"mens": 3}
    assert reads(opened, lambda: cache.warm((name, {}) for name in names)) == 0


def test_memory_is_bounded_and_keeps_who_comes_often(opened: Counting, other: Winnow, cache: ProfileCache) -> None:
    most = 0
    for number in range(200):
        cache.merged(f"u{number}", {})
        assert reads(opened, lambda: cache.merged("often", {})) == (number == 0)
        most = max(most, int(cache.numbers()["profiles_remembered"]))
    assert 10 <= most <= 20
    assert reads(opened, lambda: cache.merged("u0", {})) == 1


def test_this_process_hears_of_its_own_writes(opened: Counting, other: Winnow) -> None:
    assert other.caches.profiles.merged("u1", {}) == {}
    write(other, "u1", mens=1)
    assert other.caches.profiles.merged("u1", {}) == {"mens": 1}
    other.profiles.upsert_many([ProfileChange(unit_id="u1", source="crm", attributes={"mens": None})])
    assert other.caches.profiles.merged("u1", {}) == {}


def test_an_edit_that_asks_for_nothing_else_forgets_nothing(
    opened: Counting, other: Winnow, cache: ProfileCache, wish: ExperimentWish
) -> None:
    cache.merged("u1", {})
    before = other.catalog.current
    other.author.edit("banner", replace(wish, name="Another name"), expected_revision=2, actor="test")
    assert other.catalog.current is not before
    assert reads(opened, lambda: cache.merged("u1", {})) == 0


@pytest.mark.parametrize("remembered", [50, 1_000])
def test_whatever_happens_at_once_in_the_end_nothing_is_stale(
    opened: Counting, other: Winnow, clock: FakeClock, remembered: int
) -> None:
    """One writes every unit once, two ask for them, one follows."""
    cache = ProfileCache(other.catalog, opened, clock, remembered=remembered)
    quiet = Profiles(opened, clock, lambda unit_ids: None)
    units = [f"u{number}" for number in range(200)]
    writing = [True]
    opened.dawdles = True

    def write_all() -> None:
        for name in units:
            time.sleep(0.0005)
            quiet.patch(ProfileChange(unit_id=name, source="crm", attributes={"mens": 1}))
        writing.clear()

    def ask() -> None:
        while writing:
            for name in units:
                cache.merged(name, {})

    def follow() -> None:
        while writing:
            cache.follow()

    with ThreadPoolExecutor(4) as pool:
        for running in [pool.submit(act) for act in (write_all, ask, ask, follow)]:
            running.result(timeout=30)
    cache.follow()
    assert {name: cache.merged(name, {}) for name in units} == {name: {"mens": 1} for name in units}


def test_while_the_database_hangs_nobody_waits_for_long(
    opened: Counting, other: Winnow, cache: ProfileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of each thread waits a moment; all are answered by what they brought."""
    monkeypatch.setattr(patient_reader, "PATIENCE_SECONDS", PATIENCE)
    write(other, "u7", mens=1)
    cache.follow()
    opened.hangs = threading.Event()
    with ThreadPoolExecutor(5) as pool:
        waited = list(pool.map(lambda number: seconds(lambda: cache.merged(f"u{number}", {})), range(200)))
    assert sum(one >= PATIENCE for one in waited) <= 5
    assert max(waited) < PATIENCE + 1
    assert cache.merged("u7", {"recency": 3}) == {"recency": 3}
    opened.hangs.set()
    opened.hangs = None
    until(lambda: (cache.follow(), cache.merged("u7", {"recency": 3}))[1] == {"recency": 3, "mens": 1})
