"""Stored reports of segments: what they say against a count by hand, when they are made, and what survives a kill."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from experiments.bootstrap import Winnow, build
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.errors import NoReport, NotFound, Unavailable
from experiments.domain.event import Event
from experiments.domain.membership import member_of
from experiments.domain.promotion import PromotionState
from experiments.domain.purchases import Followed, Purchases
from experiments.domain.segment import Segment
from experiments.domain.source import Source, SourceKind
from experiments.services.consent.consents import ConsentWord
from experiments.services.profiles.profiles import ProfileChange
from experiments.services.segments import reporter as segment_reporter
from experiments.services.segments.cards import Cards, cards_of
from experiments.services.segments.ports import CUSTOMERS
from experiments.services.segments.reporter import FAILED_FOR, PAUSE, SegmentReporter
from experiments.services.segments.tables import Progress
from experiments.settings import Settings
from experiments.storage.unit_of_work import Database, open_database
from experiments.worker.worker import FOLLOW_STEPS, Worker
from tests.conftest import FakeClock
from tests.stores.promotions import promotion
from tests.unit.operating.test_worker import FakeAnalyst

UNITS = [f"u{number}" for number in range(100)]
WEB = Segment(key="web", name="From the web", condition={"channel": "web"})
BIG = Segment(key="big", name="Spends much", condition={"spend": {"$gte": 100}})
NOBODY = Segment(key="nobody", name="Nobody", condition={"channel": "fax", "device": "phone"})


class Killed(BaseException):
    """The process is gone."""


def silent(done: int, total: int | None, label: str | None = None) -> None:
    """Progress for nobody."""


def new_shop(clock: FakeClock, database: Database | None = None) -> Winnow:
    opened = (database or open_database("memory://")).unit_of_work
    shop = build(Settings(database_url="memory://"), open_unit_of_work=opened, clock=clock)
    shop.author.attributes.create(Attribute(key="channel", name="C", type=AttributeType.TEXT), actor="t")
    shop.author.attributes.create(Attribute(key="spend", name="S", type=AttributeType.NUMBER), actor="t")
    shop.author.attributes.create(Attribute(key="mail", name="M", type=AttributeType.TEXT, personal=True), actor="t")
    shop.author.sources.create(Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=0), actor="t")
    for segment in (WEB, BIG, NOBODY):
        shop.author.segments.create(segment, actor="t")
    return shop


@pytest.fixture
def shop(clock: FakeClock) -> Winnow:
    return new_shop(clock)


def say(shop: Winnow, known: Mapping[str, Mapping[str, Any]]) -> None:
    changes = [ProfileChange(unit_id=unit, source="crm", attributes=attributes) for unit, attributes in known.items()]
    assert {one.status for one in shop.profiles.upsert_many(changes)} == {"accepted"}


def drawn(seed: int) -> dict[str, dict[str, Any]]:
    """Everybody, with a channel and a spend by chance."""
    chance = random.Random(seed)
    return {
        unit: {
            "channel": chance.choice(["web", "shop"]),
            "spend": chance.choice([20, 200]),
            "mail": f"{unit}@x.example",
        }
        for unit in UNITS
    }


def on_web(known: Mapping[str, Mapping[str, Any]]) -> set[str]:
    return {unit for unit, attributes in known.items() if attributes["channel"] == "web"}


def reporter(shop: Winnow, failed: Callable[[str, Exception], None] | None = None, **options: Any) -> SegmentReporter:
    def refuse(segment: str, trouble: Exception) -> None:
        raise trouble

    return SegmentReporter(shop.open_unit_of_work, shop.clock, failed=failed or refuse, **options)


def leaves(document: object) -> Iterator[object]:
    if isinstance(document, Mapping):
        for value in document.values():
            yield from leaves(value)
    elif isinstance(document, list):
        for value in document:
            yield from leaves(value)
    else:
        yield document


def test_weeks_are_what_sets_of_people_say(shop: Winnow, clock: FakeClock) -> None:
    """Five Mondays of who was in, drawn by chance: entered, left and stayed are set differences."""
    making, inside = reporter(shop), []
    for week in range(5):
        known = drawn(week)
        inside.append(on_web(known))
        say(shop, known)
        assert making.step(silent)
        clock.advance(days=7)
    card = shop.segment_reports.newest("web").document["card"]
    told = [(one["before"], one["after"], one["entered"], one["left"]) for one in card["stability"]["weeks"]]
    assert told == [(len(a), len(b), len(b - a), len(a - b)) for a, b in pairwise(inside)]
    leaving = sum(len(a - b) for a, b in pairwise(inside)) / sum(map(len, inside[:-1]))
    assert card["stability"]["leaving"] == pytest.approx(leaving)
    assert leaving > 0.15
    doubts = {one["code"]: one for one in shop.segment_reports.newest("web").document["doubts"]}
    assert f"{leaving:.0%} of its customers leave it each week" in doubts["unstable"]["sentence"]
    nobody = shop.segment_reports.newest("nobody").document["card"]["stability"]
    assert nobody["leaving"]["undefined"] == "no_members"


def test_weeks_end_where_the_condition_changes_or_the_worker_was_away(shop: Winnow, clock: FakeClock) -> None:
    making = reporter(shop)

    def weeks() -> int | str:
        making.step(silent)
        found = shop.segment_reports.newest("web").document["card"]["stability"]
        return len(found["weeks"]) if "weeks" in found else str(found["undefined"])

    def edit(segment: Segment) -> None:
        revision = shop.author.segments.get("web").revision
        shop.author.segments.edit("web", segment, expected_revision=revision, actor="t")

    say(shop, drawn(1))
    assert weeks() == "no_week_yet"
    clock.advance(days=7)
    assert weeks() == 1
    edit(replace(WEB, name="Another name"))
    assert weeks() == 1
    clock.advance(days=11)
    assert weeks() == 1
    clock.advance(days=7)
    assert weeks() == 2
    edit(replace(WEB, condition={"channel": "shop"}))
    assert weeks() == "no_week_yet"
    clock.advance(days=7)
    assert weeks() == 1


def test_when_reports_are_made(shop: Winnow, clock: FakeClock) -> None:
    making = reporter(shop)
    reports = shop.segment_reports
    with pytest.raises(NoReport):
        reports.newest("web")
    with pytest.raises(NotFound) as refusal:
        reports.newest("else")
    assert refusal.value.code == "segment_not_found"
    say(shop, drawn(1))
    assert (reports.of("web").state, making.step(silent), reports.of("web").state) == ("pending", True, "made")
    assert not making.step(silent)
    clock.advance(seconds=1)
    shop.author.segments.edit("web", replace(WEB, name="W"), expected_revision=1, actor="t")
    assert (reports.of("web").state, making.step(silent), reports.of("web").state) == ("outdated", True, "made")
    assert [(one.segment.value.key, one.report and one.report.number) for one in reports.all_newest()] == [
        ("big", 1),
        ("nobody", 1),
        ("web", 2),
    ]
    assert reports.newest("web").document["name"] == "W"
    clock.advance(minutes=5)
    assert not making.step(silent)
    # While customers are few, what is new about them is told soon.
    say(shop, {"another": {"channel": "web"}})
    assert making.step(silent)
    assert reports.newest("big").document["units"] == len(UNITS) + 1
    assert not reporter(shop).step(silent)
    clock.advance(seconds=PAUSE.total_seconds())
    assert not making.step(silent)
    assert reporter(shop).step(silent)
    clock.advance(hours=23.9)
    assert not making.step(silent)
    clock.advance(hours=0.1)
    assert making.step(silent)
    # Of a day the last one stays.
    assert [(one.number, one.made_at.day) for one in reports.history("big")] == [(4, 6), (3, 5)]


def test_the_reports_against_a_count_by_hand(shop: Winnow, clock: FakeClock) -> None:
    known = drawn(3)
    say(shop, known)
    now = clock()
    sold = [(unit, 10.0 * place) for place, unit in enumerate(UNITS[:20])]
    with shop.open_unit_of_work() as work:
        bought = [
            Event(event_id=unit, unit_id=unit, name="order", value=value, occurred_at=now - timedelta(days=3))
            for unit, value in sold
        ]
        work.log.append_events(bought, received_at=now)
        work.behaviour.put(
            [
                Purchases(
                    unit_id=unit,
                    first_at=now - timedelta(days=400),
                    last_at=now - timedelta(days=place * 20),
                    previous_at=None,
                    frequency=1 + place % 4,
                    unvalued=0,
                    monetary_cents=1_000 * place,
                    due_at=now,
                )
                for place, unit in enumerate(UNITS[:20])
            ]
        )
        cuts = {"recency_days": (30, 90, 180, 300), "frequency": (1, 2, 3, 4), "monetary_cents": (10, 20, 30, 40)}
        work.behaviour.advance(Followed(names=("order",), cuts=cuts))
        work.commit()
    assert reporter(shop, purchases=("order",)).step(silent)
    web, big = on_web(known), {unit for unit, said in known.items() if said["spend"] == 200}
    document = shop.segment_reports.newest("web").document
    assert document["card"]["size"] == {"units": len(web), "share": len(web) / 100}
    assert document["card"]["value"]["revenue"] == sum(value for unit, value in sold if unit in web)
    assert document["card"]["testability"]["undefined"] == "no_traffic"
    assert document["card"]["reached"]["undefined"] == "channels_unknown"
    assert document["persona"]["typical"][0] == {"attribute": "channel", "value": "web", "share": 1.0}
    customers = shop.segment_reports.customers().document
    overlap = customers["overlap"]
    sets = {"big": big, "nobody": set[str](), "web": web}
    assert (overlap["segments"], overlap["units"]) == (list(sets), [len(one) for one in sets.values()])
    assert overlap["both"] == [[len(a & b) for b in sets.values()] for a in sets.values()]
    assert overlap["shares"][0] == [len(big & one) / len(big) for one in sets.values()]
    assert overlap["shares"][2] == [len(web & one) / len(web) for one in sets.values()]
    assert [one["undefined"] for one in overlap["shares"][1]] == ["no_units"] * 3
    cells = {(one["r"], one["f"]): (one["customers"], one["revenue_cents"]) for one in customers["rfm"]["heat_map"]}
    expected = {(r, f): (0, 0) for r in range(1, 6) for f in range(1, 6)}
    for place in range(20):
        cell = (5 - sum(place * 20 > end for end in (30, 90, 180, 300)), 1 + place % 4)
        count, cents = expected[cell]
        expected[cell] = (count + 1, cents + 1_000 * place)
    assert cells == expected
    assert (customers["rfm"]["customers"], customers["rfm"]["bought_once"]) == (20, 5)
    assert sum(one["customers"] for one in customers["rfm"]["groups"]) == 20
    assert sum(one["revenue_cents"] for one in customers["rfm"]["groups"]) == 1_000 * sum(range(20))


def test_what_is_not_known_is_a_reason_and_nothing_personal_is_told(shop: Winnow, clock: FakeClock) -> None:
    assert reporter(shop).step(silent)
    first = shop.segment_reports
    assert first.newest("web").document["card"]["undefined"] == "no_profiles"
    assert (first.customers().document["rfm"]["undefined"], first.customers().document["units"]) == ("not_followed", 0)
    twin = new_shop(clock)
    for one in (shop, twin):
        fax = Segment(key="fax", name="By fax", condition={"channel": "fax"})
        one.author.segments.create(fax, actor="t")
    for one in (shop, twin):
        say(one, drawn(5))
    clock.advance(days=1)
    for one in (shop, twin):
        assert reporter(one).step(silent)
    texts = []
    for one in (shop, twin):
        reports = [item.report for item in one.segment_reports.all_newest()] + [one.segment_reports.customers()]
        documents = [report.document for report in reports if report is not None]
        assert len(documents) == 5
        assert not [leaf for leaf in leaves(documents) if leaf is None]
        texts.append(json.dumps(documents))
    assert texts[0] == texts[1]
    assert "x.example" not in texts[0]
    doubts = shop.segment_reports.newest("nobody").document["doubts"]
    assert [(one["code"], one["severity"]) for one in doubts] == [("unregistered", "warning")]
    assert "device" in doubts[0]["sentence"]
    assert [one["code"] for one in shop.segment_reports.newest("fax").document["doubts"]] == ["empty"]


def test_content_that_is_live_because_it_won_is_in_the_portrait(shop: Winnow, clock: FakeClock) -> None:
    say(shop, drawn(1))
    with shop.open_unit_of_work() as work:
        for key, state, segment in (
            ("p1", PromotionState.HELD, "web"),
            ("p2", PromotionState.REVERTED, "big"),
            ("p3", PromotionState.KEPT, "big"),
        ):
            work.promotions.add(promotion(key, state, segment=segment, experiment=f"of-{key}"))
        work.commit()
    assert reporter(shop).step(silent)
    gain = promotion().evidence.predicted_gain
    for segment, experiment in (("web", "of-p1"), ("big", "of-p3")):
        won = shop.segment_reports.newest(segment).document["persona"]["won"]
        assert won == [{"experiment": experiment, "variant": "b", "lift": gain}]
    assert shop.segment_reports.newest("nobody").document["persona"]["won"] == []


def test_one_that_fails_does_not_stop_the_others(
    shop: Winnow, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(look: Any, wish: Any, *, without: Any = ()) -> Cards:
        if "web" not in without and look.segments[2].revision < 3:
            raise ZeroDivisionError("web")
        return cards_of(look, wish, without=without)

    monkeypatch.setattr(segment_reporter, "cards_of", broken)
    told: list[tuple[str, str]] = []
    making = reporter(shop, failed=lambda segment, trouble: told.append((segment, repr(trouble))))
    say(shop, drawn(1))
    assert making.step(silent)
    assert told == [("web", "ZeroDivisionError('web')")]
    states = {one.segment.value.key: one.state for one in shop.segment_reports.all_newest()}
    assert states == {"big": "made", "nobody": "made", "web": "pending"}
    assert shop.segment_reports.customers().document["overlap"]["segments"] == ["big", "nobody"]
    clock.advance(seconds=FAILED_FOR.total_seconds() - 60)
    assert not making.step(silent)
    clock.advance(minutes=1)
    assert making.step(silent)
    assert len(told) == 2
    for revision in (1, 2):
        shop.author.segments.edit("web", WEB, expected_revision=revision, actor="t")
    clock.advance(seconds=1)
    assert making.step(silent)
    assert (len(told), shop.segment_reports.of("web").state) == (2, "made")


def test_killed_anywhere_a_report_is_whole_or_absent(
    shop: Winnow, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while reading, in the middle of storing, and again and again after one report more."""
    say(shop, drawn(1))

    def stored() -> int:
        with shop.open_unit_of_work(read_only=True) as work:
            heads, taken = work.reports.heads(), work.reports.taken()
            assert heads.keys() - {CUSTOMERS} == taken.keys()
            assert {one.number for one in heads.values()} <= {1}
        return len(heads)

    def die_after(words: int) -> Callable[[int, int | None, str | None], None]:
        left = iter(range(words))

        def die(done: int, total: int | None, label: str | None = None) -> None:
            if next(left, None) is None:
                raise Killed

        return die

    def die(*given: object) -> None:
        raise Killed

    with pytest.raises(Killed):
        reporter(shop).step(die_after(0))
    monkeypatch.setattr(segment_reporter, "store_step", die)
    with pytest.raises(Killed):
        reporter(shop).step(silent)
    monkeypatch.undo()
    counts = [stored()]
    for _ in range(2):
        with pytest.raises(Killed):
            reporter(shop).step(die_after(2))
        counts.append(stored())
    assert reporter(shop).step(silent)
    assert [*counts, stored()] == [0, 1, 2, 4]
    assert not reporter(shop).step(silent)


