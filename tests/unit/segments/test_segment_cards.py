"""Segment cards from a small house whose numbers can be worked out by hand, and what the commands print of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from experiments.bootstrap import Winnow as Services
from experiments.bootstrap import build, utc_now
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.errors import InvalidInput, NotFound
from experiments.domain.event import Channel, Event, Exposure
from experiments.domain.purchases import Followed, Purchases
from experiments.domain.segment import Segment
from experiments.domain.source import Source, SourceKind
from experiments.services.assigning.assign import Unit
from experiments.services.authoring.wishes import ExperimentWish, SegmentWish
from experiments.services.profiles.profiles import ProfileChange
from experiments.services.segments import tables as segment_tables
from experiments.services.segments.cards import Cards, CardWish, SegmentCards
from experiments.settings import Settings
from experiments.storage.unit_of_work import open_database
from tests.conftest import FakeClock
from tests.unit.builders import VISIT
from tests.unit.commands.test_cli import Winnow
from tests.unit.segments.reported import reporter

CUSTOMERS = 400
ORDERS = CardWish(purchases=("order",))
ATTRIBUTES = [
    Attribute(key="channel", name="Channel", type=AttributeType.TEXT, fresh_days=100),
    Attribute(key="spend", name="Spend", type=AttributeType.NUMBER),
    Attribute(key="vip", name="VIP", type=AttributeType.BOOLEAN),
    Attribute(key="email", name="E-mail", type=AttributeType.TEXT, personal=True),
    Attribute(key="expecting", name="Expects a child", type=AttributeType.BOOLEAN, personal=True),
    Attribute(key="since", name="Customer since", type=AttributeType.DATE),
    Attribute(key="City", name="City", type=AttributeType.TEXT),
    Attribute(key="city", name="City of birth", type=AttributeType.TEXT),
    Attribute(key="self", name="Self", type=AttributeType.TEXT),
    Attribute(key="winnow_x", name="X", type=AttributeType.NUMBER),
]
SEGMENTS = [
    Segment(key="big", name="Spends much", condition={"spend": {"$gte": 100}}),
    Segment(key="nobody", name="Nobody", condition={"channel": "fax"}),
    Segment(key="parents", name="Parents to be", condition={"expecting": True}),
    Segment(key="visitors", name="On a phone", condition={"device": "phone", "vip": True}),
    Segment(key="web", name="From the web", condition={"channel": "web"}),
]


def said(number: int) -> dict[str, Any]:
    """The first 100 come from the web and expect a child; 50 to 149 spend much, and half of these are VIPs."""
    big = 50 <= number < 150
    return {
        "channel": "web" if number < 100 else "shop",
        "spend": (200 if big else 20) + (10 if number % 2 else -10),
        "vip": number % 2 == 0 if big else number % 10 == 0,
        "email": f"{number}@private.example",
        "expecting": number < 100,
        "since": "2020-01-31",
        "City": "Bonn",
        "city": "Ulm",
        "self": "s",
        "winnow_x": 2**53 + 1,
    }


def settle(winnow: Services) -> None:
    """Register everything, and let two sources say what they know."""
    for attribute in ATTRIBUTES:
        winnow.author.attributes.create(attribute, actor="t")
    for place, key in enumerate(("guess", "crm")):
        source = Source(key=key, name=key, kind=SourceKind.FIRST_PARTY, precedence=place)
        winnow.author.sources.create(source, actor="t")
    for segment in SEGMENTS:
        winnow.author.segments.create(segment, actor="t")
    crm = [ProfileChange(unit_id=f"u{n}", source="crm", attributes=said(n)) for n in range(CUSTOMERS)]
    # What the CRM says outranks it.
    guess = ProfileChange(unit_id="u300", source="guess", attributes={"channel": "web", "spend": 999})
    assert {one.status for one in winnow.profiles.upsert_many([*crm, guess])} == {"accepted"}


def ordered(now: datetime) -> list[Event]:
    """The first 80 buy for 10, the fifties for 30 more, the first of all once for nobody knows what."""
    yesterday, long_ago = now - timedelta(days=1), now - timedelta(weeks=9)
    told = [
        *((f"u{number}", "order", 10.0, yesterday) for number in range(80)),
        *((f"u{number}", "order", 30.0, yesterday) for number in range(50, 60)),
        ("u0", "order", None, yesterday),
        ("u99", "order", 1e6, long_ago),
        ("stranger", "order", 1e6, yesterday),
        ("u98", "visit", 1e6, yesterday),
    ]
    return [
        Event(event_id=f"e{place}", unit_id=unit_id, name=name, value=value, occurred_at=at)
        for place, (unit_id, name, value, at) in enumerate(told)
    ]


def exposed(now: datetime) -> list[Exposure]:
    """Forty customers (20 of them big) since two weeks ago, one of them twice; a tester is forced."""
    first = Exposure(
        event_id="x",
        unit_id="u30",
        experiment="any",
        version=1,
        epoch=1,
        segment="everyone",
        variant="a",
        occurred_at=now - timedelta(weeks=2),
    )
    shown = [replace(first, event_id=f"x{number}", unit_id=f"u{number}") for number in range(30, 70)]
    again = replace(first, event_id="again", occurred_at=now - timedelta(days=1))
    tester = replace(first, event_id="forced", unit_id="u1", forced=True, occurred_at=now - timedelta(weeks=7))
    return [*shown, again, replace(first, event_id="y", unit_id="stranger"), tester]


def record(winnow: Services) -> None:
    now = winnow.clock()
    with winnow.open_unit_of_work() as work:
        work.log.append_events(ordered(now), received_at=now)
        work.log.append_exposures(exposed(now), received_at=now)
        work.commit()


def silent(done: int, total: int | None, label: str | None = None) -> None:
    """Progress for nobody."""


@pytest.fixture
def services(clock: FakeClock) -> Services:
    opened = open_database("memory://").unit_of_work
    return build(Settings(database_url="memory://"), open_unit_of_work=opened, clock=clock)


@pytest.fixture
def make(services: Services) -> Callable[..., Cards]:
    def made(wish: CardWish = ORDERS) -> Cards:
        return SegmentCards(services.open_unit_of_work, services.clock).make(wish, silent)

    return made


@pytest.fixture
def cards(services: Services, make: Callable[..., Cards]) -> Cards:
    settle(services)
    record(services)
    return make()


def test_who_is_in_and_who_in_both(cards: Cards) -> None:
    sizes = {card.segment: (card.size.units, card.size.share) for card in cards.book.cards}
    assert sizes == {
        "big": (100, 0.25),
        "nobody": (0, 0.0),
        "parents": (100, 0.25),
        "visitors": (0, 0.0),
        "web": (100, 0.25),
    }
    both = {one.other: (one.both, one.jaccard, one.share_of_this) for one in cards.book.card("web").overlaps}
    assert both["big"] == (50, pytest.approx(1 / 3), 0.5)
    assert both["parents"] == (100, 1.0, 1.0)


def test_what_they_bought(cards: Cards) -> None:
    web, big = (cards.book.card(key).value for key in ("web", "big"))
    assert web is not None
    assert big is not None
    assert (web.revenue, web.purchases, web.buyers) == (80 * 10 + 10 * 30, 80 + 10 + 1, 80)
    assert (web.revenue_per_unit, web.revenue_share, web.index) == (11.0, 1.0, 4.0)
    assert (big.revenue, big.purchases, big.buyers) == (30 * 10 + 10 * 30, 40, 30)
    assert big.revenue_share == pytest.approx(600 / 1100)


def test_can_it_be_tested_in(cards: Cards, make: Callable[..., Cards]) -> None:
    """Forty of the web's and twenty of the big ones were exposed within two weeks; 80 % and 30 % have bought."""
    web, big = (cards.book.card(key).testability for key in ("web", "big"))
    assert web is not None
    assert big is not None
    assert (web.units_per_week, web.baseline) == (20.0, pytest.approx(0.8))
    assert (big.units_per_week, big.baseline) == (10.0, pytest.approx(0.3))
    assert [one.units for one in web.shown] == [20, 40, 80, 100, 100]
    told = make(replace(ORDERS, units_per_week=200.0, minimum_lift=0.9)).book.card("big").testability
    assert told is not None
    assert told.units_per_week == 50.0
    assert "A lift of 90% " in told.sentence


