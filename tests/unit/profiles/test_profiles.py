"""Profiles are written by sources that are registered, and told to assignment."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from experiments.bootstrap import Winnow, build
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.errors import FrozenField, InvalidInput, NotFound, RevisionMismatch, Taken
from experiments.domain.source import Source, SourceKind
from experiments.services.forgetting.erase import Eraser
from experiments.services.profiles.profiles import ChangeStatus, ProfileChange, ProfileVerdict
from experiments.settings import Settings
from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock


def source(key: str, precedence: int) -> Source:
    return Source(key=key, name=key.upper(), kind=SourceKind.FIRST_PARTY, precedence=precedence)


def attribute(key: str, kind: AttributeType = AttributeType.TEXT, **changes: Any) -> Attribute:
    return Attribute(key=key, name=key.title(), type=kind, **changes)


@pytest.fixture
def winnow(clock: FakeClock) -> Winnow:
    """Two sources and three attributes are registered."""
    made = build(Settings(), open_unit_of_work=MemoryDatabase().unit_of_work, clock=clock)
    for one in (source("crm", 20), source("platform", 10)):
        made.author.sources.create(one, actor="test")
    for registered in (
        attribute("city", personal=True),
        attribute("orders", AttributeType.NUMBER, fresh_days=30),
        attribute("income", sources=("crm",), allowed=("low", "high")),
    ):
        made.author.attributes.create(registered, actor="test")
    return made


def change(source: str = "crm", unit_id: str = "u1", at: Any = None, **attributes: Any) -> ProfileChange:
    return ProfileChange(unit_id=unit_id, source=source, attributes=attributes, at=at)


def known(winnow: Winnow, unit_id: str = "u1") -> dict[str, tuple[Any, str]]:
    return {name: (one.value, one.source) for name, one in winnow.profiles.get(unit_id).laid.known.items()}


def test_sources_are_laid_over_one_another(winnow: Winnow, clock: FakeClock) -> None:
    winnow.profiles.patch(change("platform", city="Köln", orders=3))
    seen = winnow.profiles.patch(change("crm", city="Bonn", income="high"))
    assert seen.laid.attributes == {"city": "Bonn", "income": "high", "orders": 3}
    assert known(winnow) == {"city": ("Bonn", "crm"), "income": ("high", "crm"), "orders": (3, "platform")}
    winnow.profiles.patch(change("crm", city=None))
    assert known(winnow)["city"] == ("Köln", "platform")
    clock.advance(days=30)
    assert "orders" not in known(winnow)


def test_a_unit_of_which_nothing_was_said_is_not_found(winnow: Winnow) -> None:
    with pytest.raises(NotFound) as refusal:
        winnow.profiles.get("u1")
    assert refusal.value.code == "unit_not_found"


@pytest.mark.parametrize(
    ("wrong", "code", "path"),
    [
        ({"source": "nobody", "city": "x"}, "source_unknown", "/source"),
        ({"shoe": 43}, "attribute_unknown", "/attributes/shoe"),
        ({"a/b": 43}, "attribute_unknown", "/attributes/a~1b"),
        ({"source": "platform", "income": "low"}, "attribute_of_others", "/attributes/income"),
        ({"source": "platform", "income": None}, "attribute_of_others", "/attributes/income"),
        ({"city": "Bonn", "orders": "3"}, "attribute_value_invalid", "/attributes/orders"),
        ({"income": "middle"}, "value_not_allowed", "/attributes/income"),
        ({"at": "ahead", "city": "Bonn"}, "at_in_future", "/at"),
    ],
)
def test_what_the_registry_does_not_allow_is_refused_whole(
    winnow: Winnow, clock: FakeClock, wrong: dict[str, Any], code: str, path: str
) -> None:
    if "at" in wrong:
        wrong = {**wrong, "at": clock.now + timedelta(seconds=301)}
    with pytest.raises(InvalidInput) as refusal:
        winnow.profiles.patch(change(**wrong))
    assert (refusal.value.code, refusal.value.path) == (code, path)
    (verdict,) = winnow.profiles.upsert_many([change(**wrong)])
    assert (verdict.status, verdict.code, verdict.path) == ("rejected", code, path)
    with pytest.raises(NotFound):
        winnow.profiles.get("u1")


@pytest.mark.parametrize(
    ("parts", "code", "path"),
    [
        ({"unit_id": ""}, "id_invalid", "/unit_id"),
        ({"source": "c r m"}, "key_invalid", "/source"),
        ({"attributes": {}}, "changes_count", "/attributes"),
        ({"attributes": {f"a{number}": 1 for number in range(501)}}, "changes_count", "/attributes"),
    ],
)
def test_a_change_that_says_nothing_cannot_be_built(parts: dict[str, Any], code: str, path: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        ProfileChange(**{"unit_id": "u1", "source": "crm", "attributes": {"city": "Bonn"}, **parts})
    assert (refusal.value.code, refusal.value.path) == (code, path)


def test_each_item_of_a_batch_has_its_own_verdict(winnow: Winnow, clock: FakeClock) -> None:
    unread = ProfileVerdict(unit_id=None, status=ChangeStatus.REJECTED, code="type")
    earlier = clock.now - timedelta(days=1)
    verdicts = winnow.profiles.upsert_many(
        [
            change(unit_id="u1", city="Bonn"),
            change(unit_id="u2", orders="many"),
            unread,
            change(unit_id="u1", city="Ulm", at=earlier),
            change(unit_id="u1", city="Ulm", orders=2, at=earlier),
            change(unit_id="u3", city="Trier", orders=1),
            change(unit_id="u3", city="Trier", orders=1),
        ]
    )
    assert [(one.unit_id, one.status.value, one.outdated) for one in verdicts] == [
        ("u1", "accepted", ()),
        ("u2", "rejected", ()),
        (None, "rejected", ()),
        ("u1", "outdated", ("city",)),
        ("u1", "accepted", ("city",)),
        ("u3", "accepted", ()),
        ("u3", "unchanged", ()),
    ]
    assert known(winnow) == {"city": ("Bonn", "crm"), "orders": (2, "crm")}
    assert known(winnow, "u3") == {"city": ("Trier", "crm"), "orders": (1, "crm")}
    with pytest.raises(NotFound):
        winnow.profiles.get("u2")


def test_a_batch_that_is_sent_again_stores_nothing(winnow: Winnow, clock: FakeClock) -> None:
    batch = [change(unit_id=f"u{number}", city="Bonn", at=clock.now) for number in range(3)]
    winnow.profiles.upsert_many(batch)
    with winnow.open_unit_of_work(read_only=True) as work:
        before = work.profiles.revision()
    clock.advance(days=1)
    again = winnow.profiles.upsert_many(batch)
    with winnow.open_unit_of_work(read_only=True) as work:
        assert (work.profiles.revision(), [one.status.value for one in again]) == (before, ["unchanged"] * 3)


def test_an_older_word_of_one_source_is_told_and_dropped(winnow: Winnow, clock: FakeClock) -> None:
    winnow.profiles.patch(change(city="Bonn"))
    seen = winnow.profiles.patch(change(city="Ulm", at=clock.now - timedelta(seconds=1)))
    assert (seen.laid.attributes, seen.outdated) == ({"city": "Bonn"}, ("city",))


def test_what_is_stored_beside_is_what_remains(winnow: Winnow) -> None:
    winnow.profiles.patch(change("platform", city="Köln"))
    winnow.profiles.upsert_many([change("crm", city="Bonn", orders=1)])
    with winnow.open_unit_of_work(read_only=True) as work:
        stored = work.profiles.get("u1")
    assert stored is not None
    assert stored.attributes == {"city": "Bonn", "orders": 1}


def test_profiles_leave_no_trace_in_the_audit(winnow: Winnow) -> None:
    """The registry does; who may read the trail may not therefore read profiles."""
    winnow.profiles.patch(change(city="Bonn"))
    winnow.profiles.upsert_many([change(unit_id="u2", city="Trier")])
    trail = winnow.results.audit(subject=None, after=None, limit=100).items
    assert sorted(entry.action for entry in trail) == ["attribute.create"] * 3 + ["source.create"] * 2
    assert "Bonn" not in repr(trail)


def test_an_attribute_keeps_its_type_and_names_known_sources(winnow: Winnow) -> None:
    with pytest.raises(FrozenField) as frozen:
        winnow.author.attributes.edit(
            "city", attribute("city", AttributeType.NUMBER), expected_revision=1, actor="test"
        )
    assert frozen.value.path == "/type"
    for key, act in (
        ("town", winnow.author.attributes.create),
        ("city", partial(winnow.author.attributes.edit, "city", expected_revision=1)),
    ):
        with pytest.raises(InvalidInput) as unknown:
            act(attribute(key, sources=("crm", "nobody")), actor="test")
        assert (unknown.value.code, unknown.value.path) == ("source_unknown", "/sources/1")
    assert winnow.author.attributes.get("city").value.sources == ()


def test_no_two_sources_have_one_precedence(winnow: Winnow) -> None:
    with pytest.raises(Taken) as refusal:
        winnow.author.sources.create(source("shop", 10), actor="test")
    assert (refusal.value.code, refusal.value.path) == ("precedence_taken", "/precedence")
    with pytest.raises(Taken):
        winnow.author.sources.edit("crm", source("crm", 10), expected_revision=1, actor="test")
    with pytest.raises(NotFound):
        winnow.author.sources.get("shop")
    assert winnow.author.sources.edit("crm", source("crm", 20), expected_revision=1, actor="test").revision == 2
    with pytest.raises(RevisionMismatch):
        winnow.author.sources.edit("crm", source("crm", 21), expected_revision=1, actor="test")


def test_a_changed_precedence_changes_what_is_known(winnow: Winnow) -> None:
    winnow.profiles.patch(change("platform", city="Köln"))
    winnow.profiles.patch(change("crm", city="Bonn"))
    winnow.author.sources.edit("platform", source("platform", 30), expected_revision=1, actor="test")
    assert known(winnow) == {"city": ("Köln", "platform")}


def test_what_was_said_before_an_erasure_brings_nobody_back(winnow: Winnow, clock: FakeClock) -> None:
    winnow.profiles.patch(change(city="Bonn"))
    before = clock()
    winnow.eraser.erase("u1", actor="test")
    with pytest.raises(NotFound):
        winnow.profiles.get("u1")
    clock.advance(days=1)
    old, others = change(at=before, city="Bonn", orders=1), change(unit_id="u2", at=before, city="Ulm")
    verdicts = winnow.profiles.upsert_many([old, others])
    assert [(one.status.value, one.outdated) for one in verdicts] == [
        ("outdated", ("city", "orders")),
        ("accepted", ()),
    ]
    assert winnow.profiles.patch(old).outdated == ("city", "orders")
    with pytest.raises(NotFound):
        winnow.profiles.get("u1")
    later = change(at=before + timedelta(microseconds=1), city="Köln")
    assert [one.status.value for one in winnow.profiles.upsert_many([later])] == ["accepted"]
    assert known(winnow) == {"city": ("Köln", "crm")}


def test_the_memory_of_the_process_forgets_who_is_erased(winnow: Winnow, clock: FakeClock) -> None:
    forgotten: list[str] = []
    Eraser(winnow.open_unit_of_work, clock, forgotten.extend, None).erase("u1", actor="test")
    assert forgotten == ["u1"]


def test_no_id_is_no_person(winnow: Winnow) -> None:
    with pytest.raises(InvalidInput) as refused:
        winnow.eraser.erase("a\nb", actor="test")
    assert refused.value.path == "/unit_id"
