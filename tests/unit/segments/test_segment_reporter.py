"""Stored reports of segments: when they are made, and what they say against a count by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.errors import NoReport, NotFound, Unavailable
from experiments.domain.event import Event
from experiments.domain.promotion import PromotionState
from experiments.domain.purchases import Followed, Purchases
from experiments.domain.segment import Segment
from experiments.services.segments import reporter as segment_reporter
from experiments.services.segments.cards import Cards, cards_of
from experiments.services.segments.reporter import FAILED_FOR, PAUSE
from tests.conftest import FakeClock
from tests.stores.promotions import promotion
from tests.unit.segments.reported import UNITS, WEB, drawn, new_shop, on_web, reporter, say, silent


def leaves(document: object) -> Iterator[object]:
    if isinstance(document, Mapping):
        for value in document.values():
            yield from leaves(value)
    elif isinstance(document, list):
        for value in document:
            yield from leaves(value)
    else:
        yield document


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
    assert shop.segment_reports.newest("nobody").document["persona"]["undefined"] == "unregistered"


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