def test_by_which_channels_they_are_reached(services: Services, make: Callable[..., Cards]) -> None:
    """Of the web's first hundred 20 were shown an e-mail, 10 others bought in a store, one did both."""
    settle(services)
    assert all(card.reached is None for card in make().book.cards), "no row says through which channel"
    now = services.clock()
    shown = [replace(exposed(now)[0], event_id=f"m{n}", unit_id=f"u{n}", channel=Channel.EMAIL) for n in range(20)]
    bought = [
        Event(event_id=f"s{n}", unit_id=f"u{n}", name="order", value=1.0, occurred_at=now, channel=Channel.STORE)
        for n in (0, *range(50, 60))
    ]
    with services.open_unit_of_work() as work:
        work.log.append_exposures(shown, received_at=now)
        work.log.append_events(bought, received_at=now)
        work.commit()
    web, big = (make().book.card(key).reached for key in ("web", "big"))
    assert web is not None
    assert big is not None
    told = [(one.channel, one.units, one.share, one.index) for one in web.channels]
    assert told == [("email", 20, 0.2, pytest.approx(4.0)), ("store", 11, 0.11, pytest.approx(4.0))]
    assert web.by_none == pytest.approx(0.7)
    assert [(one.channel, one.units) for one in big.channels] == [("store", 10), ("email", 0)]


