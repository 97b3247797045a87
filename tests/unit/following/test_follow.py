"""Following the log: purchases become attributes, each counted once wherever the process dies."""

from __future__ import annotations

import gc
import random
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from time import monotonic, sleep
from typing import Protocol

import pytest

from experiments.bootstrap import Winnow, build
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.event import Event
from experiments.domain.segment import Segment
from experiments.domain.source import Source, SourceKind
from experiments.services.assigning.assign import Unit
from experiments.services.authoring.wishes import ExperimentWish, SegmentWish
from experiments.services.following import follower as following_the_log
from experiments.services.following import purchases
from experiments.services.following.purchase_attributes import ATTRIBUTES, RECENCY_STEPS, recency_step
from experiments.services.following.purchases import PurchaseFollower
from experiments.services.following.saying import SOURCE, register
from experiments.services.profiles.profiles import ProfileChange
from experiments.settings import Settings
from experiments.storage.unit_of_work import Database
from experiments.worker import worker
from experiments.worker.worker import Worker
from segmentation.behaviour.cuts import Cuts
from tests.conftest import FakeClock
from tests.unit.builders import VISIT
from tests.unit.operating.test_worker import FakeAnalyst

CUTS = Cuts(recency_days=(30, 90, 180, 365), frequency=(1, 2, 4, 8), monetary_cents=(2_000, 5_000, 10_000, 20_000))
NAMES = [one.key for one in ATTRIBUTES if not one.key.startswith("expected_")]
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)
IN_MEMORY = pytest.mark.parametrize("database_url", ["memory://"], ids=["memory"])
_ids = count()


class Killed(BaseException):
    """The process is gone."""


class Steps(Protocol):
    def step(self) -> bool: ...


@pytest.fixture
def shop(database: Database, clock: FakeClock) -> Winnow:
    return build(Settings(), open_unit_of_work=database.unit_of_work, clock=clock)


def follower(shop: Winnow, names: tuple[str, ...] = ("purchase",), **options: object) -> PurchaseFollower:
    registering = partial(register, shop.author.sources, shop.author.attributes, shop.open_unit_of_work)
    options = {"cuts": CUTS, **options}
    return PurchaseFollower(shop.open_unit_of_work, shop.clock, names, register=registering, **options)  # type: ignore[arg-type]


def purchase(unit_id: str, value: float | None, at: datetime, name: str = "purchase") -> Event:
    return Event(event_id=f"e{next(_ids)}", unit_id=unit_id, name=name, value=value, occurred_at=at)


def record(shop: Winnow, events: list[Event]) -> None:
    with shop.open_unit_of_work() as work:
        work.log.append_events(events, received_at=shop.clock())
        work.commit()


def buy(shop: Winnow, unit_id: str, value: float | None, *, days_ago: float = 0, name: str = "purchase") -> None:
    record(shop, [purchase(unit_id, value, shop.clock() - timedelta(days=days_ago), name)])


def catch_up(following: Steps, most: int = 1_000) -> int:
    """Return how many transactions it took."""
    for done in range(most):
        if not following.step():
            return done
    raise AssertionError("it never ends")


def known(shop: Winnow, unit_id: str) -> dict[str, object]:
    return shop.profiles.get(unit_id).laid.attributes


def revision(shop: Winnow, unit_id: str) -> int:
    with shop.open_unit_of_work(read_only=True) as work:
        found = work.profiles.get(unit_id)
    assert found is not None
    return found.revision


def test_purchases_become_attributes(shop: Winnow) -> None:
    buy(shop, "ada", 19.99, days_ago=40)
    buy(shop, "ada", 80.01, days_ago=2)
    buy(shop, "bob", None, days_ago=400)
    buy(shop, "bob", 7, name="visit")
    catch_up(follower(shop))
    assert known(shop, "ada") == {
        "last_purchase_on": "2026-01-03",
        "recency_days": 7,
        "orders": 2,
        "total_spent": 100.0,
        "r_score": 5,
        "f_score": 2,
        "m_score": 3,
        "rfm_group": "potential_loyalists",
        "lifecycle_stage": "active",
    }
    assert known(shop, "bob") == {
        "last_purchase_on": "2024-12-01",
        "recency_days": 730,
        "orders": 1,
        "total_spent": 0.0,
        "r_score": 1,
        "f_score": 1,
        "m_score": 1,
        "rfm_group": "lost",
        "lifecycle_stage": "lapsed",
    }


@IN_MEMORY
def test_only_who_bought_is_written_again(shop: Winnow) -> None:
    following = follower(shop)
    buy(shop, "ada", 10)
    buy(shop, "bob", 10)
    catch_up(following)
    before = revision(shop, "bob")
    buy(shop, "ada", 5)
    assert catch_up(following) == 2
    assert known(shop, "ada")["total_spent"] == 15
    assert revision(shop, "bob") == before
    assert catch_up(following) == 0


