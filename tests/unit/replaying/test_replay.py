"""Replays: a file is in, or it is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from experiments.bootstrap import Winnow, build
from experiments.domain.consent import ConsentMode
from experiments.domain.errors import AlreadyExists, DomainError, InvalidInput, NotFound
from experiments.domain.experiment import Status
from experiments.services.consent.consents import ConsentWord
from experiments.services.ports import OpenUnitOfWork
from experiments.services.replaying.file import BadRow, Row, WideFile
from experiments.services.replaying.plan import read_plan
from experiments.services.replaying.replay import BadRows, Replayed, Replayer
from experiments.settings import Settings
from tests.conftest import FakeClock
from tests.unit.replaying.replays import HEADER, PLAN, edited, with_units

GOOD = ("1,1,web,New,1,12.5", "0,2000,web,Old,1,0", "0,1,shop,Old,0,0")
Load = Callable[..., Replayed]


@pytest.fixture
def winnow(open_unit_of_work: OpenUnitOfWork, clock: FakeClock) -> Winnow:
    return build(Settings(), open_unit_of_work=open_unit_of_work, clock=clock)


@pytest.fixture
def load(winnow: Winnow, tmp_path: Path) -> Load:
    return loading(winnow, tmp_path)


def loading(winnow: Winnow, tmp_path: Path) -> Load:
    def load(*lines: str, plan: dict[str, Any] = PLAN, header: str = HEADER, **options: Any) -> Replayed:
        path = tmp_path / "results.csv"
        path.write_text("\n".join([header, *lines, ""]))
        checked = read_plan(plan, key=options.pop("key", None))
        replayer = Replayer(winnow.catalog, winnow.open_unit_of_work, winnow.clock)
        return replayer.replay(checked, WideFile(path, checked), actor="test", **options)

    return load


def exposures(winnow: Winnow, key: str = "sale") -> list[tuple[str, str, str]]:
    with winnow.open_unit_of_work(read_only=True) as work:
        mark = work.log.watermark(now=winnow.clock())
        return sorted(row[:3] for batch in work.log.exposures(key, mark) for row in batch)


def events(winnow: Winnow, key: str = "sale") -> list[tuple[str, str, float | None]]:
    with winnow.open_unit_of_work(read_only=True) as work:
        mark = work.log.watermark(now=winnow.clock())
        found = [row[:3] for batch in work.log.events(key, ["visit", "spend"], mark) for row in batch]
    return sorted(found, key=str)


def test_a_file_becomes_a_running_experiment_with_its_rows(winnow: Winnow, load: Load) -> None:
    assert load(*GOOD) == Replayed(experiment="sale", units=3, events=3, already=False)
    experiment = winnow.author.get("sale")
    assert (experiment.status, experiment.current.number, experiment.current.epoch) == (Status.RUNNING, 1, 1)
    assert exposures(winnow) == [
        ("sale-1", "new", "mens"),
        ("sale-2", "old", "rich"),
        ("sale-3", "old", "everyone"),
    ]
    assert events(winnow) == [("sale-1", "spend", 12.5), ("sale-1", "visit", 1.0), ("sale-2", "visit", 1.0)]
    assert set(winnow.catalog.current.live) == {"sale"}
    (entry,) = winnow.results.audit(subject="sale", after=None, limit=10).items
    assert (entry.action, entry.actor, entry.detail["units"]) == ("experiment.replay", "test", 3)


def test_loading_again_stores_nothing_and_says_so(winnow: Winnow, load: Load) -> None:
    load(*GOOD)
    assert load(*GOOD) == Replayed(experiment="sale", units=3, events=3, already=True)
    assert (len(exposures(winnow)), len(events(winnow))) == (3, 3)


NAMED = ("ada,New,1", "bob,Old,1", "eve,Old,0")


@pytest.fixture
def load_named(load: Load) -> Load:
    return partial(load, plan=with_units(), header="id,arm,visit")


def test_who_refuses_is_left_out_and_counted(winnow: Winnow, load_named: Load) -> None:
    winnow.consents.say(ConsentWord(unit_id="bob", granted=False), by="test")
    winnow.consents.say(ConsentWord(unit_id="sale-eve", granted=False), by="test")
    loaded = load_named(*NAMED)
    assert (loaded.units, loaded.events, loaded.without_consent) == (2, 1, 1)
    assert [unit for unit, *_ in exposures(winnow)] == ["sale-ada", "sale-eve"]
    assert events(winnow) == [("sale-ada", "visit", 1.0)]


@pytest.fixture
def strict(open_unit_of_work: OpenUnitOfWork, clock: FakeClock) -> Winnow:
    return build(Settings(consent=ConsentMode.REQUIRED), open_unit_of_work=open_unit_of_work, clock=clock)


def test_where_consent_is_required_those_who_granted_it_are_loaded(strict: Winnow, tmp_path: Path) -> None:
    for unit in ("ada", "bob"):
        strict.consents.say(ConsentWord(unit_id=unit, granted=True), by="test")
    loaded = loading(strict, tmp_path)(*NAMED, plan=with_units(), header="id,arm,visit")
    assert (loaded.units, loaded.events, loaded.without_consent) == (2, 2, 1)
    assert [unit for unit, *_ in exposures(strict)] == ["sale-ada", "sale-bob"]
    assert events(strict) == [("sale-ada", "visit", 1.0), ("sale-bob", "visit", 1.0)]


def test_where_nobody_consents_the_key_is_not_used_up(strict: Winnow, tmp_path: Path) -> None:
    load = partial(loading(strict, tmp_path), *NAMED, plan=with_units(), header="id,arm,visit")
    with pytest.raises(InvalidInput) as refusal:
        load()
    assert refusal.value.code == "nobody_consents"
    with pytest.raises(NotFound):
        strict.author.get("sale")
    strict.consents.say(ConsentWord(unit_id="eve", granted=True), by="test")
    assert (load().units, exposures(strict)) == (1, [("sale-eve", "old", "everyone")])


def test_rows_without_ids_are_nobodys_and_are_loaded(strict: Winnow, tmp_path: Path) -> None:
    assert (loading(strict, tmp_path)(*GOOD).units, len(exposures(strict)), len(events(strict))) == (3, 3, 3)


def test_another_file_or_plan_for_the_same_key_is_refused(load: Load) -> None:
    load(*GOOD)
    with pytest.raises(AlreadyExists):
        load(*GOOD[:2])
    with pytest.raises(AlreadyExists):
        load(*GOOD, plan=edited("experiment", "name", to="Another sale"))


def test_nothing_is_loaded_where_a_row_is_bad(winnow: Winnow, load: Load) -> None:
    with pytest.raises(BadRows) as refusal:
        load(*GOOD, "x,1,web,New,0,0", "1,1,web,New,0,0", "1,1,web,None,0,0")
    assert [(row.line, row.code) for row in refusal.value.rows] == [(5, "not_an_integer"), (7, "variant_unknown")]
    assert refusal.value.count == 2
    with pytest.raises(NotFound):
        winnow.author.get("sale")
    assert winnow.author.segments.page(after=None, limit=10).items == ()
    assert exposures(winnow) == []


def test_of_many_bad_rows_the_first_are_told_and_all_are_counted(load: Load) -> None:
    with pytest.raises(BadRows) as refusal:
        load(*["x,1,web,New,0,0"] * 30, most_bad_rows=4)
    assert [row.line for row in refusal.value.rows] == [2, 3, 4, 5]
    assert refusal.value.count == 30


def test_a_file_without_rows_is_refused(load: Load) -> None:
    with pytest.raises(InvalidInput) as refusal:
        load()
    assert refusal.value.code == "file_empty"


def test_a_file_that_changes_between_checking_and_loading_is_refused(
    winnow: Winnow, load: Load, tmp_path: Path
) -> None:
    def change(step: str, done: int, total: int | None) -> None:
        if (step, total) == ("check", 3):
            (tmp_path / "results.csv").write_text("\n".join([HEADER, *GOOD, GOOD[0], ""]))

    with pytest.raises(InvalidInput) as refusal:
        load(*GOOD, progress=change)
    assert refusal.value.code == "file_changed"
    assert exposures(winnow) == []


def test_the_library_may_hold_the_same_segment_but_not_another_of_that_key(load: Load) -> None:
    load(*GOOD)
    assert load(*GOOD, key="autumn").already is False
    with pytest.raises(DomainError) as refusal:
        load(*GOOD, key="winter", plan=edited("segments", 0, "condition", to={"mens": 2}))
    assert refusal.value.code == "segment_differs"


def test_rows_without_ids_are_other_units_in_another_experiment(winnow: Winnow, load: Load) -> None:
    load(*GOOD)
    load(*GOOD, key="autumn")
    assert {unit for unit, _, _ in exposures(winnow, "autumn")} == {"autumn-1", "autumn-2", "autumn-3"}
    assert len(events(winnow)) == len(events(winnow, "autumn")) == 3


def test_what_customers_do_in_one_experiment_says_nothing_about_another(winnow: Winnow, load: Load) -> None:
    """All rows of a file happen at once: without a name of its own, a unit would take the other's outcomes along."""
    load("7,New,1", "8,Old,0", header="id,arm,visit", plan=with_units(), key="first")
    load("7,New,0", "8,Old,1", header="id,arm,visit", plan=with_units(), key="second")
    assert events(winnow, "first") == [("first-7", "visit", 1.0)]
    assert events(winnow, "second") == [("second-8", "visit", 1.0)]


