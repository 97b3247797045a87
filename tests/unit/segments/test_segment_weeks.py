"""Weeks of segments: who came, who left, and who is in no set at all."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.membership import member_of
from experiments.domain.segment import Segment
from experiments.services.consent.consents import ConsentWord
from experiments.services.segments.ports import CUSTOMERS
from tests.conftest import FakeClock
from tests.unit.segments.reported import UNITS, WEB, drawn, on_web, reporter, say, silent


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
    assert shop.segment_reports.newest("nobody").document["card"]["undefined"] == "unregistered"


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


def test_a_clock_that_is_set_back_keeps_no_report_and_no_week_away(shop: Winnow, clock: FakeClock) -> None:
    making = reporter(shop)
    say(shop, drawn(1))
    clock.advance(days=300)
    assert making.step(silent)
    clock.advance(days=-300)
    assert making.step(silent)
    clock.advance(days=7)
    assert making.step(silent)
    assert len(shop.segment_reports.newest("web").document["card"]["stability"]["weeks"]) == 1
