from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.errors import AlreadyExists, InvalidInput, NotFound, RevisionMismatch
from experiments.domain.layer import Layer, Slot
from experiments.domain.metric import Direction, Metric, MetricKind
from experiments.domain.segment import Segment
from experiments.domain.source import Source, SourceKind
from experiments.services.paging import Stored

SEGMENT = Segment(key="one", name="First", condition={}, description="wer zuerst kommt")
METRIC = Metric(
    key="one",
    name="First",
    kind=MetricKind.RATIO,
    event_name="paid",
    denominator_event_name="visited",
    denominator_counts_events=True,
    direction=Direction.DECREASE,
    window_seconds=60,
    cap=0.1,
)
LAYER = Layer(key="one", name="First", salt="s", holdout_bp=5, slots=(Slot(start=0, end=7, experiment="checkout"),))

ATTRIBUTE = Attribute(
    key="one",
    name="First",
    type=AttributeType.NUMBER,
    description="Größe",
    personal=True,
    sources=("shop", "crm"),
    allowed=(3, 0.1 + 0.2),
    fresh_days=30,
)
SOURCE = Source(key="one", name="First", kind=SourceKind.THIRD_PARTY, precedence=7, description="gekauft")
SHELVES = [
    ("segments", SEGMENT),
    ("metrics", METRIC),
    ("layers", LAYER),
    ("attributes", ATTRIBUTE),
    ("sources", SOURCE),
]


@pytest.fixture(params=SHELVES, ids=lambda shelf: shelf[0])
def shelf(request):
    """The name of a library and a value for it."""
    return request.param


@pytest.fixture
def stored(open_unit_of_work, shelf, now):
    name, value = shelf
    with open_unit_of_work() as unit:
        added = getattr(unit, name).add(value, now=now)
        unit.commit()
    return added


def test_what_is_added_comes_back_equal(open_unit_of_work, shelf, stored, now):
    assert stored == Stored(value=shelf[1], revision=1, updated_at=now)
    with open_unit_of_work(read_only=True) as unit:
        assert getattr(unit, shelf[0]).get("one") == stored


def test_a_taken_key_is_refused(open_unit_of_work, shelf, stored, now):
    name, value = shelf
    with open_unit_of_work() as unit:
        with pytest.raises(AlreadyExists) as refusal:
            getattr(unit, name).add(replace(value, name="Other"), now=now)
        assert getattr(unit, name).get("one") == stored
    assert refusal.value.code == f"{name.removesuffix('s')}_exists"


def test_save_counts_the_revision(open_unit_of_work, shelf, stored, now):
    name, value = shelf
    later = now + timedelta(seconds=1)
    changed = replace(value, name="Second")
    with open_unit_of_work() as unit:
        saved = getattr(unit, name).save(changed, expected_revision=1, now=later)
        unit.commit()
    assert saved == Stored(value=changed, revision=2, updated_at=later)
    with open_unit_of_work(read_only=True) as unit:
        assert getattr(unit, name).get("one") == saved


@pytest.mark.parametrize("expected", [0, 2, 2**63])
def test_another_revision_is_refused(open_unit_of_work, shelf, stored, now, expected):
    with open_unit_of_work() as unit, pytest.raises(RevisionMismatch):
        getattr(unit, shelf[0]).save(shelf[1], expected_revision=expected, now=now)


def test_an_absent_one_is_not_found(open_unit_of_work, shelf, now):
    name, value = shelf
    with open_unit_of_work() as unit:
        library = getattr(unit, name)
        with pytest.raises(NotFound) as refusal:
            library.get("one")
        assert refusal.value.code == f"{name.removesuffix('s')}_not_found"
        with pytest.raises(NotFound):
            library.save(value, expected_revision=1, now=now)


def test_pages_go_by_key(open_unit_of_work, shelf, now):
    name, value = shelf
    with open_unit_of_work() as unit:
        for key in ("b", "a", "B", "a-1"):
            getattr(unit, name).add(replace(value, key=key), now=now)
        unit.commit()
    with open_unit_of_work(read_only=True) as unit:
        library = getattr(unit, name)
        first = library.page(after=None, limit=3)
        second = library.page(after=first.next_after, limit=3)
        with pytest.raises(InvalidInput, match="cursor"):
            library.page(after="?", limit=3)
    assert [stored.value.key for stored in first.items] == ["B", "a", "a-1"]
    assert first.next_after == "a-1"
    assert ([stored.value.key for stored in second.items], second.next_after) == (["b"], None)
    with open_unit_of_work(read_only=True) as unit:
        assert getattr(unit, name).keys() == ("B", "a", "a-1", "b")


@pytest.mark.parametrize(
    ("name", "value", "counts"),
    [
        ("segments", SEGMENT, 0),
        ("metrics", METRIC, 0),
        ("layers", LAYER, 1),
        ("attributes", ATTRIBUTE, 1),
        ("sources", SOURCE, 1),
    ],
)
def test_what_answers_depend_on_belongs_to_the_catalog(open_unit_of_work, now, name, value, counts):
    with open_unit_of_work() as unit:
        before = unit.catalog_version()
        library = getattr(unit, name)
        library.add(value, now=now)
        added = unit.catalog_version()
        library.save(value, expected_revision=1, now=now)
        saved = unit.catalog_version()
    assert (added - before, saved - added) == (counts, counts)
