"""Purchases and engagement are followed side by side."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from click.testing import CliRunner

from experiments.bootstrap import Winnow, build
from experiments.cli import main
from experiments.services.following.engagement_attributes import ATTRIBUTES
from experiments.services.following.purchase_attributes import ATTRIBUTES as OF_PURCHASES
from experiments.services.following.turns import InTurn
from experiments.settings import Settings
from experiments.storage.unit_of_work import open_database
from tests.conftest import FakeClock
from tests.unit.following.engaged import do, follower, known, visit
from tests.unit.following.test_follow import DAY, catch_up, purchase, record, shop
from tests.unit.following.test_follow import follower as of_purchases

__all__ = ["shop"]


def test_purchases_and_engagement_take_back_nothing_of_each_other(shop: Winnow, clock: FakeClock) -> None:
    assert {one.key for one in ATTRIBUTES}.isdisjoint(one.key for one in OF_PURCHASES)
    buying, doing = of_purchases(shop), follower(shop, ("purchase", "visit"))
    both = InTurn((buying.step, doing.step))
    record(shop, [purchase("ada", 10, clock())])
    do(shop, "ada", 1)
    catch_up(both)
    assert (known(shop, "ada")["orders"], known(shop, "ada")["active_days_28"]) == (1, 2)
    clock.advance(days=29)
    catch_up(both)
    assert "engagement_level" not in known(shop, "ada")
    assert (known(shop, "ada")["orders"], known(shop, "ada")["recency_days"]) == (1, 30)


def test_the_worker_follows_both_as_it_is_told(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    shop = build(Settings(), open_unit_of_work=database.unit_of_work)
    record(
        shop, [purchase("ada", 10, shop.clock(), "order"), visit("ada", shop.clock() - DAY), visit("bob", shop.clock())]
    )
    told = {"WINNOW_DATABASE_URL": sqlite_url, "WINNOW_PURCHASE_EVENTS": "order"}
    for names, days in (("visit,order", 2), ("visit", 1), ("", None)):
        worked = CliRunner(env={**told, "WINNOW_ENGAGEMENT_EVENTS": names}).invoke(main, ["worker", "--once"])
        assert worked.exit_code == 0, worked.output
        found = known(shop, "ada")
        assert (found["orders"], found.get("active_days_28")) == (1, days)
    assert known(shop, "bob") == {}
    database.close()


def test_each_has_its_turn_and_who_fails_keeps_nobody_waiting() -> None:
    done: list[str] = []

    def busy(name: str, times: int) -> Callable[[], bool]:
        def step() -> bool:
            done.append(name)
            return done.count(name) <= times

        return step

    turns = InTurn((busy("a", 3), busy("b", 1)))
    while turns.step():
        pass
    assert "".join(done) == "abababa"

    def broken() -> bool:
        raise ValueError("no such thing")

    turns, worked = InTurn((broken, busy("c", 2))), 0
    for _ in range(4):
        with suppress(ValueError):
            worked += turns.step()
    assert worked == 2