def test_covariates_are_events_from_before_the_exposure(winnow: Winnow, load: Load) -> None:
    load(*GOOD, plan=edited("metrics", 1, "covariates", to=["history"]))
    with winnow.open_unit_of_work(read_only=True) as work:
        mark = work.log.watermark(now=winnow.clock())
        known = [row for batch in work.log.events("sale", ["history"], mark) for row in batch]
        [shown] = {row[4] for batch in work.log.exposures("sale", mark) for row in batch}
    covariate = winnow.author.get("sale").definition.metrics[1].metric.covariates[0]
    assert sorted(row[2] for row in known) == [1.0, 1.0, 2_000.0]
    assert {shown - row[3] for row in known} == {timedelta(seconds=covariate.lookback_seconds)}


class ManyRows:
    """More rows than one batch; only the second reading has a bad one."""

    sha256: str | None = None

    def __init__(self) -> None:
        self.readings = 0

    def rows(self) -> Iterator[Row | BadRow]:
        self.readings += 1
        for number in range(1, 12_001):
            yield Row(
                number=number,
                id_in_file=None,
                unit_id=f"u{number}",
                attributes={},
                segment="everyone",
                variant="old",
                outcomes=(),
            )
        if self.readings == 2:
            yield BadRow(line=12_002, column=None, code="field_count", message="Cut off.")
        self.sha256 = "0" * 64


