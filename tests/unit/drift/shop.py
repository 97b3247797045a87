"""A shop whose customers move between segments."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from experiments.bootstrap import Winnow, build
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.definition import Randomisation, Variant
from experiments.domain.event import Event, ExposureClaim
from experiments.domain.metric import MetricRole
from experiments.domain.segment import Segment
from experiments.domain.source import Source, SourceKind
from experiments.services.analysing.analyse import Analyst
from experiments.services.authoring.wishes import ExperimentWish, MetricWish, SegmentWish
from experiments.services.drift.drift import Drifter
from experiments.services.ports import OpenUnitOfWork
from experiments.services.profiles.profiles import ProfileChange
from experiments.settings import Settings
from tests.conftest import FakeClock
from tests.unit.builders import VISIT

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