@IN_MEMORY
def test_time_alone_changes_what_it_has_to(shop: Winnow, clock: FakeClock) -> None:
    """Through 800 days the profile says what an independent reading of the purchase says; and is written ten times."""
    following = follower(shop)
    buy(shop, "ada", 10)
    catch_up(following)
    first, wrote = clock.now, []
    for day in range(800):
        for moment, days in ((day * DAY - TICK, day - 1), (day * DAY, day)):
            clock.now = max(first, first + moment)
            wrote += [day] * catch_up(following)
            said = known(shop, "ada")
            assert said["recency_days"] == min(step for step in (*RECENCY_STEPS, 730, 1_095) if step >= max(0, days))
            ends = (30, "new"), (90, "active"), (365, "cooling"), (10**6, "lapsed")
            assert said["lifecycle_stage"] == next(name for end, name in ends if days <= end)
            assert said["r_score"] == 5 - sum(days > end for end in (30, 90, 180, 365))
    assert wrote == [2, 8, 15, 31, 61, 91, 181, 271, 366, 731]


@pytest.mark.parametrize(("days", "step"), [(0, 1), (1, 1), (2, 7), (30, 30), (31, 60), (366, 730), (731, 1_095)])
def test_steps_of_recency(days: int, step: int) -> None:
    assert recency_step(days) == step


