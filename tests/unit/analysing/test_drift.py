"""Who has moved since exposure, from profiles whose moves are planted, and the results by present segment."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from analysis.quality.moves import moving_differs
from experiments.bootstrap import Winnow, build, utc_now
from experiments.domain.adaptive import AdaptivePolicy
from experiments.domain.assignment import compile_experiment
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.definition import Randomisation, Variant
from experiments.domain.errors import NotFound
from experiments.domain.event import Event, ExposureClaim
from experiments.domain.metric import MetricRole
from experiments.domain.policy import AnalysisPlan, Family, StoppingRule
from experiments.domain.present import present_segments
from experiments.domain.promotion_policy import PromotionPolicy, WinnerRule
from experiments.domain.segment import Segment, everyone
from experiments.domain.source import Source, SourceKind
from experiments.services.analysing.analyse import Analyst
from experiments.services.assigning.assign import Unit
from experiments.services.authoring.wishes import ExperimentWish, MetricWish, SegmentWish
from experiments.services.drift.counts import SegmentDrift
from experiments.services.drift.document import document_of
from experiments.services.drift.drift import Drifter
from experiments.services.drift.ports import Drift
from experiments.services.ports import OpenUnitOfWork
from experiments.services.profiles.profiles import ProfileChange
from experiments.settings import Settings
from experiments.storage.memory.unit_of_work import MemoryDatabase
from experiments.storage.unit_of_work import open_database
from tests.conftest import FakeClock
from tests.stats.builders import plan as stats_plan
from tests.unit.builders import VISIT, plan, running
from tests.unit.commands.test_cli import Winnow as Commands

NEW, LOYAL = {"stage": "new"}, {"stage": "loyal"}
STAGE = {"new": "new", "loyal": "loyal", "everyone": "lost"}
"""What a profile says of a customer in that segment."""


@dataclass(frozen=True)
class Shop:
    """Customers are new, loyal or neither; others randomise, so that a test says who saw what."""

    winnow: Winnow
    clock: FakeClock

    def start(self, **changes: Any) -> None:
        wish = ExperimentWish(
            key="banner",
            name="Banner",
            variants=(Variant(key="a", name="Old", is_control=True), Variant(key="b", name="Fresh")),
            segments=(SegmentWish(segment="new"), SegmentWish(segment="loyal")),
            metrics=(MetricWish(metric="visit", role=MetricRole.PRIMARY),),
            randomisation=Randomisation.EXTERNAL,
        )
        self.winnow.author.create(replace(wish, **changes), actor="ann")
        self.winnow.author.step("banner", "start", actor="ann")

    def show(self, unit_id: str, variant: str, segment: str, *, version: int = 1) -> None:
        claim = ExposureClaim(
            event_id=f"x-{unit_id}-{version}",
            unit_id=unit_id,
            experiment="banner",
            version=version,
            segment=segment,
            variant=variant,
            occurred_at=self.clock.now,
        )
        assert self.winnow.recorder.record([claim])[0].status == "accepted"

    def visit(self, unit_id: str) -> None:
        event = Event(event_id=f"v-{unit_id}", unit_id=unit_id, name="visit", occurred_at=self.clock.now)
        assert self.winnow.recorder.record([event])[0].status == "accepted"

    def know(self, said: Mapping[str, Mapping[str, Any]], source: str = "crm") -> None:
        changes = [ProfileChange(unit_id=unit, source=source, attributes=one) for unit, one in said.items()]
        assert {one.status for one in self.winnow.profiles.upsert_many(changes)} == {"accepted"}

    def analyse(self) -> None:
        Analyst(self.winnow.open_unit_of_work, self.clock).analyse("banner")

    def drift(self, **options: Any) -> dict[str, Any]:
        self.analyse()
        made = Drifter(self.winnow.open_unit_of_work, self.clock, **options).compute("banner", actor="t")
        document: dict[str, Any] = json.loads(json.dumps(made.document))
        return document


@pytest.fixture
def shop(clock: FakeClock) -> Shop:
    return open_shop(MemoryDatabase().unit_of_work, clock)


def open_shop(open_unit_of_work: OpenUnitOfWork, clock: FakeClock) -> Shop:
    winnow = build(Settings(), open_unit_of_work=open_unit_of_work, clock=clock)
    for attribute in (
        Attribute(key="stage", name="Stage", type=AttributeType.TEXT, fresh_days=30),
        Attribute(key="city", name="City", type=AttributeType.TEXT),
    ):
        winnow.author.attributes.create(attribute, actor="t")
    for place, key in enumerate(("guess", "crm")):
        winnow.author.sources.create(
            Source(key=key, name=key, kind=SourceKind.FIRST_PARTY, precedence=place), actor="t"
        )
    for key, condition in (("new", NEW), ("loyal", LOYAL), ("phone", {"device": "phone"})):
        winnow.author.segments.create(Segment(key=key, name=key.title(), condition=condition), actor="t")
    winnow.author.metrics.create(VISIT, actor="t")
    winnow.catalog.refresh()
    return Shop(winnow, clock)


def rows(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["segment"]: row for row in document["segments"]}


def codes(document: Mapping[str, Any]) -> list[str]:
    return [finding["code"] for finding in document["findings"]]


def figures(scopes: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[int, float]]:
    """(segment, variant) -> units and visitors."""
    return {
        (scope["segment"], arm["variant"]): (arm["units"], arm["total"])
        for scope in scopes
        for arm in scope["metrics"][0]["arms"]
    }


@dataclass(frozen=True)
class Customer:
    """As they were exposed, and where they are now: None, where nobody knows."""

    unit_id: str
    variant: str
    then: str
    now: str | None
    visited: bool


def customers(seed: int, count: int = 600) -> list[Customer]:
    draw = random.Random(seed)
    return [
        Customer(
            unit_id=f"u{number}",
            variant=draw.choice("ab"),
            then=draw.choice(["new", "loyal", "everyone"]),
            now=draw.choice(["new", "new", "loyal", "everyone", None]),
            visited=draw.random() < 0.4,
        )
        for number in range(count)
    ]


def play(shop: Shop, people: list[Customer]) -> None:
    for one in people:
        shop.show(one.unit_id, one.variant, one.then)
    shop.clock.advance(hours=1)
    for one in people:
        if one.visited:
            shop.visit(one.unit_id)
    shop.know({one.unit_id: {"stage": STAGE[one.now]} for one in people if one.now is not None})
    shop.clock.advance(days=1)


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


def planted(shop: Shop, seed: int, chance: Mapping[str, float]) -> dict[str, Any]:
    """Everybody was new; who was given a variant has become loyal with that chance."""
    draw = random.Random(seed)
    people = [
        Customer(unit_id=f"u{number}", variant=variant, then="new", now=now, visited=False)
        for number in range(2_000)
        for variant in draw.choice("ab")
        for now in ["loyal" if draw.random() < chance[variant] else "new"]
    ]
    play(shop, people)
    return shop.drift()


def test_a_variant_that_moves_people_is_told(shop: Shop) -> None:
    shop.start()
    document = planted(shop, 3, {"a": 0.10, "b": 0.20})
    [warning] = [one for one in document["findings"] if one["severity"] == "warning"]
    assert (warning["code"], warning["segment"]) == ("variant_moves_units", "new")
    row = rows(document)["new"]
    (old, fresh) = row["variants"]
    assert f"{fresh['moved']:,} moved" in warning["message"] or f"{old['moved']:,} moved" in warning["message"]
    assert row["test"]["p_value"] < 1e-6
    assert "moved_after_exposure" in codes(document)


def test_a_variant_that_takes_no_part_is_not_blamed() -> None:
    """Of 10 who were given c all moved, which is furthest off; but c expects too few moves to be compared."""
    asked = stats_plan(variants=("a", "b", "c"))
    sizes = [1_000, 1_000, 10]
    test = moving_differs([sizes], [[60, 140, 10]])
    row = SegmentDrift(
        segment=asked.segments[0],
        units=2_010,
        stayed=1_800,
        unknown=0,
        in_none=210,
        moved_to={},
        known=(1_000, 1_000, 10),
        test=test,
    )
    document = document_of(asked, [row], {}, edited=False, at_exposure=None, at_present=None, skipped=None)
    [warning] = [one for one in document["findings"] if one["code"] == "variant_moves_units"]
    assert "140 moved" in warning["message"] or "60 moved" in warning["message"]


def test_moving_that_has_nothing_to_do_with_variants_warns_of_nothing(shop: Shop) -> None:
    shop.start()
    document = planted(shop, 4, {"a": 0.20, "b": 0.20})
    assert codes(document) == ["moved_after_exposure"]
    assert rows(document)["new"]["test"]["p_value"] > 0.01


def test_what_profiles_cannot_tell_is_said_by_segment(shop: Shop) -> None:
    """Loyal comes first and is known; who is on a phone is not, so nobody else's segment is either."""
    shop.start(segments=(SegmentWish(segment="loyal"), SegmentWish(segment="phone"), SegmentWish(segment="new")))
    for unit, segment in (("u1", "loyal"), ("u2", "phone"), ("u3", "new"), ("u4", "everyone"), ("u5", "loyal")):
        shop.show(unit, "a", segment)
    shop.know({"u1": LOYAL, "u2": LOYAL, "u3": NEW, "u4": LOYAL, "u5": NEW})
    document = shop.drift()
    assert [(one["segment"], one["code"]) for one in document["hidden"]] == [
        ("phone", "needs_request"),
        ("new", "behind_hidden"),
        ("everyone", "behind_hidden"),
    ]
    assert "device" in document["hidden"][0]["message"]
    found = {key: (row["stayed"], row["moved"], row["unknown"]) for key, row in rows(document).items()}
    assert found == {"loyal": (1, 0, 1), "phone": (0, 1, 0), "new": (0, 0, 1), "everyone": (0, 1, 0)}


