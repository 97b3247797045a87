"""Discovery where people have several ids: who is one unit, and whose profile counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.condition import compile_condition
from experiments.domain.event import Event, Exposure
from experiments.domain.metric import MetricRole
from experiments.domain.source import Source, SourceKind
from experiments.services.authoring.wishes import ExperimentWish, MetricWish
from experiments.services.profiles.profiles import ProfileChange
from experiments.services.studies.discover import Discoverer, DiscoverWish
from tests.conftest import FakeClock

PEOPLE = 1_000
SEVERAL, CONTRADICTING = range(20), range(20, 30)
"""Who was shown something by either id: the same, and not the same."""


@pytest.fixture
def shop(winnow: Winnow, wish: ExperimentWish) -> Winnow:
    author = winnow.author
    author.sources.create(Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=1), actor="t")
    author.attributes.create(Attribute(key="place", name="Place", type=AttributeType.TEXT), actor="t")
    primary = MetricWish(metric="spend", role=MetricRole.PRIMARY)
    author.create(replace(wish, segments=(), metrics=(primary,)), actor="t")
    author.step("banner", "start", actor="t")
    told = [ProfileChange(unit_id=f"customer-{n}", source="crm", attributes={"place": place(n)}) for n in range(PEOPLE)]
    winnow.profiles.upsert_many(told)
    return winnow


def place(n: int) -> str:
    return "city" if n % 4 < 2 else "country"


def variant(n: int) -> str:
    return "ab"[n % 2]


def spent(n: int) -> float:
    """Fifty, fifty more in the city with the banner, and at most four to either side, whatever person it is."""
    return 50.0 + 50.0 * (place(n) == "city" and variant(n) == "b") + (n * 7919 % 9 - 4)


def identify(shop: Winnow, people: Iterable[int]) -> None:
    for n in people:
        shop.identifier.identify(f"visitor-{n}", f"customer-{n}", trusted=True)


def record(shop: Winnow, shown: Iterable[tuple[str, str]], bought: Iterable[tuple[str, float]]) -> None:
    at = shop.clock()
    exposures = [
        Exposure(
            event_id=f"x-{unit_id}",
            unit_id=unit_id,
            experiment="banner",
            version=1,
            epoch=1,
            segment="everyone",
            variant=variant,
            occurred_at=at,
        )
        for unit_id, variant in shown
    ]
    events = [
        Event(event_id=f"e-{unit_id}", unit_id=unit_id, name="purchase", value=value, occurred_at=at)
        for unit_id, value in bought
    ]
    with shop.open_unit_of_work() as work:
        work.log.append_exposures(exposures, received_at=at)
        work.log.append_events(events, received_at=at)
        work.commit()


def discovered(shop: Winnow, **changes: Any) -> dict[str, Any]:
    wish = DiscoverWish(experiment="banner", attributes=("place",), **changes)
    study = Discoverer(shop.open_unit_of_work, shop.clock).discover(wish, lambda *_: None, actor="t")
    return dict(study.document)


def test_all_ids_of_a_person_are_one_unit_with_its_purchases_and_its_profile(shop: Winnow, clock: FakeClock) -> None:
    """Visitors are shown what customers buy. The effect is fifty in the city by construction, and none elsewhere."""
    identify(shop, range(PEOPLE))
    clock.advance(hours=1)
    shown = [(f"visitor-{n}", variant(n)) for n in range(PEOPLE)]
    shown += [(f"customer-{n}", variant(n)) for n in SEVERAL]
    shown += [(f"customer-{n}", variant(n + 1)) for n in CONTRADICTING]
    record(shop, shown, [(f"customer-{n}", spent(n)) for n in range(PEOPLE)])
    clock.advance(hours=1)
    document = discovered(shop)
    assert document["units"] == PEOPLE - len(CONTRADICTING)
    assert document["comparisons"][0]["units"] == PEOPLE - len(CONTRADICTING)
    (city,) = [leaf for leaf in document["groups"] if leaf["effect"] > 25]
    is_in = compile_condition(city["condition"])
    assert [is_in({"place": "city"}), is_in({"place": "country"}), is_in({})] == [True, False, False]
    assert city["proposed"]
    assert city["effect"] == pytest.approx(50, abs=2)
    assert city["outside"] == pytest.approx(0, abs=2)
