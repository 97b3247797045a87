"""Following how much units do: nothing is lost and nothing counted twice, wherever the process dies."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from experiments.bootstrap import Winnow, build
from experiments.services.following import activity
from experiments.services.following import follower as following_the_log
from experiments.services.following.activity import ActivityFollower
from experiments.services.following.saying import register
from experiments.services.ports import OpenUnitOfWork, UnitOfWork
from experiments.settings import Settings
from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock
from tests.unit.following.engaged import EPOCH, do, follower, known, rows, told_on, visit
from tests.unit.following.test_follow import DAY, Killed, catch_up, dies_at_times, record, shop, until_killed

__all__ = ["shop"]


@pytest.mark.parametrize("seed", range(2))
def test_a_kill_loses_nothing_and_doubles_nothing(shop: Winnow, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before, within and after any transaction, while events go on: counts are those of a plain loop."""
    chance, happened, killed = random.Random(seed), Counter[tuple[str, int]](), 0
    with monkeypatch.context() as dying:
        for module, name in (
            *((following_the_log, name) for name in ("say", "replace", "of_persons", "consenting")),
            *((activity, name) for name in ("counted_by_day", "next_due", "values", "_row")),
        ):
            dying.setattr(module, name, dies_at_times(chance, getattr(module, name)))
        for _ in range(12):
            new = [(f"u{chance.randrange(12)}", shop.clock() - chance.randrange(20) * DAY) for _ in range(8)]
            happened.update((unit_id, (at - EPOCH).days) for unit_id, at in new)
            record(shop, [visit(unit_id, at) for unit_id, at in new])
            killed += until_killed(follower(shop, events_at_once=7, units_at_once=3), chance.randrange(1, 6))
    assert killed > 1
    catch_up(follower(shop, events_at_once=7, units_at_once=3))
    found = rows(shop, *{unit_id for unit_id, _ in happened})
    assert {(unit_id, day): count for unit_id, by_day in found.items() for day, count in by_day.items()} == happened
    today = (shop.clock() - EPOCH).days
    assert {unit_id: known(shop, unit_id) for unit_id in found} == {
        unit_id: told_on(by_day, today) for unit_id, by_day in found.items()
    }


class Dying:
    """Units of work of which one dies with its commit, before it or after it."""

    def __init__(self, opened: OpenUnitOfWork, *, at: int, before: bool) -> None:
        self._open, self._left, self._before = opened, at, before

    @contextmanager
    def __call__(self, *, read_only: bool = False) -> Iterator[UnitOfWork]:
        with self._open(read_only=read_only) as work:
            commit = work.commit
            work.commit = partial(self._commit, commit)  # type: ignore[method-assign]
            yield work

    def _commit(self, commit: Callable[[], None]) -> None:
        self._left -= 1
        if self._left == 0 and self._before:
            raise Killed
        commit()
        if self._left == 0:
            raise Killed


def _story_of_two(at: int, *, before: bool) -> tuple[bool, dict[str, object], object]:
    """Someone visits as a device and as a customer, other events count, days pass; the worker dies once."""
    clock, memory, killed = FakeClock(), MemoryDatabase(), False
    shop = build(Settings(), open_unit_of_work=memory.unit_of_work, clock=clock)
    shop.catalog.refresh()
    names = ("visit",)

    def follow() -> None:
        nonlocal killed
        options = {"events_at_once": 3, "units_at_once": 2}
        registering = partial(register, shop.author.sources, shop.author.attributes, shop.open_unit_of_work)
        opened = shop.open_unit_of_work if killed else dying
        following = ActivityFollower(opened, clock, names, register=registering, **options)  # type: ignore[arg-type]
        try:
            catch_up(following)
        except Killed:
            killed = True
            catch_up(follower(shop, names, **options))

    dying = Dying(shop.open_unit_of_work, at=at, before=before)
    do(shop, "dev", 0, 1, 2, 3)
    do(shop, "bob", 5, name="order")
    follow()
    shop.identifier.identify("dev", "ann", trusted=True)
    do(shop, "dev", 0)
    do(shop, "ann", 9)
    follow()
    names = ("order", "visit")
    follow()
    clock.advance(days=20)
    follow()
    clock.advance(days=5)
    follow()
    units = ("ann", "bob", "dev")
    return killed, {unit_id: known(shop, unit_id) for unit_id in units}, rows(shop, *units)


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_worker_may_die_with_any_commit(before: bool) -> None:
    _, said, counted = _story_of_two(0, before=before)
    assert said == {"ann": {"engagement_level": "regular", "active_days_28": 5}, "bob": {}, "dev": {}}
    deaths = 0
    while (found := _story_of_two(deaths + 1, before=before))[0]:
        deaths += 1
        assert found[1:] == (said, counted)
    assert deaths > 8