def test_where_only_requests_tell_nothing_is_counted(shop: Shop) -> None:
    shop.start(segments=(SegmentWish(segment="phone"), SegmentWish(segment="new")))
    shop.show("u1", "a", "phone")
    document = shop.drift()
    assert (document["skipped"]["code"], document["segments"], document["at_present"]) == ("all_hidden", [], None)
    assert [one["code"] for one in document["hidden"]] == ["needs_request", "behind_hidden", "behind_hidden"]


def test_one_segment_has_nowhere_to_go(shop: Shop) -> None:
    shop.start(segments=(SegmentWish(segment="everyone"),))
    shop.show("u1", "a", "everyone")
    assert shop.drift()["skipped"]["code"] == "one_segment"


def test_of_too_many_units_no_profile_is_read(shop: Shop) -> None:
    shop.start()
    for number in range(11):
        shop.show(f"u{number}", "a", "new")
    assert shop.drift(most_units=10)["skipped"]["code"] == "too_many_units"
    assert shop.drift(most_units=11)["skipped"] is None


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


def test_segments_that_an_edit_removed_or_changed_are_told(shop: Shop) -> None:
    shop.start()
    shop.show("u1", "a", "loyal")
    shop.show("u2", "a", "new")
    shop.clock.advance(hours=1)
    wish = ExperimentWish(
        key="banner",
        name="Banner",
        variants=(Variant(key="a", name="Old", is_control=True), Variant(key="b", name="Fresh")),
        segments=(SegmentWish(segment="new"),),
        metrics=(MetricWish(metric="visit", role=MetricRole.PRIMARY),),
        randomisation=Randomisation.EXTERNAL,
    )
    shop.winnow.author.edit("banner", wish, expected_revision=2, actor="ann")
    shop.show("u3", "b", "everyone", version=2)
    shop.know({"u1": NEW, "u2": LOYAL, "u3": NEW})
    document = shop.drift()
    found = {key: (row["stayed"], row["moved"], row["unknown"]) for key, row in rows(document).items()}
    assert found == {"new": (0, 1, 0), "everyone": (0, 1, 0), "loyal": (0, 0, 1)}
    assert [(one["segment"], one["code"]) for one in document["hidden"]] == [("loyal", "segment_removed")]
    assert "segments_edited" in codes(document)


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