@pytest.mark.parametrize("seed", range(2))
def test_a_kill_loses_nothing_and_doubles_nothing(shop: Winnow, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before, within and after any transaction, while purchases go on: sums are those of a plain loop."""
    chance = random.Random(seed)
    spent: dict[str, int] = defaultdict(int)
    orders: dict[str, int] = defaultdict(int)

    def shopping(purchases: int) -> None:
        bought = []
        for _ in range(purchases):
            unit_id, cents = f"u{chance.randrange(12)}", chance.randrange(1, 10_000)
            bought.append(purchase(unit_id, cents / 100, shop.clock()))
            spent[unit_id] += cents
            orders[unit_id] += 1
        record(shop, bought)

    killed = 0
    with monkeypatch.context() as dying:
        for module, name in (
            *((following_the_log, name) for name in ("say", "replace", "of_persons", "consenting")),
            *((purchases, name) for name in ("purchases_of", "_joined", "next_due")),
        ):
            dying.setattr(module, name, dies_at_times(chance, getattr(module, name)))
        for _ in range(12):
            shopping(8)
            following = follower(shop, events_at_once=7, units_at_once=3)
            killed += until_killed(following, chance.randrange(1, 6))
    assert killed > 1
    assert gc.isenabled()
    catch_up(follower(shop, events_at_once=7, units_at_once=3))
    found = {unit_id: known(shop, unit_id) for unit_id in spent}
    assert {unit_id: one["orders"] for unit_id, one in found.items()} == orders
    assert {unit_id: round(one["total_spent"] * 100) for unit_id, one in found.items()} == spent  # type: ignore[operator]


def dies_at_times(chance: random.Random, does: Callable[..., object]) -> Callable[..., object]:
    def may_die(*given: object, **named: object) -> object:
        if chance.random() < 0.04:
            raise Killed
        return does(*given, **named)

    return may_die


def until_killed(following: Steps, steps: int) -> bool:
    """Within a transaction, or after so many: nobody remembers, the next process begins where it finds the place."""
    try:
        for _ in range(steps):
            following.step()
    except Killed:
        return True
    return False


def test_other_events_are_purchases_now(shop: Winnow) -> None:
    buy(shop, "ada", 10)
    buy(shop, "bob", 20, name="order")
    catch_up(follower(shop))
    catch_up(follower(shop, ("order",)))
    assert known(shop, "bob")["total_spent"] == 20
    assert known(shop, "ada") == {}
    catch_up(follower(shop, ()))
    assert known(shop, "bob") == {}
    with shop.open_unit_of_work(read_only=True) as work:
        assert work.behaviour.some(["ada", "bob"]) == {}


@IN_MEMORY
def test_cuts_are_found_anew_once_a_day(shop: Winnow, clock: FakeClock) -> None:
    following = follower(shop, cuts=None)
    for number in range(1, 11):
        buy(shop, f"u{number}", 10 * number)
    catch_up(following)
    assert [known(shop, f"u{number}")["m_score"] for number in range(1, 11)] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    for number in range(11, 16):
        buy(shop, f"u{number}", 1_000)
    buy(shop, "u10", 0)
    catch_up(following)
    assert known(shop, "u10")["m_score"] == 5
    clock.advance(days=1)
    buy(shop, "u10", 0)
    catch_up(following)
    assert known(shop, "u10")["m_score"] == 4  # the fifth of 15 with most: 1,000


@IN_MEMORY
def test_few_customers_are_scored_anew_when_they_have_doubled(shop: Winnow) -> None:
    following = follower(shop, cuts=None)
    buy(shop, "u1", 10)
    catch_up(following)
    for number in range(2, 6):
        buy(shop, f"u{number}", 10 * number)
    catch_up(following)
    assert [known(shop, f"u{number}")["m_score"] for number in range(1, 6)] == [1, 2, 3, 4, 5]


@IN_MEMORY
def test_what_others_registered_is_theirs(shop: Winnow) -> None:
    shop.author.sources.create(Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=0), actor="t")
    for key, type_ in (("orders", AttributeType.TEXT), ("total_spent", AttributeType.NUMBER)):
        shop.author.attributes.create(Attribute(key=key, name=key, type=type_), actor="t")
    shop.profiles.patch(ProfileChange(unit_id="ada", source="crm", attributes={"orders": "many"}))
    buy(shop, "ada", 10)
    catch_up(follower(shop))
    assert {*known(shop, "ada")} == {*NAMES} - {"total_spent"}
    assert known(shop, "ada")["orders"] == "many"
    with shop.open_unit_of_work(read_only=True) as work:
        assert work.sources.get(SOURCE).value.precedence == 1
        entries = work.audit.page(subject=None, after=None, limit=50).items
    assert [entry.actor for entry in entries if entry.action == "source.create"] == ["worker", "t"]


@IN_MEMORY
def test_an_event_ahead_of_the_clock(shop: Winnow) -> None:
    buy(shop, "ada", 10, days_ago=-0.003)
    assert catch_up(follower(shop)) < 5
    assert known(shop, "ada")["recency_days"] == 1


def test_membership_follows_an_event(
    shop: Winnow, database: Database, wish: ExperimentWish, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's own loop, between two rounds: a purchase, and another process assigns in another segment."""
    monkeypatch.setattr(worker, "FOLLOW_SECONDS", 0.02)
    web = build(Settings(), open_unit_of_work=database.unit_of_work, clock=clock)
    for key, condition in (("loyal", {"orders": {"$gte": 2}}), ("buyers", {"orders": {"$gte": 1}})):
        web.author.segments.create(Segment(key=key, name=key, condition=condition), actor="t")
    web.author.metrics.create(VISIT, actor="t")
    web.author.create(replace(wish, segments=(SegmentWish(segment="loyal"), SegmentWish(segment="buyers"))), actor="t")
    web.author.step("banner", "start", actor="t")

    def segment() -> str | None:
        web.catalog.catch_up()
        web.caches.profiles.follow()
        return web.assigner.assign([Unit(unit_id="ada", attributes={})], "banner")[0][0].segment

    stop = threading.Event()
    analyst = FakeAnalyst(shop, due=False)
    working = Worker(shop, analyst, holder="me", stop=stop, follow=follower(shop).step)
    running = threading.Thread(target=working.run, args=(3_600,))
    running.start()
    try:
        seen = [segment()]
        for _ in range(2):
            buy(shop, "ada", 10)
            seen.append(_another(segment, seen[-1]))
    finally:
        stop.set()
        running.join()
    assert seen == ["everyone", "buyers", "loyal"]


def _another(segment: Callable[[], str | None], before: str | None) -> str | None:
    """Wait until it is another one, at most ten seconds."""
    until = monotonic() + 10
    while monotonic() < until and segment() == before:
        sleep(0.01)
    return segment()


def test_a_broken_log_keeps_nobody_waiting(winnow: Winnow, wish: ExperimentWish) -> None:
    winnow.author.create(wish, actor="t")
    winnow.author.step("banner", "start", actor="t")
    analyst = FakeAnalyst(winnow)

    def broken() -> bool:
        raise ValueError("no such thing")

    assert Worker(winnow, analyst, holder="me", stop=threading.Event(), follow=broken).round() is True
    assert analyst.analysed == ["banner"]


def test_following_leaves_time_for_others(winnow: Winnow) -> None:
    done = []

    def endless() -> bool:
        done.append(1)
        return True

    Worker(winnow, FakeAnalyst(winnow), holder="me", stop=threading.Event(), follow=endless).round()
    assert len(done) == worker.FOLLOW_STEPS


def test_purchases_of_every_id_are_the_persons(shop: Winnow, clock: FakeClock) -> None:
    """Bought before both were known to be one, by either id, and after: the person has all of it, the ids nothing."""
    record(shop, [purchase("dev", 10.0, clock() - 40 * DAY), purchase("ann", 5.0, clock() - DAY)])
    record(shop, [purchase("bob", 1.0, clock())])
    following = follower(shop)
    while following.step():
        pass
    assert shop.profiles.get("dev").laid.attributes["orders"] == 1
    shop.catalog.refresh()
    shop.identifier.identify("dev", "ann", trusted=True)
    shop.identifier.identify("tab", "cyd", trusted=True)
    record(shop, [purchase("dev", 2.5, clock()), purchase("tab", 7.0, clock())])
    while following.step():
        pass
    known = {unit: shop.profiles.get(unit).laid.attributes for unit in ("ann", "bob", "cyd")}
    assert {unit: (one["orders"], one["total_spent"]) for unit, one in known.items()} == {
        "ann": (3, 17.5),
        "bob": (1, 1.0),
        "cyd": (1, 7.0),
    }
    assert known["ann"]["last_purchase_on"] == clock().date().isoformat()
    assert shop.profiles.get("dev").laid.attributes == {}
    with shop.open_unit_of_work(read_only=True) as work:
        rows = work.behaviour.some(["ann", "bob", "cyd", "dev", "tab"])
    assert set(rows) == {"ann", "bob", "cyd"}
    assert rows["ann"].first_at == clock() - 40 * DAY
    assert not following.step()