def test_of_two_workers_one_report_is_kept(shop: Winnow, clock: FakeClock) -> None:
    """The second looks and stores everything while the first is about to; a week is counted once."""
    first, second = reporter(shop), reporter(shop)
    say(shop, drawn(1))
    first.step(silent)
    clock.advance(days=7)
    say(shop, drawn(2))
    done = []

    def meanwhile(done_rows: int, total: int | None, label: str | None = None) -> None:
        if label == "Storing reports" and not done:
            done.append(second.step(silent))

    assert first.step(meanwhile)
    assert done == [True]
    for key in ("web", "big", CUSTOMERS):
        with shop.open_unit_of_work(read_only=True) as work:
            assert [one.number for one in work.reports.history(key)] == [2, 1]
            assert len(work.reports.weeks(key)) == (key != CUSTOMERS)


def test_who_refuses_is_in_no_set_and_ids_of_one_person_are_one_customer(shop: Winnow, clock: FakeClock) -> None:
    """Both are told of in the report as well: 97 of a hundred profiles are customers that may be looked at."""
    say(shop, {unit: {"channel": "web"} for unit in UNITS})
    refusing, person, device = UNITS[3], UNITS[4], UNITS[5]
    shop.catalog.refresh()
    shop.identifier.identify(device, person, trusted=True)
    shop.identifier.identify("nobody knows it", refusing, trusted=True)
    shop.consents.say(ConsentWord(unit_id="nobody knows it", granted=False), by="t")
    shop.consents.say(ConsentWord(unit_id=UNITS[6], granted=False), by="t")
    assert reporter(shop).step(silent)
    with shop.open_unit_of_work(read_only=True) as work:
        salt, members = work.erasures.salt(), set(work.reports.members("web"))
        customers = work.reports.newest(CUSTOMERS)
    assert {unit for unit in UNITS if member_of(salt, unit) not in members} == {refusing, device, UNITS[6]}
    assert customers is not None
    assert customers.document["units"] == 97