def test_trouble_after_the_first_batches_leaves_nothing_behind(winnow: Winnow) -> None:
    steps: list[tuple[str, int, int | None]] = []
    replayer = Replayer(winnow.catalog, winnow.open_unit_of_work, winnow.clock)
    with pytest.raises(BadRows):
        replayer.replay(
            read_plan(PLAN),
            ManyRows(),
            actor="test",
            progress=lambda step, done, total: steps.append((step, done, total)),
        )
    assert steps == [
        ("check", 5_000, None),
        ("check", 10_000, None),
        ("check", 12_000, 12_000),
        ("load", 5_000, 12_000),
        ("load", 10_000, 12_000),
    ]
    assert exposures(winnow) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from experiments.bootstrap import build
from experiments.services.replaying.replay import Replayer
from experiments.services.replaying.file import WideFile
from experiments.services.replaying.plan import read_plan
from experiments.settings import Settings
from tests.unit.replaying.replays import PLAN

def die(step, done, total):
    if step == "load" and done == 5_000:
        os.kill(os.getpid(), signal.SIGKILL)

winnow, plan = build(Settings(database_url=sys.argv[1])), read_plan(PLAN)
Replayer(winnow.catalog, winnow.open_unit_of_work, winnow.clock).replay(
    plan, WideFile(Path(sys.argv[2]), plan), actor="test", progress=die if sys.argv[3] == "die" else None
)
"""


def test_a_replay_that_is_killed_midway_leaves_nothing_and_can_be_run_again(sql_url: str, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("\n".join([HEADER, *GOOD * 2_000, ""]))
    arguments = [sys.executable, "-c", KILLED, sql_url, str(path)]
    root = Path(__file__).parents[3]
    killed = subprocess.run([*arguments, "die"], cwd=root, env=dict(os.environ), check=False)
    winnow = build(Settings(database_url=sql_url))
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(NotFound):
        winnow.author.get("sale")
    assert exposures(winnow) == []
    subprocess.run([*arguments, "live"], cwd=root, env=dict(os.environ), check=True)
    assert (len(exposures(winnow)), len(events(winnow))) == (6_000, 6_000)
