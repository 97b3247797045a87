"""Group-sequential: every stored snapshot is a look, and recomputing one sees the looks before it only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.event import ExposureClaim
from experiments.domain.policy import AnalysisPlan, StoppingRule
from experiments.services.analysing import analyse
from experiments.services.analysing.analyse import Analyst
from experiments.services.analysing.looks import EarlierLooks
from experiments.services.assigning.assign import Unit
from experiments.services.authoring.wishes import ExperimentWish
from tests.conftest import FakeClock
from tests.unit.builders import NOW
from tests.unit.reports import report, scope, store

RULE = AnalysisPlan(stopping_rule=StoppingRule.GROUP_SEQUENTIAL, planned_units=1_000)
Looks = Mapping[str | None, tuple[int, ...]]


@pytest.fixture
def analyst(winnow: Winnow, clock: FakeClock) -> Analyst:
    return Analyst(winnow.open_unit_of_work, clock)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Looks]:
    """The looks that each plan was made with; the engine gets a plan with one look, whose numbers do not matter."""
    found: list[Looks] = []
    plain = analyse.plan_of

    def plan_of(versions: Any, stopped_at: datetime | None, at: datetime, looks: EarlierLooks) -> Any:
        found.append(looks.units)
        made = plain(versions, stopped_at, at, looks)
        return replace(made, stopping_rule="fixed_horizon", looks=None)

    monkeypatch.setattr(analyse, "plan_of", plan_of)
    return found


def start(winnow: Winnow, wish: ExperimentWish, analysis: AnalysisPlan = RULE) -> None:
    winnow.author.create(replace(wish, analysis=analysis), actor="ann")
    winnow.author.step("banner", "start", actor="ann")


def show(winnow: Winnow, unit: str) -> None:
    [[assigned]] = winnow.assigner.assign([Unit(unit_id=unit, attributes={"mens": 1})], "banner")
    claim = ExposureClaim(
        event_id=f"x-{unit}",
        unit_id=unit,
        experiment="banner",
        version=assigned.version,
        segment="mens",
        variant=assigned.variant,
        occurred_at=NOW,
    )
    assert winnow.recorder.record([claim])[0].status == "accepted"


def test_each_snapshot_counts_those_before_it(
    winnow: Winnow, wish: ExperimentWish, analyst: Analyst, seen: list[Looks]
) -> None:
    start(winnow, wish)
    for unit in ("u1", "u2", "u3"):
        show(winnow, unit)
        analyst.analyse("banner")
    analyst.analyse("banner")
    assert seen == [
        {},
        {None: (1,), "mens": (1,)},
        {None: (1, 2), "mens": (1, 2)},
        {None: (1, 2, 3), "mens": (1, 2, 3)},
    ]


def test_an_edit_gives_nothing_back(winnow: Winnow, wish: ExperimentWish, analyst: Analyst, seen: list[Looks]) -> None:
    start(winnow, wish)
    show(winnow, "u1")
    analyst.analyse("banner")
    winnow.author.edit("banner", replace(wish, analysis=RULE, name="New"), expected_revision=2, actor="ann")
    analyst.analyse("banner")
    assert seen[-1] == {None: (1,), "mens": (1,)}


def test_a_snapshot_is_recomputed_with_the_looks_before_it(
    winnow: Winnow, wish: ExperimentWish, analyst: Analyst, seen: list[Looks]
) -> None:
    start(winnow, wish)
    show(winnow, "u1")
    analyst.analyse("banner")
    show(winnow, "u2")
    analyst.analyse("banner")
    assert analyst.verify("banner").identical
    assert seen[-1] == seen[-2] == {None: (1,), "mens": (1,)}


def test_a_look_that_came_in_between_is_counted(
    winnow: Winnow, wish: ExperimentWish, analyst: Analyst, seen: list[Looks], clock: FakeClock
) -> None:
    start(winnow, wish)
    show(winnow, "u1")
    between: list[int] = []

    def progress(done: int, total: int) -> None:
        if not between:
            between.append(store(winnow.open_unit_of_work, "banner", report(scope("mens")), at=clock.now).id)

    snapshot = analyst.analyse("banner", progress)
    assert snapshot.id > between[0]
    assert seen == [{}, {None: (10_000,), "mens": (10_000,)}]


def test_other_rules_count_no_looks(winnow: Winnow, wish: ExperimentWish, analyst: Analyst, seen: list[Looks]) -> None:
    start(winnow, wish, AnalysisPlan())
    show(winnow, "u1")
    analyst.analyse("banner")
    analyst.analyse("banner")
    assert seen == [{}, {}]


def test_where_looks_are_counted_there_is_one_a_day(
    winnow: Winnow, wish: ExperimentWish, analyst: Analyst, clock: FakeClock, seen: list[Looks]
) -> None:
    start(winnow, wish)
    assert analyst.is_due("banner", 60)
    analyst.analyse("banner")
    show(winnow, "u1")
    clock.advance(hours=22)
    assert not analyst.is_due("banner", 60)
    clock.advance(hours=1.1)
    assert analyst.is_due("banner", 10**9)
    assert len(seen) == 1


def test_a_clock_that_is_set_back_keeps_no_look_away(
    winnow: Winnow, wish: ExperimentWish, analyst: Analyst, clock: FakeClock, seen: list[Looks]
) -> None:
    start(winnow, wish)
    clock.advance(days=365)
    analyst.analyse("banner")
    clock.advance(days=-365)
    assert analyst.is_due("banner", 60)


def test_what_came_in_before_a_stop_is_looked_at_once_more(
    winnow: Winnow, wish: ExperimentWish, analyst: Analyst, clock: FakeClock, seen: list[Looks]
) -> None:
    start(winnow, wish)
    analyst.analyse("banner")
    clock.advance(hours=1)
    show(winnow, "u1")
    winnow.author.step("banner", "stop", actor="ann")
    assert analyst.is_due("banner", 10**9)
    clock.advance(hours=1)
    analyst.analyse("banner")
    assert not analyst.is_due("banner", 10**9)