def test_what_sets_them_apart(cards: Cards) -> None:
    traits = {trait.attribute: trait for trait in cards.book.card("big").traits if trait.distinguishing}
    vip = traits["vip"]
    assert (vip.value, vip.inside, vip.elsewhere, vip.by_definition) == ("true", 0.5, 30 / 300, False)
    assert (traits["spend"].inside, traits["spend"].by_definition) == (200.0, True)


def test_what_is_personal_is_never_told(cards: Cards) -> None:
    described = {one.attribute for card in cards.book.cards for one in chain(card.profiles, card.traits)}
    assert described == {"channel", "spend", "vip", "City"}
    assert "Left out, as they are personal: email, expecting." in cards.notes
    assert any(note.endswith("numbers and flags: city, self, since, winnow_x.") for note in cards.notes)
    assert "private.example" not in repr(cards)
    assert cards.persona("parents").units == 100


def test_what_only_requests_bring_is_told(cards: Cards) -> None:
    assert cards.unregistered == {"visitors": ("device",)}
    assert [one.code for one in cards.book.card("visitors").warnings] == ["empty"]


def test_what_other_ids_of_a_customer_did_is_the_customers(cards: Cards, clock: FakeClock) -> None:
    """The same as when every second customer had bought, and been exposed, by the id that profiles have."""
    there = build(Settings(), open_unit_of_work=open_database("memory://").unit_of_work, clock=clock)
    settle(there)
    there.catalog.refresh()
    devices = {f"u{number}": f"device-{number}" for number in range(0, 100, 2)}
    now = clock()
    with there.open_unit_of_work() as work:
        happened = [replace(one, unit_id=devices.get(one.unit_id, one.unit_id)) for one in ordered(now)]
        shown = [replace(one, unit_id=devices.get(one.unit_id, one.unit_id)) for one in exposed(now)]
        work.log.append_events(happened, received_at=now)
        work.log.append_exposures(shown, received_at=now)
        work.commit()
    made = SegmentCards(there.open_unit_of_work, clock)
    assert made.make(ORDERS, silent) != cards
    for customer, device in devices.items():
        there.identifier.identify(device, customer, trusted=True)
    assert made.make(ORDERS, silent) == cards


def test_asked_alone_a_segment_stands_beside_all_others(cards: Cards, make: Callable[..., Cards]) -> None:
    alone = make(replace(ORDERS, keys=("web",)))
    assert alone.book.cards == (cards.book.card("web"),)
    assert [one.other for one in alone.book.cards[0].warnings if one.code == "redundant"] == ["parents"]
    with pytest.raises(NotFound) as refusal:
        make(CardWish(keys=("else",)))
    assert refusal.value.code == "segment_not_found"


def test_without_purchases_or_exposures(services: Services, make: Callable[..., Cards]) -> None:
    settle(services)
    card = make().book.card("web")
    assert (card.value, card.testability, card.stability) == (None, None, None)
    assert any("no event “order” in the last 8 weeks" in note for note in make().notes)
    with services.open_unit_of_work() as work:
        work.log.append_events(ordered(services.clock()), received_at=services.clock())
        work.commit()
    assert make().book.card("web").testability is None
    assert any("nobody was exposed" in note for note in make().notes)
    assert make(replace(ORDERS, units_per_week=40.0)).book.card("web").testability is not None


def test_profiles_are_read_in_parts(cards: Cards, make: Callable[..., Cards], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_tables, "AT_ONCE", 7)
    again = make().book.cards
    assert [(one.size, one.overlaps) for one in again] == [(one.size, one.overlaps) for one in cards.book.cards]


