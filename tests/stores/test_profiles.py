"""Profiles: one row per unit, written by several sources, followed by other processes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.exc import IntegrityError

from experiments.domain.errors import Taken
from experiments.domain.profile import Profile, Statement, amend
from experiments.domain.source import Source, SourceKind
from experiments.services.assigning.catalog import CatalogHolder
from experiments.services.authoring.author import Author
from experiments.services.profiles.ports import ProfileChanges
from experiments.storage.engine import make_engine
from experiments.storage.unit_of_work import open_database

VALUES = ["Köln 🛒", "", 0, -1.5, 0.1 + 0.2, 2**62, True, False, ["a", "b"], [], None]


def said(unit_id, source, at, **values):
    return Profile(
        unit_id=unit_id, said={source: {name: Statement(value=value, at=at) for name, value in values.items()}}
    )


@pytest.fixture
def put(open_unit_of_work, now):
    """Store profiles in one transaction."""

    def store(*profiles, at=now):
        with open_unit_of_work() as unit:
            unit.profiles.put([(profile, {"kept": profile.unit_id}) for profile in profiles], now=at)
            unit.commit()

    return store


@pytest.fixture
def read(open_unit_of_work):
    def ask(question):
        with open_unit_of_work(read_only=True) as unit:
            return question(unit.profiles)

    return ask


def test_what_was_put_comes_back_equal(put, read, now):
    berlin = timezone(timedelta(hours=2))
    profile = Profile(
        unit_id="Zoë/…",
        said={
            "crm": {f"a{place}": Statement(value=value, at=now) for place, value in enumerate(VALUES)},
            "own": {"a0": Statement(value="x", at=datetime(2026, 1, 5, 10, 0, 0, 7, tzinfo=berlin))},
        },
    )
    put(profile)
    found = read(lambda profiles: profiles.get("Zoë/…"))
    assert (found.profile, found.attributes, found.updated_at) == (profile, {"kept": "Zoë/…"}, now)
    assert [type(one.value) for one in found.profile.said["crm"].values()] == [type(value) for value in VALUES]
    assert found.profile.said["own"]["a0"].at == datetime(2026, 1, 5, 8, 0, 0, 7, tzinfo=UTC)


def test_who_has_none_is_told_so(put, read, now):
    put(said("u1", "crm", now, city="Bonn"))
    assert read(lambda profiles: profiles.get("u2")) is None
    assert list(read(lambda profiles: profiles.some(["u2", "u1"]))) == ["u1"]
    assert read(lambda profiles: profiles.some([])) == {}
    assert read(lambda profiles: profiles.get("a\x00b")) is None


def test_all_are_read_page_by_page_in_order(put, read, now):
    units = ["Zoë", "b", "a\U0001d518", "a\uffff", "a'b", "A", "a b", " "]
    put(*(said(unit_id, "crm", now, city=unit_id) for unit_id in units))
    assert read(lambda profiles: profiles.page(after="b", limit=0)) == []
    found, after = [], None
    while page := read(lambda profiles, last=after: profiles.page(after=last, limit=3)):
        assert len(page) <= 3
        found += [one.profile.said["crm"]["city"].value for one in page]
        after = page[-1].profile.unit_id
    assert found == sorted(units)


def test_a_second_put_replaces_the_first(put, read, now):
    put(said("u1", "crm", now, city="Bonn"), said("u2", "crm", now))
    later = now + timedelta(days=1)
    put(said("u1", "own", now, stage="new"), at=later)
    found = read(lambda profiles: profiles.get("u1"))
    assert (found.profile, found.updated_at) == (said("u1", "own", now, stage="new"), later)
    assert read(lambda profiles: profiles.get("u2")).updated_at == now


def test_more_units_than_one_statement_names(put, read, now):
    put(*(said(f"u{number}", "crm", now, place=number) for number in range(1_201)))
    found = read(lambda profiles: profiles.some([f"u{number}" for number in range(0, 2_402, 2)]))
    assert {unit_id: one.profile.said["crm"]["place"].value for unit_id, one in found.items()} == {
        f"u{number}": number for number in range(0, 1_201, 2)
    }


def test_many_that_are_stored_twice_in_one_transaction(open_unit_of_work, read, now):
    with open_unit_of_work() as unit:
        for turn in range(2):
            many = [(said(f"u{number}\\", "crm", now, turn=turn), {"turn": turn}) for number in range(300 - turn)]
            unit.profiles.put(many, now=now)
        unit.commit()
    found = read(lambda profiles: profiles.some([f"u{number}\\" for number in range(300)]))
    assert [found[f"u{number}\\"].attributes["turn"] for number in range(300)] == [1] * 299 + [0]


def test_whose_profile_changed_can_be_followed(put, read, now):
    start = read(lambda profiles: profiles.revision())
    assert read(lambda profiles: profiles.changed_since(start, most=9)) == ProfileChanges(revision=start, unit_ids=())
    put(said("u1", "crm", now), said("u2", "crm", now))
    first = read(lambda profiles: profiles.changed_since(start, most=2))
    assert (first.revision > start, sorted(first.unit_ids)) == (True, ["u1", "u2"])
    put(said("u2", "crm", now, city="Bonn"))
    second = read(lambda profiles: profiles.changed_since(first.revision, most=2))
    assert (second.revision > first.revision, second.unit_ids) == (True, ("u2",))
    assert read(lambda profiles: profiles.get("u2")).revision == second.revision
    assert read(lambda profiles: profiles.get("u1")).revision == first.revision
    assert sorted(read(lambda profiles: profiles.changed_since(start, most=2)).unit_ids) == ["u1", "u2"]
    assert read(lambda profiles: profiles.changed_since(start, most=1)).unit_ids is None


def test_what_was_not_committed_never_was(open_unit_of_work, read, now):
    before = read(lambda profiles: profiles.revision())
    with open_unit_of_work() as unit:
        unit.profiles.to_change(["u1"])
        unit.profiles.put([(said("u1", "crm", now), {})], now=now)
    assert read(lambda profiles: (profiles.get("u1"), profiles.revision())) == (None, before)


def test_two_sources_that_write_one_unit_at_once_lose_nothing(open_unit_of_work, read, now, at_once):
    units = [f"u{number}" for number in range(5)]

    def write(source):
        order = units if source < "c" else units[::-1]
        for turn in range(10):
            with open_unit_of_work() as unit:
                held = unit.profiles.to_change(order)
                before = {
                    unit_id: held[unit_id].profile if unit_id in held else Profile(unit_id=unit_id) for unit_id in order
                }
                after = [amend(one, source, {f"turn{turn}": turn}, now).profile for one in before.values()]
                unit.profiles.put([(one, {}) for one in after], now=now)
                unit.commit()

    assert at_once(write, ["a", "b", "c", "d"]) == [None] * 4
    everything = {f"turn{turn}": Statement(value=turn, at=now) for turn in range(10)}
    for unit_id in units:
        assert read(lambda profiles, name=unit_id: profiles.get(name)).profile.said == dict.fromkeys("abcd", everything)


def test_of_two_sources_with_one_precedence_one_is_registered(open_unit_of_work, now, at_once):
    author = Author(CatalogHolder(open_unit_of_work), open_unit_of_work, lambda: now)

    def register(key):
        return author.sources.create(
            Source(key=key, name=key, kind=SourceKind.OWN, precedence=7), actor="test"
        ).value.key

    outcomes = at_once(register, ["a", "b", "c"])
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert [type(outcome) for outcome in outcomes if outcome != winner] == [Taken] * 2
    with open_unit_of_work(read_only=True) as unit:
        assert [one.value.key for one in unit.sources.page(after=None, limit=9).items] == [winner]


def test_a_follower_misses_nothing_while_others_write(open_unit_of_work, read, now, at_once):
    """Whoever follows from revision to revision has in the end heard of every unit that was ever written."""
    heard, done = set(), []

    def play(part):
        if part < 3:
            for number in range(20):
                with open_unit_of_work() as unit:
                    unit.profiles.put([(said(f"{part}-{number}", "crm", now), {})], now=now)
                    unit.commit()
            done.append(part)
            return
        followed = 0
        while len(done) < 3 or read(lambda profiles: profiles.revision()) > followed:
            changes = read(lambda profiles, since=followed: profiles.changed_since(since, most=100))
            heard.update(changes.unit_ids)
            followed = changes.revision

    assert at_once(play, range(4)) == [None] * 4
    assert heard == {f"{part}-{number}" for part in range(3) for number in range(20)}


def test_errors_of_the_database_do_not_repeat_what_was_to_be_stored(sqlite_url, now):
    database = open_database(sqlite_url)
    with database.unit_of_work() as unit, pytest.raises(IntegrityError) as error:
        unit.profiles.put([(said("no\x00id", "crm", now), {"name": "Ada Lovelace"})], now=now)
    database.close()
    assert "Ada" not in str(error.value)


def test_no_engine_tells_what_it_stores(sql_url):
    assert make_engine(sql_url).hide_parameters
