"""What a process remembers of who is who: right, bounded, and never older than what it was told to forget."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

import pytest

from experiments.bootstrap import Winnow, build
from experiments.domain.errors import Unavailable
from experiments.services import patient_reader
from experiments.services.identity import cache as identity_cache
from experiments.services.identity.cache import IdentityCache, Who
from experiments.settings import Settings
from tests.conftest import FakeClock
from tests.unit.profiles.test_profile_cache import PATIENCE, Counting, seconds, until


@pytest.fixture
def opened() -> Counting:
    return Counting()


@pytest.fixture
def other(opened: Counting, clock: FakeClock) -> Winnow:
    """Another process on the same database."""
    made = build(Settings(), open_unit_of_work=opened, clock=clock)
    made.catalog.refresh()
    return made


@pytest.fixture
def cache(opened: Counting) -> IdentityCache:
    return IdentityCache(opened, remembered=10)


def join(winnow: Winnow, device: str, person: str = "ann") -> None:
    winnow.identifier.identify(device, person, trusted=True)


def reads(opened: Counting, do: Callable[[], Any]) -> int:
    before = opened.reads
    do()
    return opened.reads - before


def test_where_nobody_was_joined_nothing_is_read(opened: Counting, cache: IdentityCache) -> None:
    assert reads(opened, lambda: cache.of("u1")) == 1  # whether anybody was
    assert not cache.active
    asks: list[Callable[[], Any]] = [
        lambda: cache.of("u2"),
        lambda: cache.warm(["u3", "u4"]),
        lambda: cache.newest("u5", monotonic()),
        lambda: cache.bucketed(["u6"]),
    ]
    assert [reads(opened, ask) for ask in asks] == [0] * 4
    assert (cache.of("u2"), cache.numbers()) == (Who("u2", "u2"), {"identities_remembered": 0})


def test_all_of_one_batch_need_one_look_at_what_others_did(
    opened: Counting, other: Winnow, cache: IdentityCache
) -> None:
    join(other, "dev")
    cache.warm(["dev", "ann"])
    asked_at = monotonic()
    assert reads(opened, lambda: [cache.newest(unit, asked_at) for unit in ("dev", "ann", "dev")]) == 1
    join(other, "tab")
    assert reads(opened, lambda: cache.newest("dev", monotonic())) == 1  # another batch looks again
    assert cache.newest("tab", monotonic()) == Who("ann", "dev")


def test_a_cold_unit_is_read_once_whoever_it_is(opened: Counting, other: Winnow, cache: IdentityCache) -> None:
    join(other, "dev")
    cache.follow()
    for unit, who in (("dev", Who("ann", "dev")), ("ann", Who("ann", "dev")), ("bob", Who("bob", "bob"))):
        assert reads(opened, lambda unit=unit: cache.of(unit)) == 1  # type: ignore[misc]
        assert reads(opened, lambda unit=unit: cache.of(unit)) == 0  # type: ignore[misc]
        assert cache.of(unit) == who
    assert reads(opened, lambda: cache.warm(["dev", "u1", "u2", "u1"])) == 1
    assert reads(opened, lambda: [cache.of(unit) for unit in ("dev", "u1", "u2")]) == 0
    assert cache.bucketed(["bob", "dev", "ann"]) == ["bob", "dev", "dev"]


def test_memory_is_bounded_and_keeps_who_comes_often(opened: Counting, other: Winnow, cache: IdentityCache) -> None:
    join(other, "dev")
    cache.follow()
    most = 0
    for number in range(200):
        cache.of(f"u{number}")
        assert reads(opened, lambda: cache.of("dev")) == (number == 0)
        most = max(most, int(cache.numbers()["identities_remembered"]))
    assert 10 <= most <= 20
    assert reads(opened, lambda: cache.of("u0")) == 1


@pytest.mark.parametrize("heard", ["told", "followed"])
def test_what_was_read_while_it_changed_is_not_remembered(
    opened: Counting, other: Winnow, cache: IdentityCache, heard: str
) -> None:
    join(other, "somebody", "else")
    cache.follow()

    def change() -> None:
        join(other, "dev")
        cache.forget(["dev", "ann"]) if heard == "told" else cache.follow()

    opened.before_exit = change
    assert cache.of("ann") == Who("ann", "ann")
    assert cache.of("ann") == Who("ann", "dev")


def test_who_is_joined_here_while_others_are_looked_for_is_not_lost(
    opened: Counting, other: Winnow, cache: IdentityCache
) -> None:
    """The look finds nobody; before it says so, somebody is joined by this very process."""

    def change() -> None:
        join(other, "dev")
        cache.forget(["dev", "ann"])

    opened.before_exit = change
    cache.follow()
    assert (cache.active, cache.of("ann")) == (True, Who("ann", "dev"))


def test_many_changes_at_once_are_all_forgotten(
    monkeypatch: pytest.MonkeyPatch, opened: Counting, other: Winnow, cache: IdentityCache
) -> None:
    join(other, "first", "bob")
    cache.follow()
    cache.warm(["u1", "ann", "d0"])
    monkeypatch.setattr(identity_cache, "MOST_FOLLOWED", 2)
    for number in range(3):
        join(other, f"d{number}")
    cache.follow()
    assert cache.numbers() == {"identities_remembered": 0}
    assert cache.of("d0") == Who("ann", "d0")


def test_while_the_database_is_away_everybody_is_somebody_of_its_own(
    monkeypatch: pytest.MonkeyPatch, opened: Counting, other: Winnow, cache: IdentityCache
) -> None:
    join(other, "dev")
    cache.follow()
    assert cache.of("dev") == Who("ann", "dev")
    tries: list[bool] = []

    def away(*, read_only: bool = False) -> Any:
        tries.append(read_only)
        raise Unavailable("database_unavailable", "The database does not answer.")

    monkeypatch.setattr(cache, "_open", away)
    assert (cache.of("dev"), cache.of("ann"), cache.of("bob")) == (
        Who("ann", "dev"),
        Who("ann", "ann"),
        Who("bob", "bob"),
    )
    assert tries == [True]  # and is left alone for a while
    for _ in range(2):
        with pytest.raises(Unavailable):
            cache.newest("ann", monotonic())
    assert tries == [True]  # nobody waits for it once more, and nobody is refused meanwhile
    monkeypatch.setattr(cache, "_open", opened)
    cache.follow()
    assert cache.of("ann") == Who("ann", "dev")


def test_a_claim_is_not_judged_by_who_could_not_be_read(
    monkeypatch: pytest.MonkeyPatch, opened: Counting, other: Winnow, cache: IdentityCache
) -> None:
    """The look of its batch went well, and then the database was gone: `tab` may be anybody."""
    join(other, "dev")
    join(other, "tab")
    asked_at = monotonic()
    assert cache.newest("dev", asked_at) == Who("ann", "dev")

    def away(*, read_only: bool = False) -> Any:
        raise Unavailable("database_unavailable", "The database does not answer.")

    monkeypatch.setattr(cache, "_open", away)
    assert cache.newest("dev", asked_at) == Who("ann", "dev")
    with pytest.raises(Unavailable):
        cache.newest("tab", asked_at)
    monkeypatch.setattr(cache, "_open", opened)
    cache.follow()
    assert cache.newest("tab", asked_at) == Who("ann", "dev")


def test_while_the_database_hangs_nobody_waits_for_long(
    opened: Counting, other: Winnow, cache: IdentityCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patient_reader, "PATIENCE_SECONDS", PATIENCE)
    join(other, "dev")
    cache.follow()
    opened.hangs = threading.Event()
    with ThreadPoolExecutor(5) as pool:
        waited = list(pool.map(lambda number: seconds(lambda: cache.of(f"u{number}")), range(200)))
    assert sum(one >= PATIENCE for one in waited) <= 5
    assert max(waited) < PATIENCE + 1
    with pytest.raises(Unavailable):
        cache.newest("dev", monotonic())
    opened.hangs.set()
    opened.hangs = None
    until(lambda: (cache.follow(), cache.of("dev"))[1] == Who("ann", "dev"))
    assert cache.newest("dev", monotonic()) == Who("ann", "dev")