@pytest.mark.parametrize(("days", "from_web"), [(99, 100), (100, 0)], ids=["fresh", "lapsed"])
def test_who_is_in_is_who_assignment_finds_there(
    *, services: Services, make: Callable[..., Cards], clock: FakeClock, wish: ExperimentWish, days: int, from_web: int
) -> None:
    settle(services)
    services.author.metrics.create(VISIT, actor="t")
    services.author.create(replace(wish, segments=(SegmentWish(segment="web"),)), actor="t")
    services.author.step("banner", "start", actor="t")
    clock.advance(days=days)
    units = [Unit(unit_id=f"u{number}", attributes={}) for number in range(CUSTOMERS)]
    found = [answer.segment for answers in services.assigner.assign(units) for answer in answers]
    assert (len(found), found.count("web")) == (CUSTOMERS, from_web)
    assert make().book.card("web").size.units == from_web


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"weeks": 0}, "weeks_invalid"),
        ({"weeks": 521}, "weeks_invalid"),
        ({"units_per_week": 0.0}, "units_per_week_invalid"),
        ({"minimum_lift": float("nan")}, "minimum_lift_invalid"),
    ],
)
def test_what_cannot_be_asked(wish: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        CardWish(**wish)
    assert refusal.value.code == code


@pytest.fixture
def winnow(sqlite_url: str, tmp_path: Path) -> Winnow:
    return Winnow(sqlite_url, tmp_path)


@pytest.fixture
def settled(winnow: Winnow, sqlite_url: str) -> Winnow:
    services = build(Settings(database_url=sqlite_url), clock=utc_now)
    settle(services)
    record(services)
    return winnow


def test_the_card_is_printed(settled: Winnow) -> None:
    shown = settled("segments", "card", "big", "visitors", "--purchases", "order")
    assert (shown.exit_code, shown.stderr) == (0, "")
    told = " ".join(shown.stdout.split())
    for part in (
        "big · Spends much",
        "Customers 100 (25.0% of 400)",
        "Revenue per customer 6.00 (",
        "Revenue 600.00 (54.5% of all), 2.18 × everybody's per customer",
        "Buyers 30 (30.0%), 15.00 a purchase",
        "Overlaps parents: 50.0% of this, 50.0% of the other (Jaccard 0.33)",
        "vip true: 50.0%, 10.0% elsewhere",
        "By definition spend: 200 on average, 20 elsewhere",
        "30.00% have bought; 10 customers a week",
        "Can it be tested in? In 4 weeks, with ",
        "warning: Too small to test in. In 4 weeks, with ",
        "visitors · On a phone Customers cannot be counted warning: It looks at device, which no profile has",
        "Steadiness is not known",
        "Left out, as they are personal: email, expecting.",
    ):
        assert part in told, part
    assert "web · From the web" not in told
    assert "– a purchase" not in told
    assert "private.example" not in told


def test_the_card_as_json(settled: Winnow) -> None:
    told = json.loads(settled("segments", "card", "--purchases", "order", "--json").stdout)
    assert [report["segment"] for report in told["reports"]] == [segment.key for segment in SEGMENTS]
    nobody, web = told["reports"][1], told["reports"][4]
    assert (web["units"], web["purchases"], told["pending"]) == (400, ["order"], [])
    assert nobody["card"]["value"]["revenue_per_unit"]["undefined"] == "no_units"
    assert (web["name"], web["card"]["value"]["index"]) == ("From the web", 4.0)
    assert web["card"]["stability"]["undefined"] == "no_week_yet"
    visitors = told["reports"][3]
    assert [doubt["code"] for doubt in visitors["doubts"]] == ["unregistered"]
    assert visitors["card"]["undefined"] == visitors["persona"]["undefined"] == "unregistered"
    refused = settled("segments", "persona", "visitors", "--purchases", "order")
    assert (refused.exit_code, refused.stdout, refused.stderr[:22]) == (1, "", "winnow: unregistered: ")
    assert "private.example" not in json.dumps(told)


def test_the_portrait_is_drawn(settled: Winnow, tmp_path: Path) -> None:
    drawn = settled("segments", "persona", "parents", "--purchases", "order")
    assert drawn.exit_code == 0
    assert "Left out, as they are personal: email, expecting." in drawn.stderr
    assert "private.example" not in drawn.stdout
    assert "expecting" not in drawn.stdout
    rows = list(csv.DictReader(io.StringIO(drawn.stdout)))
    habits = {row["name"]: float(row["inside"]) for row in rows if row["section"] == "habit"}
    assert habits["revenue_per_unit"] == 11.0
    assert rows[0]["inside"] == "100"
    path = tmp_path / "parents.csv"
    assert settled("segments", "persona", "parents", "-o", str(path), "--purchases", "order").stdout == ""
    assert path.read_bytes() == drawn.stdout_bytes


def test_an_empty_database_says_so(winnow: Winnow) -> None:
    empty = winnow("segments", "card")
    assert empty.exit_code == 0
    assert empty.stdout.startswith("There are no segments: ")
    assert "There are no profiles, so nothing is known of any customer: " in winnow("segments", "card", "--now").stdout
    assert json.loads(winnow("segments", "card", "--json").stdout) == {"reports": [], "pending": []}
    winnow("segments", "make", "bought_within", "most=3", "--save", "recent")
    assert "There are no profiles" in winnow("segments", "card", "recent", "--now").stdout
    refused = winnow("segments", "persona", "recent", "--now")
    assert (refused.exit_code, refused.stderr[:22]) == (1, "winnow: no_profiles: T")


def test_what_the_worker_stored_is_shown(settled: Winnow, sqlite_url: str) -> None:
    pending = settled("segments", "card", "visitors")
    assert pending.exit_code == 0
    assert pending.stdout.startswith("visitors · On a phone\nIts report is not made yet: ")
    assert "warning: It looks at device, which no profile has" in pending.stdout
    assert json.loads(settled("segments", "card", "web", "--json").stdout) == {"reports": [], "pending": ["web"]}
    refused = settled("segments", "persona", "web")
    assert (refused.exit_code, refused.stderr[:24]) == (1, "winnow: report_not_made:")
    services = build(Settings(database_url=sqlite_url))
    assert reporter(services, purchases=("order",)).step(silent)
    stored = settled("segments", "card", "big", "--json").stdout
    assert json.loads(stored)["reports"] == [services.segment_reports.newest("big").document]
    shown, now = settled("segments", "card", "big").stdout, settled("segments", "card", "big", "--purchases", "order")
    assert "Revenue 600.00 (54.5% of all)" in " ".join(shown.split())
    assert shown == now.stdout
    drawn = settled("segments", "persona", "big").stdout
    assert drawn == settled("segments", "persona", "big", "--purchases", "order").stdout
    big = services.author.segments.get("big")
    services.author.segments.edit("big", replace(big.value, name="B"), expected_revision=1, actor="t")
    assert "It was edited since this report was made" in settled("segments", "card", "big").stdout
    assert settled("segments", "card", "else").stderr.startswith("winnow: segment_not_found")


def test_everybody_is_shown(settled: Winnow, sqlite_url: str) -> None:
    refused = settled("customers", "summary")
    assert (refused.exit_code, refused.stderr[:24]) == (1, "winnow: report_not_made:")
    services = build(Settings(database_url=sqlite_url))
    bought = [("u1", 40, 3_000), ("u2", 1, 500)]
    with services.open_unit_of_work() as work:
        now = services.clock()
        work.behaviour.put(
            [
                Purchases(
                    unit_id=unit,
                    first_at=now - timedelta(days=days),
                    last_at=now - timedelta(days=days),
                    previous_at=None,
                    frequency=1,
                    unvalued=0,
                    monetary_cents=cents,
                    due_at=now,
                )
                for unit, days, cents in bought
            ]
        )
        cuts = {
            "recency_days": (7, 14, 30, 90),
            "frequency": (1, 2, 3, 4),
            "monetary_cents": (1_000, 2_000, 4_000, 8_000),
        }
        work.behaviour.advance(Followed(names=("order",), cuts=cuts))
        work.commit()
    assert reporter(services, purchases=("order",)).step(silent)
    told = " ".join(settled("customers", "summary").stdout.split())
    for part in (
        "400 profiles, as of ",
        "2 customers bought 2 times for 35.00; 2 of them once",
        "days since the last \\ purchases 1 2 3 4 5 or more",
        "0 to 7 1 0 0 0 0 8 to 14 0 0 0 0 0 15 to 30 0 0 0 0 0 31 to 90 1 0 0 0 0 91 or more 0 0 0 0 0",
        "new 1 50.0% 5.00 14.3%",
        "hibernating 1 50.0% 30.00 85.7%",
        "big 100.0% 0.0% 50.0% 0.0% 50.0% 100",
        "nobody – – – – – 0",
    ):
        assert part in told, part
    document = json.loads(settled("customers", "summary", "--json").stdout)
    assert document == services.segment_reports.customers().document
