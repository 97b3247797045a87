"""Discovery where people have several ids or withdraw: who is one unit, whose profile counts, and what is late."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.condition import compile_condition
from experiments.domain.consent import ConsentMode, Said, first_word
from experiments.domain.errors import InvalidInput
from experiments.domain.event import Event, Exposure
from experiments.domain.metric import MetricRole
from experiments.domain.source import Source, SourceKind
from experiments.services.authoring.wishes import ExperimentWish, MetricWish
from experiments.services.consent.consents import ConsentWord
from experiments.services.profiles.profiles import ProfileChange
from experiments.services.studies.discover import Discoverer, DiscoverWish
from tests.conftest import FakeClock
from tests.unit.builders import NOW

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


def test_whoever_buys_signs_in_and_is_known_only_then(shop: Winnow, clock: FakeClock) -> None:
    """Nobody is in the city for the banner's sake: the treatment sells, and who buys becomes known."""
    record(shop, [(f"visitor-{n}", variant(n)) for n in range(PEOPLE)], [])
    clock.advance(hours=1)
    buying = [n for n in range(PEOPLE) if variant(n) == "b" or n % 8 < 2]
    identify(shop, buying)
    record(shop, [], [(f"customer-{n}", spent(n)) for n in buying])
    check_left_out(shop, {"joined_after_exposure": len(buying)})


def test_who_does_not_buy_withdraws_consent_and_is_not_known_any_more(shop: Winnow, clock: FakeClock) -> None:
    record(shop, [(f"customer-{n}", variant(n)) for n in range(PEOPLE)], [])
    clock.advance(hours=1)
    leaving = [n for n in range(PEOPLE) if n % 8 < 2]
    record(shop, [], [(f"customer-{n}", 50.0 + n % 9) for n in range(PEOPLE) if n not in leaving])
    shop.consents.say_many([ConsentWord(unit_id=f"customer-{n}", granted=False) for n in leaving], by="t")
    check_left_out(shop, {"consent_changed_after_exposure": len(leaving)})


def check_left_out(shop: Winnow, late: dict[str, int]) -> None:
    with pytest.raises(InvalidInput) as refused:
        discovered(shop)
    assert refused.value.code == "attributes_late"
    document = discovered(shop, late=True)
    assert document["late"] == [{"attribute": "place", "why": why, "units": units} for why, units in late.items()]
    for units in late.values():
        (note,) = [note for note in document["notes"] if f"{units:,} units" in note]
        assert "place" in note
        assert note.endswith("it may be an effect of the treatment itself.")


def test_what_was_so_at_the_exposure_is_not_late(shop: Winnow, clock: FakeClock) -> None:
    """Refused and consented before, a first yes where it is assumed, and another device of a known customer's after."""
    words = [ConsentWord(unit_id=f"customer-{n}", granted=granted) for granted in (False, True) for n in range(9)]
    shop.consents.say_many(words, by="t")
    told = [ProfileChange(unit_id=f"customer-{n}", source="crm", attributes={"place": place(n)}) for n in range(9)]
    shop.profiles.upsert_many(told)
    clock.advance(hours=1)
    ids = [(f"customer-{n}", variant(n)) for n in range(PEOPLE)]
    record(shop, ids, [(unit_id, spent(n)) for n, (unit_id, _) in enumerate(ids)])
    clock.advance(hours=1)
    shop.consents.say_many([ConsentWord(unit_id=f"customer-{n}", granted=True) for n in range(20, 30)], by="t")
    identify(shop, range(10, 15))
    document = discovered(shop)
    assert (document["left_out"], document["late"]) == ([], [])


@pytest.mark.parametrize(
    ("mode", "words", "after"),
    [
        (ConsentMode.ASSUMED, [True], False),
        (ConsentMode.ASSUMED, [False], True),
        (ConsentMode.ASSUMED, [False, True], True),
        (ConsentMode.REQUIRED, [True], True),
        (ConsentMode.REQUIRED, [], False),
    ],
)
def test_whether_something_else_may_have_held(mode: ConsentMode, words: list[bool], after: bool) -> None:
    """Said a second after the instant; of what was said up to an instant nothing changed after it."""
    told = None
    for seconds, granted in enumerate(words, start=1):
        at = NOW + timedelta(seconds=seconds)
        told = first_word("digest", granted, at, "t") if told is None else told.hear(granted, at, "t")
    said = Said(mode=mode, by_unit={} if told is None else {"u": told})
    assert said.changed_after("u", NOW) is after
    assert said.changed_after("u", NOW + timedelta(seconds=len(words))) is False
