"""Drift stands beside results: when it is looked for, who prints it, and that nothing decides by it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from experiments.bootstrap import utc_now
from experiments.domain.adaptive import AdaptivePolicy
from experiments.domain.definition import Randomisation
from experiments.domain.errors import NotFound
from experiments.domain.policy import AnalysisPlan, Family, StoppingRule
from experiments.domain.promotion_policy import PromotionPolicy, WinnerRule
from experiments.services.analysing.analyse import Analyst
from experiments.services.assigning.assign import Unit
from experiments.services.drift.drift import Drifter
from experiments.services.drift.ports import Drift
from experiments.storage.unit_of_work import open_database
from tests.conftest import FakeClock
from tests.unit.commands.test_cli import Winnow as Commands
from tests.unit.drift.shop import LOYAL, Customer, Shop, codes, customers, open_shop, play


def test_nothing_that_concludes_is_kept(shop: Shop) -> None:
    shop.start()
    play(shop, customers(7, 60))
    text = json.dumps(shop.drift())
    assert all(f'"{word}"' not in text for word in ("verdict", "recommendation", "p_value_adjusted", "beliefs"))


def test_the_snapshot_stays_as_it_was(shop: Shop) -> None:
    shop.start()
    play(shop, customers(8, 60))
    shop.analyse()
    before = shop.winnow.results.latest("banner")
    Drifter(shop.winnow.open_unit_of_work, shop.clock).compute("banner", actor="t")
    assert shop.winnow.results.latest("banner") == before
    assert Analyst(shop.winnow.open_unit_of_work, shop.clock).verify("banner").identical


def test_it_is_due_once_a_day_and_not_before_there_are_results(shop: Shop) -> None:
    shop.start()
    drifter = Drifter(shop.winnow.open_unit_of_work, shop.clock)
    assert drifter.step("banner") is None
    with pytest.raises(NotFound, match="no results"):
        drifter.compute("banner", actor="t")
    with pytest.raises(NotFound, match="not known yet"):
        shop.winnow.results.drift("banner")
    shop.show("u1", "a", "new")
    shop.analyse()
    made = drifter.step("banner")
    assert made is not None
    assert shop.winnow.results.drift("banner") == made
    assert shop.winnow.results.known_drift("banner") == made
    assert shop.winnow.results.known_drift("other") is None
    assert drifter.step("banner") is None
    shop.clock.advance(hours=24)
    again = drifter.step("banner")
    assert again is not None
    assert (again.snapshot_id, again.computed_at) == (made.snapshot_id, made.computed_at + timedelta(hours=24))
    assert [entry.action for entry in shop.winnow.results.audit(subject="banner", after=None, limit=2).items] == [
        "drift.compute",
        "drift.compute",
    ]


def test_no_decision_sees_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what is proposed nor its evidence changes with a drift that shouts, and nobody even reads it."""
    shop.start()
    play(shop, customers(9, 300))
    shop.analyse()
    before = shop.winnow.promoter.propose("banner")
    snapshot = shop.winnow.results.latest("banner")
    with shop.winnow.open_unit_of_work() as work:
        shouting = {"at_present": [{"segment": "new", "verdict": {"outcome": "winner", "variant": "b"}}]}
        work.drifts.put(
            Drift(experiment="banner", snapshot_id=snapshot.id, computed_at=shop.clock.now, document=shouting)
        )
        store = type(work.drifts)
        work.commit()

    def refuse(*_: object) -> None:
        raise AssertionError("a decision looked at drift")

    monkeypatch.setattr(store, "latest", refuse)
    assert shop.winnow.promoter.propose("banner") == before
    for segment in shop.winnow.advancer.due("banner"):
        shop.winnow.advancer.step("banner", segment)


def test_the_command_prints_moves_and_both_lifts(sqlite_url: str, tmp_path: Path) -> None:
    shop = open_shop(open_database(sqlite_url).unit_of_work, FakeClock(now=utc_now() - timedelta(days=3)))
    shop.start()
    people = customers(5, 60)
    play(shop, people)
    shop.analyse()
    winnow = Commands(sqlite_url, tmp_path)
    assert "drift_not_found" in winnow("segments", "drift", "banner", "--stored").stderr
    told = winnow("segments", "drift", "banner")
    assert told.exit_code == 0, told.output
    pairs = Counter((one.then, one.now) for one in people)
    new = [f"{pairs['new', place]}" for place in ("new", None, "loyal", "everyone")]
    row = next(line for line in told.stdout.splitlines() if line.strip().startswith("New"))
    moved = pairs["new", "loyal"] + pairs["new", "everyone"]
    units = sum(one.then == "new" for one in people)
    assert row.split()[1:] == [
        str(units), new[0], str(moved), new[1], "Loyal", f"{new[2]},", "no", "named", "one", new[3],
    ]  # fmt: skip
    assert "describe and decide nothing" in told.stdout
    assert "visit: lift by segment" in told.stdout
    stored = json.loads(winnow("segments", "drift", "banner", "--stored", "--json").stdout)
    assert (stored["schema"], stored["units"]) == ("winnow.drift/1", 60)


def test_the_example_of_the_page_on_drift(shop: Shop) -> None:
    """Of 1,000 new customers each 100 visit, whatever they see; fresh makes half of these loyal, and nothing else."""
    shop.start()
    people = [
        Customer(
            unit_id=f"{variant}{number}",
            variant=variant,
            then="new",
            now="loyal" if variant == "b" and number < 50 else "new",
            visited=number < 100,
        )
        for variant in "ab"
        for number in range(1_000)
    ]
    play(shop, people)
    document = shop.drift()
    lifts = [
        scope["metrics"][0]["comparisons"][0]["lift"]["value"]
        for report in ("at_exposure", "at_present")
        for scope in document[report]
        if scope["segment"] == "new"
    ]
    assert lifts == [0.0, pytest.approx(50 / 950 / 0.1 - 1)]
    assert "variant_moves_units" in codes(document)


PLANS = {
    "group_sequential": {
        "analysis": AnalysisPlan(stopping_rule=StoppingRule.GROUP_SEQUENTIAL, planned_units=1_000),
        "promotion": PromotionPolicy(winner=WinnerRule.BOUNDARY),
    },
    "one look": {"analysis": AnalysisPlan(stopping_rule=StoppingRule.FIXED_HORIZON, family=Family.DUNNETT)},
    "adaptive": {"adaptive": AdaptivePolicy()},
}


@pytest.mark.parametrize("changes", PLANS.values(), ids=PLANS)
def test_it_comes_out_under_every_plan(shop: Shop, changes: dict[str, Any]) -> None:
    shop.start(randomisation=Randomisation.WINNOW, **changes)
    for number in range(400):
        known = {"stage": "new" if number % 2 else "lost"}
        [[answer]] = shop.winnow.assigner.assign([Unit(unit_id=f"u{number}", attributes=known)], "banner")
        assert answer.segment is not None
        shop.show(f"u{number}", answer.variant, answer.segment)
    shop.clock.advance(hours=1)
    shop.know({f"u{number}": LOYAL for number in range(0, 400, 4)})
    document = shop.drift()
    present = {scope["segment"]: scope["units"] for scope in document["at_present"]}
    assert present == {"new": 200, "loyal": 100, "everyone": 100}


def test_a_look_for_drift_is_no_look_at_results(shop: Shop) -> None:
    shop.start(**PLANS["group_sequential"])
    play(shop, customers(10, 90))
    shop.drift()
    shop.drift()
    with shop.winnow.open_unit_of_work(read_only=True) as work:
        assert len(list(work.snapshots.reports("banner"))) == 2