def test_whoever_is_erased_is_in_no_set(shop: Winnow, clock: FakeClock) -> None:
    """One before the sets are stored but after everybody was read, one afterwards."""
    say(shop, {unit: {"channel": "web"} for unit in UNITS})
    early, late = UNITS[3], UNITS[4]

    def meanwhile(done: int, total: int | None, label: str | None = None) -> None:
        if label == "Storing reports":
            shop.eraser.erase(early, actor="t")

    def members() -> set[int]:
        with shop.open_unit_of_work(read_only=True) as work:
            salt = work.erasures.salt()
            return {member_of(salt, unit) for unit in UNITS} - set(work.reports.members("web"))

    assert reporter(shop).step(meanwhile)
    with shop.open_unit_of_work(read_only=True) as work:
        salt = work.erasures.salt()
    assert members() == {member_of(salt, early)}
    shop.eraser.erase(late, actor="t")
    assert members() == {member_of(salt, early), member_of(salt, late)}


def test_after_a_look_it_rests_as_long_as_the_look_took(shop: Winnow, clock: FakeClock) -> None:
    making = reporter(shop)

    def slow(done: int, total: int | None, label: str | None = None) -> None:
        clock.advance(minutes=5)

    say(shop, {"u": {"channel": "web"}})
    assert making.step(slow)
    say(shop, {"v": {"channel": "web"}})
    clock.advance(minutes=19)
    assert not making.step(silent)
    clock.advance(minutes=1)
    assert making.step(silent)

    def fail(done: int, total: int | None, label: str | None = None) -> None:
        raise Unavailable("database_unavailable", "Away.")

    clock.advance(days=1)
    with pytest.raises(Unavailable):
        making.step(fail)
    assert not making.step(silent)
    clock.advance(seconds=PAUSE.total_seconds())
    assert making.step(silent)


