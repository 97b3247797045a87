"""Keys whose database hangs or is away: nobody waits long for it, and what was known holds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.errors import Unauthenticated, Unavailable
from experiments.services import patient_reader
from experiments.services.keys import REMEMBERED_SECONDS, Keys, NewKey
from experiments.services.ports import ApiKey, UnitOfWork
from experiments.storage.memory.stores import MemoryKeyStore
from tests.conftest import FakeClock

PATIENCE = 0.1


class Database:
    """One that can hang or refuse; it counts how often it was asked."""

    def __init__(self, winnow: Winnow) -> None:
        self._winnow = winnow
        self.answers = threading.Event()
        self.answers.set()
        self.refuses = False
        self.asked = 0

    def open(self, *, read_only: bool = False) -> UnitOfWork:
        self.asked += 1
        self.answers.wait(20)
        if self.refuses:
            raise Unavailable("database_unavailable", "It is away.")
        return self._winnow.open_unit_of_work(read_only=read_only)


@pytest.fixture
def database(winnow: Winnow, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(patient_reader, "PATIENCE_SECONDS", PATIENCE)
    monkeypatch.setattr(patient_reader, "AWAY_SECONDS", 0.3)
    made = Database(winnow)
    yield made
    made.answers.set()


@pytest.fixture
def keys(database: Database, clock: FakeClock) -> Keys:
    return Keys(database.open, clock)


def known(keys: Keys, count: int) -> list[NewKey]:
    made = [keys.create(f"web {number}", frozenset({"assign"}), actor="ann") for number in range(count)]
    for new in made:
        keys.authenticate(new.text)
    return made


def made_up(number: int) -> str:
    return f"wk_{number:016x}_secret"


def seconds_of(keys: Keys, text: str) -> float:
    began = time.monotonic()
    with suppress(Unavailable):
        keys.authenticate(text)
    return time.monotonic() - began


def until_asked_again(database: Database, keys: Keys, text: str) -> None:
    asked, deadline = database.asked, time.monotonic() + 10
    while database.asked == asked:
        assert time.monotonic() < deadline
        with suppress(Unavailable):
            keys.authenticate(text)
        time.sleep(0.01)


def test_a_database_that_hangs_holds_each_thread_for_a_moment_once(
    database: Database, keys: Keys, clock: FakeClock
) -> None:
    frontends = known(keys, 8)
    clock.advance(seconds=REMEMBERED_SECONDS + 1)
    database.answers.clear()
    asked = database.asked
    with ThreadPoolExecutor(5) as pool:
        waited = list(pool.map(lambda number: seconds_of(keys, frontends[number % 8].text), range(400)))
    assert sum(one >= PATIENCE for one in waited) <= 5
    assert max(waited) < PATIENCE + 1
    assert database.asked - asked <= 5


def test_while_it_hangs_nobody_waits_and_nobody_else_asks(database: Database, keys: Keys, clock: FakeClock) -> None:
    one, other = known(keys, 2)
    clock.advance(seconds=REMEMBERED_SECONDS + 1)
    database.answers.clear()
    assert seconds_of(keys, one.text) >= PATIENCE
    asked = database.asked
    time.sleep(patient_reader.AWAY_SECONDS * 1.2)
    assert max(seconds_of(keys, text) for text in (one.text, other.text, made_up(1)) * 20) < PATIENCE
    assert database.asked == asked


def test_one_read_that_never_ends_holds_up_no_others(
    database: Database, keys: Keys, clock: FakeClock, winnow: Winnow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One connection hangs for good, and all others work: keys are read again, and those revoked elsewhere end."""
    monkeypatch.setattr(patient_reader, "HUNG_SECONDS", 0.4)
    hung, other = known(keys, 2)
    clock.advance(seconds=REMEMBERED_SECONDS + 1)
    database.answers.clear()
    assert seconds_of(keys, hung.text) >= PATIENCE
    stuck, database.answers = database.answers, threading.Event()
    database.answers.set()
    winnow.keys.revoke(other.key.id, actor="ann")
    stranger = winnow.keys.create("new", frozenset({"assign"}), actor="ann")
    time.sleep(0.5)
    assert keys.authenticate(stranger.text).name == "new"
    with pytest.raises(Unauthenticated):
        keys.authenticate(other.text)
    winnow.keys.revoke(hung.key.id, actor="ann")
    with pytest.raises(Unauthenticated):
        keys.authenticate(hung.text)
    stuck.set()


