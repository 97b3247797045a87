"""What sources say of a unit, laid over one another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.profile import Known, Profile, Registry, Statement, amend

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def text(key: str, **changes: Any) -> Attribute:
    return Attribute(key=key, name=key, type=AttributeType.TEXT, **changes)


REGISTRY = Registry(
    attributes={one.key: one for one in (text("city"), text("stage", fresh_days=30), text("income", sources=("crm",)))},
    precedence={"crm": 20, "platform": 10, "own": 30},
)


def profile(**said: dict[str, tuple[Any, datetime]]) -> Profile:
    return Profile(
        unit_id="u",
        said={
            source: {name: Statement(value=value, at=at) for name, (value, at) in what.items()}
            for source, what in said.items()
        },
    )


def test_the_higher_precedence_counts_whoever_spoke_last() -> None:
    said = profile(platform={"city": ("Köln", NOW)}, crm={"city": ("Bonn", NOW - 900 * DAY)})
    assert REGISTRY.lay(said, now=NOW).known == {"city": Known(value="Bonn", source="crm", at=NOW - 900 * DAY)}


def test_what_is_taken_back_uncovers_what_lies_below() -> None:
    said = profile(platform={"city": ("Köln", NOW)}, crm={"city": (None, NOW)})
    assert REGISTRY.lay(said, now=NOW).attributes == {"city": "Köln"}


def test_what_is_not_fresh_any_more_uncovers_what_lies_below() -> None:
    said = profile(own={"stage": ("new", NOW - 30 * DAY)}, platform={"stage": ("loyal", NOW - 29 * DAY)})
    early = REGISTRY.lay(said, now=NOW - timedelta(microseconds=1))
    assert (early.attributes, early.lapses_at) == ({"stage": "new"}, NOW)
    late = REGISTRY.lay(said, now=NOW)
    assert (late.attributes, late.lapses_at) == ({"stage": "loyal"}, NOW + DAY)
    assert REGISTRY.lay(said, now=NOW + DAY).known == {}


def test_the_first_of_several_to_lapse_is_told() -> None:
    registry = Registry(
        attributes={one.key: one for one in (text("a", fresh_days=3), text("b", fresh_days=2), text("c"))},
        precedence={"crm": 1},
    )
    said = profile(crm={"a": ("x", NOW), "b": ("x", NOW), "c": ("x", NOW)})
    assert registry.lay(said, now=NOW).lapses_at == NOW + 2 * DAY
    assert registry.only({"c"}).lay(said, now=NOW).lapses_at is None


def test_what_nobody_registered_or_may_say_does_not_count() -> None:
    said = profile(
        crm={"shoe": ("43", NOW)}, gone={"city": ("Bonn", NOW)}, own={"income": ("high", NOW), "city": ("Ulm", NOW)}
    )
    assert REGISTRY.lay(said, now=NOW).attributes == {"city": "Ulm"}
    assert REGISTRY.only({"income"}).lay(said, now=NOW).attributes == {}


def test_a_patch_changes_what_it_names_and_nothing_else() -> None:
    before = profile(crm={"city": ("Bonn", NOW), "income": ("low", NOW)}, own={"city": ("Ulm", NOW)})
    after = amend(before, "crm", {"city": None, "stage": "new"}, NOW + DAY)
    assert (after.changed, after.outdated) == (True, ())
    assert after.profile == profile(
        crm={"city": (None, NOW + DAY), "income": ("low", NOW), "stage": ("new", NOW + DAY)},
        own={"city": ("Ulm", NOW)},
    )
    assert before.said["crm"]["city"].value == "Bonn"


def test_what_is_older_is_dropped_attribute_by_attribute() -> None:
    before = profile(crm={"city": ("Bonn", NOW), "stage": ("new", NOW - 2 * DAY)})
    after = amend(before, "crm", {"city": "Ulm", "stage": "loyal"}, NOW - DAY)
    assert (after.changed, after.outdated) == (True, ("city",))
    assert REGISTRY.lay(after.profile, now=NOW).attributes == {"city": "Bonn", "stage": "loyal"}


def test_saying_it_again_changes_nothing_and_saying_it_later_keeps_it_fresh() -> None:
    before = profile(crm={"stage": ("new", NOW)})
    again = amend(before, "crm", {"stage": "new"}, NOW)
    assert (again.changed, again.outdated, again.profile) == (False, (), before)
    later = amend(before, "crm", {"stage": "new"}, NOW + DAY)
    assert (later.changed, REGISTRY.lay(later.profile, now=NOW + 30 * DAY).attributes) == (True, {"stage": "new"})


def test_nothing_at_all_is_no_profile() -> None:
    after = amend(Profile(unit_id="u"), "crm", {}, NOW)
    assert (after.changed, after.profile.said) == (False, {})


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_of_arrival_makes_no_difference(order: tuple[int, ...]) -> None:
    """Said on day 0, taken back on day 1, said anew on day 2: whichever comes first."""
    told = [({"city": "Bonn"}, NOW), ({"city": None}, NOW + DAY), ({"city": "Ulm", "stage": "new"}, NOW + 2 * DAY)]
    found = Profile(unit_id="u")
    for place in order:
        changes, at = told[place]
        found = amend(found, "crm", changes, at).profile
    assert found == profile(crm={"city": ("Ulm", NOW + 2 * DAY), "stage": ("new", NOW + 2 * DAY)})


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize(
    ("values", "kept"),
    [
        (("Bonn", "Ulm", "Köln"), "Ulm"),
        (("Bonn", None, "Ulm"), None),
        ((9, 10, 9), 9),
        ((True, False, True), True),
        ((["app"], ["mail"], ["app"]), ["mail"]),
    ],
    ids=["texts", "a-taking-back", "numbers-as-json", "flags", "lists"],
)
def test_of_statements_of_one_instant_the_same_one_counts_in_any_order(
    order: tuple[int, ...], values: tuple[Any, ...], kept: Any
) -> None:
    found = Profile(unit_id="u")
    for place in order:
        found = amend(found, "crm", {"city": values[place]}, NOW).profile
    assert found == profile(crm={"city": (kept, NOW)})


def test_what_loses_at_the_same_instant_is_outdated_and_the_same_again_is_not() -> None:
    before = profile(crm={"city": ("Ulm", NOW)})
    lost = amend(before, "crm", {"city": "Bonn", "stage": "new"}, NOW)
    assert (lost.changed, lost.outdated) == (True, ("city",))
    same = amend(before, "crm", {"city": "Ulm"}, NOW)
    assert (same.changed, same.outdated) == (False, ())


def test_what_is_said_just_now_follows_what_was_said_before() -> None:
    before = profile(crm={"city": (None, NOW)})
    after = amend(before, "crm", {"city": "Bonn"}, NOW, just_now=True)
    assert (after.outdated, after.profile) == ((), profile(crm={"city": ("Bonn", NOW)}))
    late = amend(profile(crm={"city": ("Ulm", NOW + DAY)}), "crm", {"city": "Bonn"}, NOW, just_now=True)
    assert (late.changed, late.outdated) == (False, ("city",))


SAID = st.dictionaries(
    st.sampled_from(["crm", "platform", "own"]),
    st.dictionaries(
        st.sampled_from(["city", "stage", "income"]),
        st.tuples(st.sampled_from(["a", "b", None]), st.integers(-40, 0)),
    ),
)


@given(said=SAID)
def test_it_is_what_asking_the_sources_one_by_one_gives(said: dict[str, dict[str, tuple[str | None, int]]]) -> None:
    """Independently: per attribute, from the highest source down, the first who may say it and still does."""
    expected = {}
    for name, fresh, may in (
        ("city", 10**6, ("own", "crm", "platform")),
        ("stage", 30, ("own", "crm", "platform")),
        ("income", 10**6, ("crm",)),
    ):
        told = [said[source][name] for source in may if name in said.get(source, {})]
        values = [value for value, day in told if value is not None and -day < fresh]
        if values:
            expected[name] = values[0]
    built = profile(**{s: {n: (v, NOW + day * DAY) for n, (v, day) in what.items()} for s, what in said.items()})
    assert REGISTRY.lay(built, now=NOW).attributes == REGISTRY.values(built, now=NOW) == expected
