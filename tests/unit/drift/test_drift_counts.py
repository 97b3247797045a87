"""Who has moved since exposure, from profiles whose moves are planted, and the results by present segment."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from experiments.domain.assignment import compile_experiment
from experiments.domain.present import present_segments
from experiments.domain.segment import Segment, everyone
from experiments.services.authoring.wishes import SegmentWish
from tests.unit.builders import plan, running
from tests.unit.drift.shop import LOYAL, NEW, STAGE, Shop, codes, customers, play, rows


def figures(scopes: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[int, float]]:
    """(segment, variant) -> units and visitors."""
    return {
        (scope["segment"], arm["variant"]): (arm["units"], arm["total"])
        for scope in scopes
        for arm in scope["metrics"][0]["arms"]
    }


def test_planted_moves_are_counted(shop: Shop) -> None:
    shop.start()
    people = customers(5)
    play(shop, people)
    document = shop.drift()
    found = rows(document)
    pairs = Counter((one.then, one.now) for one in people)
    for then in STAGE:
        row = found[then]
        assert row["units"] == sum(one.then == then for one in people)
        assert row["stayed"] == pairs[then, then]
        assert row["unknown"] == pairs[then, None]
        named = {place for place in ("new", "loyal") if place != then}
        assert {one["segment"]: one["units"] for one in row["moved_to"]} == {key: pairs[then, key] for key in named}
        assert row["in_none"] == (0 if then == "everyone" else pairs[then, "everyone"])
        assert row["moved"] == sum(
            units for (was, now), units in pairs.items() if was == then and now not in (then, None)
        )
        for told in row["variants"]:
            own = [one for one in people if (one.then, one.variant) == (then, told["variant"]) and one.now]
            assert (told["known"], told["moved"]) == (len(own), sum(one.now != then for one in own))
    assert (document["units"], document["skipped"], document["hidden"]) == (600, None, [])
    assert document["moved"] == sum(row["moved"] for row in found.values())
    assert set(codes(document)) == {"moved_after_exposure", "present_unknown"}
    moved, known = document["moved"], 600 - document["unknown"]
    share = f"({100 * moved / known:.1f}%)"
    assert document["findings"][0]["message"].startswith(
        f"{moved} of {known} customers of whom it is known {share} are"
    )


def test_the_report_by_present_segment_is_a_group_by(shop: Shop) -> None:
    shop.start()
    people = customers(6, 1_500)
    play(shop, people)
    document = shop.drift()
    for report, place in (("at_exposure", lambda one: one.then), ("at_present", lambda one: one.now or one.then)):
        wanted = {
            (segment, variant): (
                sum((place(one), one.variant) == (segment, variant) for one in people),
                sum((place(one), one.variant) == (segment, variant) and one.visited for one in people),
            )
            for segment in STAGE
            for variant in "ab"
        }
        found = figures(document[report])
        assert found == wanted
        for scope in document[report]:
            (_, a), (_, b) = (wanted[scope["segment"], variant] for variant in "ab")
            rate_a, rate_b = (visits / wanted[scope["segment"], v][0] for v, visits in (("a", a), ("b", b)))
            [comparison] = scope["metrics"][0]["comparisons"]
            assert comparison["difference"]["value"] == pytest.approx(rate_b - rate_a)
            assert comparison["lift"]["value"] == pytest.approx(rate_b / rate_a - 1)


def test_who_was_drawn_under_another_split_is_compared_within_it(shop: Shop) -> None:
    """New: one to one, of whom nobody visits. Loyal: one to nine, all visit. All are loyal now.

    Thrown together, b would look far better, for nine tenths of the loyal had it; within each split there is nothing.
    """
    shop.start(segments=(SegmentWish(segment="new"), SegmentWish(segment="loyal", weights={"a": 1, "b": 9})))
    for number in range(400):
        shop.show(f"n{number}", "ab"[number % 2], "new")
        shop.show(f"l{number}", "b" if number % 10 else "a", "loyal")
    shop.clock.advance(hours=1)
    for number in range(400):
        shop.visit(f"l{number}")
    shop.know({f"{kind}{number}": LOYAL for kind in "nl" for number in range(400)})
    document = shop.drift()
    present = {scope["segment"]: scope for scope in document["at_present"]}
    assert (present["loyal"]["units"], present["new"]["units"]) == (800, 0)
    assert figures(document["at_present"])["loyal", "b"] == (560, 360.0)
    [comparison] = present["loyal"]["metrics"][0]["comparisons"]
    assert comparison["difference"]["value"] == 0.0


def test_profiles_count_as_assignment_lays_them(shop: Shop) -> None:
    """The CRM outranks the guess; what is not fresh any more uncovers it; what was taken back is known to be none."""
    shop.start()
    for unit in ("outranked", "lapsed", "taken", "other", "nobody"):
        shop.show(unit, "a", "new")
    shop.know({"lapsed": NEW}, "crm")
    shop.clock.advance(days=31)
    shop.know({"outranked": LOYAL, "lapsed": LOYAL}, "guess")
    shop.know({"outranked": NEW, "taken": NEW, "other": {"city": "Ulm"}})
    shop.clock.advance(seconds=1)
    shop.know({"taken": {"stage": None}})
    row = rows(shop.drift())["new"]
    assert (row["stayed"], row["in_none"], row["unknown"]) == (1, 1, 2)
    assert row["moved_to"] == [{"segment": "loyal", "units": 1}]


def test_the_present_segment_is_what_assignment_says() -> None:
    draw = random.Random(12)
    parts = [
        Segment(key="old", name="Old", condition={"age": {"$gte": 60}}),
        Segment(key="south", name="South", condition={"city": {"$in": ["Ulm", "Graz"]}, "vip": {"$ne": True}}),
        Segment(key="rest", name="Rest", condition={"$or": [{"age": {"$exists": False}}, {"city": "Kiel"}]}),
        everyone(),
    ]
    made = running(segments=tuple(plan(part) for part in parts))
    assign = compile_experiment(made)
    present = present_segments(parts, {"age", "city", "vip", "other"})
    assert present.attributes == {"age", "city", "vip"}
    seen: Counter[str | None] = Counter()
    for _ in range(400):
        known = {
            key: value
            for key, value in (
                ("age", draw.choice([20, 59, 60, 61.5, "70"])),
                ("city", draw.choice(["Ulm", "Graz", "Kiel", "Bonn"])),
                ("vip", draw.choice([True, False])),
            )
            if draw.random() < 0.8
        }
        found = present.of(known)
        assert found == assign("u", known).segment
        seen[found] += 1
    assert seen.keys() == {part.key for part in parts}