def test_no_more_than_a_few_reads_hang_at_a_time(
    database: Database, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patient_reader, "HUNG_SECONDS", 0.0)
    monkeypatch.setattr(patient_reader, "AWAY_SECONDS", 0.0)
    database.answers.clear()
    asked = database.asked
    for number in range(10):
        seconds_of(keys, made_up(number))
    assert database.asked - asked == patient_reader.MOST_HUNG


def test_made_up_keys_hold_nobody_who_is_known(database: Database, keys: Keys) -> None:
    [frontend] = known(keys, 1)
    database.answers.clear()
    asked = database.asked
    with ThreadPoolExecutor(5) as pool:
        first = list(pool.map(lambda number: seconds_of(keys, made_up(number)), range(5)))
        second = list(pool.map(lambda number: seconds_of(keys, made_up(number)), range(5, 50)))
    assert max(first) < PATIENCE + 1
    assert max(second) < PATIENCE
    assert database.asked - asked <= 5
    with pytest.raises(Unavailable):
        keys.authenticate(made_up(1))
    assert keys.authenticate(frontend.text).name == "web 0"


def test_it_is_asked_again_once_it_answers(database: Database, keys: Keys, clock: FakeClock, winnow: Winnow) -> None:
    one, other = known(keys, 2)
    stranger = winnow.keys.create("new", frozenset({"assign"}), actor="ann")
    clock.advance(seconds=REMEMBERED_SECONDS + 1)
    database.answers.clear()
    keys.authenticate(one.text)
    winnow.keys.revoke(other.key.id, actor="ann")
    assert keys.authenticate(other.text).name == "web 1", "while nobody can be asked, what was read last holds"
    database.answers.set()
    deadline = time.monotonic() + 10
    while True:
        with suppress(Unavailable):
            assert keys.authenticate(stranger.text).name == "new"
            break
        assert time.monotonic() < deadline
    with pytest.raises(Unauthenticated):
        keys.authenticate(other.text)


def test_one_that_refuses_is_not_asked_for_a_while(database: Database, keys: Keys) -> None:
    database.refuses = True
    asked = database.asked
    for number in range(10):
        with pytest.raises(Unavailable):
            keys.authenticate(made_up(number))
    assert database.asked - asked == 1
    until_asked_again(database, keys, made_up(1))


def test_what_took_long_is_remembered_from_its_answer_on(
    database: Database, keys: Keys, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patient_reader, "PATIENCE_SECONDS", 10)
    [frontend] = known(keys, 1)
    clock.advance(seconds=REMEMBERED_SECONDS + 1)
    database.answers.clear()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(keys.authenticate, frontend.text)
        while database.asked < 3:
            time.sleep(0.001)
        clock.advance(seconds=REMEMBERED_SECONDS + 1)
        database.answers.set()
        waiting.result(10)
    asked = database.asked
    keys.authenticate(frontend.text)
    assert database.asked == asked


def test_a_read_that_comes_late_does_not_bring_a_revoked_key_back(
    database: Database, keys: Keys, winnow: Winnow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been read before the key was revoked."""
    new = winnow.keys.create("web", frozenset({"assign"}), actor="ann")
    read, went_on, going_on = threading.Event(), threading.Event(), threading.Event()
    get = MemoryKeyStore.get

    def late(store: MemoryKeyStore, key_id: str) -> ApiKey:
        found = get(store, key_id)
        read.set()
        going_on.wait(10)
        went_on.set()
        return found

    monkeypatch.setattr(MemoryKeyStore, "get", late)
    with pytest.raises(Unavailable):
        keys.authenticate(new.text)
    assert read.is_set()
    keys.revoke(new.key.id, actor="ann")
    going_on.set()
    assert went_on.wait(5)
    refused, deadline = None, time.monotonic() + 10
    while not isinstance(refused, Unauthenticated):
        assert time.monotonic() < deadline
        with pytest.raises((Unavailable, Unauthenticated)) as caught:
            keys.authenticate(new.text)
        refused = caught.value


def test_where_no_thread_can_begin_the_request_reads_itself(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    new = keys.create("web", frozenset({"assign"}), actor="ann")
    monkeypatch.setattr(threading.Thread, "start", begin)
    assert keys.authenticate(new.text).name == "web"
