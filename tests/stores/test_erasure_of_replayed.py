"""Erasure finds what replays stored of a person, under names that the experiment's key begins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.bootstrap import Winnow, build
from experiments.domain.activity import UnitActivity
from experiments.domain.profile import Profile, Statement
from experiments.services.ports import OpenUnitOfWork
from experiments.services.replaying.file import WideFile
from experiments.services.replaying.plan import read_plan
from experiments.services.replaying.replay import Replayer
from experiments.settings import Settings
from tests.conftest import FakeClock
from tests.unit.replaying.replays import PLAN, with_units

Load = Callable[..., object]
Kept = set[tuple[str, str]]


@pytest.fixture
def winnow(open_unit_of_work: OpenUnitOfWork, clock: FakeClock) -> Winnow:
    return build(Settings(), open_unit_of_work=open_unit_of_work, clock=clock)


@pytest.fixture
def load(winnow: Winnow, clock: FakeClock, tmp_path: Path) -> Load:
    """Load a file an hour after the last one; each unit has a visit."""

    def loading(key: str, *units: str) -> object:
        clock.advance(hours=1)
        path = tmp_path / f"{key}.csv"
        path.write_text("\n".join(["id,arm,visit", *(f"{unit},New,1" for unit in units), ""]))
        plan = read_plan(with_units(), key=key)
        return Replayer(winnow.catalog, winnow.open_unit_of_work, clock).replay(
            plan, WideFile(path, plan), actor="test"
        )

    return loading


def kept(winnow: Winnow, *units: str) -> Kept:
    """Return which of these the log still has, and in which of its tables."""
    with winnow.open_unit_of_work(read_only=True) as work:
        found = {unit: work.log.rows_of(unit) for unit in units}
    return {(unit, table) for unit, table in both(*units) if getattr(found[unit], table)}


def both(*units: str) -> Kept:
    return {(unit, table) for unit in units for table in ("exposures", "events")}


def follow(winnow: Winnow, clock: FakeClock, unit_id: str, source: str = "behaviour") -> None:
    """Leave of a unit what followers of the log leave."""
    said = {source: {"orders": Statement(value=1, at=clock())}}
    with winnow.open_unit_of_work() as work:
        work.activity.put([UnitActivity(unit_id=unit_id, by_day={20_458: 1}, due_at=clock())])
        work.profiles.put([(Profile(unit_id=unit_id, said=said), {"orders": 1})], now=clock())
        work.commit()


def left_of(winnow: Winnow, unit_id: str) -> tuple[bool, bool]:
    """Say whether a count and a profile are left."""
    with winnow.open_unit_of_work(read_only=True) as work:
        return bool(work.activity.some([unit_id])), bool(work.profiles.some([unit_id]))


def test_rows_of_a_person_are_found_in_every_replay(winnow: Winnow, clock: FakeClock, load: Load) -> None:
    load("sale", "ada", "bob")
    load("autumn", "ada")
    clock.advance(hours=1)
    follow(winnow, clock, "sale-ada")
    receipt = winnow.eraser.erase("ada", actor="test")
    assert receipt.deleted == {"profiles": 1, "exposures": 2, "events": 2, "behaviour": 0, "activity": 1}
    assert kept(winnow, "sale-ada", "autumn-ada", "sale-bob") == both("sale-bob")
    assert left_of(winnow, "sale-ada") == (False, False)


def test_who_has_such_an_id_of_their_own_keeps_what_is_theirs(
    winnow: Winnow, clock: FakeClock, load: Load, exposure: Any, event: Any
) -> None:
    load("sale", "bob")
    at = clock.advance(hours=1)
    with winnow.open_unit_of_work() as work:
        work.log.append_exposures([exposure("x1", "sale-bob", occurred_at=at)], received_at=at)
        work.log.append_events([event("e1", "sale-bob", occurred_at=at)], received_at=at)
        work.commit()
    follow(winnow, clock, "sale-bob")
    assert winnow.eraser.erase("bob", actor="test").deleted["exposures"] == 1
    assert kept(winnow, "sale-bob") == both("sale-bob")
    assert left_of(winnow, "sale-bob") == (True, True)
    assert winnow.eraser.erase("sale-bob", actor="test").deleted["exposures"] == 1
    assert kept(winnow, "sale-bob") == set()


def test_of_whom_a_source_speaks_the_profile_stays(winnow: Winnow, clock: FakeClock, load: Load) -> None:
    load("sale", "bob")
    follow(winnow, clock, "sale-bob", source="crm")
    winnow.eraser.erase("bob", actor="test")
    assert (kept(winnow, "sale-bob"), left_of(winnow, "sale-bob")) == (set(), (True, True))


def test_two_whose_names_come_to_the_same_are_told_apart(winnow: Winnow, load: Load) -> None:
    load("a", "b-c")
    load("a-b", "c")
    winnow.eraser.erase("c", actor="test")
    with winnow.open_unit_of_work(read_only=True) as work:
        mark = work.log.watermark(now=winnow.clock())
        assert [work.log.counts(key, ["visit"], mark)[0] for key in ("a", "a-b")] == [1, 0]


def test_rows_that_a_file_only_numbers_are_nobodys(winnow: Winnow, tmp_path: Path) -> None:
    path, plan = tmp_path / "numbered.csv", read_plan(PLAN)
    path.write_text("mens,history,channel,arm,visit,spend\n1,1,web,New,1,0\n")
    Replayer(winnow.catalog, winnow.open_unit_of_work, winnow.clock).replay(plan, WideFile(path, plan), actor="test")
    winnow.eraser.erase("1", actor="test")
    assert kept(winnow, "sale-1") == both("sale-1")