def test_the_worker_makes_them_and_stops_where_told_to(
    shop: Winnow, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(shop, drawn(1))
    stop = threading.Event()

    def told_to_stop(progress: Progress) -> bool:
        stop.set()
        return reporter(shop).step(progress)

    Worker(shop, FakeAnalyst(shop), holder="me", stop=stop, report=told_to_stop).round()
    assert shop.segment_reports.of("web").state == "pending"
    # On a busy machine a look takes longer than the log is left alone for.
    monkeypatch.setattr("experiments.worker.worker.FOLLOW_SECONDS", 600.0)
    followed: list[int] = []
    worker = Worker(
        shop,
        FakeAnalyst(shop),
        holder="me",
        stop=threading.Event(),
        report=reporter(shop).step,
        follow=lambda: followed.append(1) is None,  # type: ignore[func-returns-value]
    )
    worker.round()
    assert (shop.segment_reports.of("web").state, followed) == ("made", [1] * FOLLOW_STEPS)
    # In the middle of a long look the log is followed a step at a time: profiles, and three reports.
    monkeypatch.setattr("experiments.worker.worker.FOLLOW_SECONDS", 0.0)
    clock.advance(days=1)
    worker.round()
    assert len(followed) == 2 * FOLLOW_STEPS + 4


def both_at_once(shop: Winnow) -> None:
    """Two workers look one after the other, as DuckDB wants it within a process, and then store at the same time."""
    looking, storing = threading.Lock(), threading.Barrier(2, timeout=20)

    def work() -> bool:
        looking.acquire()
        looked: list[bool] = []

        def progress(done: int, total: int | None, label: str | None = None) -> None:
            if label == "Storing reports" and not looked:
                looked.append(True)
                looking.release()
                storing.wait()

        return reporter(shop).step(progress)

    with ThreadPoolExecutor(2) as pool:
        assert [one.result() for one in [pool.submit(work), pool.submit(work)]] == [True, True]


def test_in_every_database_two_workers_at_once(database: Database, clock: FakeClock) -> None:
    """Each report is stored once, a week is counted once, and what comes back is what was made."""
    shop = new_shop(clock, database)
    say(shop, drawn(1))
    inside = [on_web(drawn(1)), on_web(drawn(2))]
    both_at_once(shop)
    clock.advance(days=7)
    say(shop, drawn(2))
    both_at_once(shop)
    (week,) = shop.segment_reports.newest("web").document["card"]["stability"]["weeks"]
    gone, come = inside[0] - inside[1], inside[1] - inside[0]
    assert (week["before"], week["left"], week["entered"]) == (len(inside[0]), len(gone), len(come))
    for one in shop.segment_reports.all_newest():
        assert [report.number for report in shop.segment_reports.history(one.segment.value.key)] == [2, 1]
    with shop.open_unit_of_work(read_only=True) as work:
        assert len(work.reports.weeks("web")) == 1
    person = min(inside[1])
    shop.eraser.erase(person, actor="t")
    with shop.open_unit_of_work(read_only=True) as work:
        salt = work.erasures.salt()
        assert list(work.reports.members("web")) == sorted(member_of(salt, unit) for unit in inside[1] - {person})
