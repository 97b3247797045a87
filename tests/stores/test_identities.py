"""Who is who, on every store: revisions, rows of all ids, and races between devices."""

from __future__ import annotations

from datetime import timedelta

import pytest

from experiments.bootstrap import Winnow, build
from experiments.domain.errors import Taken
from experiments.domain.identity import Identity
from experiments.services.recording.ports import Watermark
from experiments.settings import Settings
from experiments.storage.unit_of_work import open_database
from tests.conftest import FakeClock


def row(unit_id: str, person_id: str, now) -> Identity:
    return Identity(unit_id=unit_id, person_id=person_id, bucketed_as="dev", linked_at=now)


@pytest.fixture
def add(open_unit_of_work, now):
    def store(*pairs: tuple[str, str]) -> int:
        with open_unit_of_work() as work:
            work.identities.take()
            work.identities.add([row(unit_id, person_id, now) for unit_id, person_id in pairs])
            work.commit()
        with open_unit_of_work(read_only=True) as work:
            return work.identities.revision()

    return store


def test_rows_are_read_as_they_were_stored(open_unit_of_work, add, now):
    with open_unit_of_work() as work:  # and never committed
        work.identities.add([row("dev", "ann", now)])
    with open_unit_of_work(read_only=True) as work:
        assert (work.identities.get("dev"), work.identities.revision()) == (None, 0)
    add(("Zoë 🛒", "ann"), ("ann", "ann"))
    add(("tab", "ann"), ("bob", "bob"))
    with open_unit_of_work(read_only=True) as work:
        store = work.identities
        assert store.get("Zoë 🛒") == row("Zoë 🛒", "ann", now)
        assert store.get("nobody") is store.get("\x00") is None
        assert store.some(["tab", "nobody", "bob"]) == {"tab": row("tab", "ann", now), "bob": row("bob", "bob", now)}
        assert [one.unit_id for one in store.of_person("ann")] == ["Zoë 🛒", "ann", "tab"]
        assert store.of_person("tab") == ()


def test_followers_hear_of_what_is_added_and_that_something_was_removed(open_unit_of_work, add):
    with open_unit_of_work(read_only=True) as work:
        assert work.identities.revision() == 0
    first = add(("dev", "ann"), ("ann", "ann"))
    second = add(("tab", "ann"))
    with open_unit_of_work(read_only=True) as work:
        store = work.identities
        assert set(store.changed_since(0, most=10).unit_ids) == {"dev", "ann", "tab"}
        assert store.changed_since(first, most=10).unit_ids == ("tab",)
        assert store.changed_since(second, most=10).unit_ids == ()
        assert store.changed_since(0, most=2).unit_ids is None
        assert [one.unit_id for one in store.added(above=first, upto=second)] == ["tab"]
        assert {one.unit_id for one in store.added(above=0, upto=first)} == {"dev", "ann"}
    with open_unit_of_work() as work:
        assert work.identities.remove("ann") == 3
        work.commit()
    with open_unit_of_work(read_only=True) as work:
        assert work.identities.get("dev") is None
        assert work.identities.changed_since(second, most=10).unit_ids is None
        assert work.identities.changed_since(work.identities.revision(), most=10).unit_ids == ()


def test_exposures_are_known_by_unit_and_a_snapshot_keeps_how_far_identities_went(
    open_unit_of_work, exposure, snapshot, now
):
    with open_unit_of_work() as work:
        work.log.append_exposures(
            [exposure("x1", "u1"), exposure("x2", "u2", forced=True), exposure("x3", "u3", experiment="other")],
            received_at=now,
        )
        mark = Watermark(exposure_id=7, event_id=9, at=now, identity_revision=4)
        work.snapshots.add(snapshot(watermark=mark, supplement={"identities": {"contradictions": 2}}))
        work.commit()
    with open_unit_of_work(read_only=True) as work:
        kept = work.snapshots.latest("checkout")
        assert (kept.watermark, kept.supplement) == (mark, {"identities": {"contradictions": 2}})
        found = [work.identities.is_exposed(unit, ["checkout", "third"]) for unit in ("u1", "u2", "u3")]
        assert found == [True, False, False]
        assert not work.identities.is_exposed("u1", [])


def test_events_of_all_ids_of_who_was_exposed_are_read(open_unit_of_work, add, exposure, event, now):
    """`dev` is exposed; `ann` and `tab` are ids of the same person, `bob` is nobody's, `late` is joined afterwards."""
    with open_unit_of_work() as work:
        work.log.append_exposures([exposure("x1", "dev"), exposure("x2", "bob")], received_at=now)
        units = ("dev", "ann", "tab", "late", "bob", "stranger")
        work.log.append_events([event(f"e-{unit}", unit) for unit in units], received_at=now)
        work.commit()
    revision = add(("dev", "ann"), ("ann", "ann"), ("tab", "ann"), ("eve", "eve"))
    add(("late", "ann"))

    def read(revision: int) -> tuple[set[str], int, dict[str, str]]:
        mark = Watermark(exposure_id=9, event_id=9, at=now, identity_revision=revision)
        with open_unit_of_work(read_only=True) as work:
            rows = [row[0] for batch in work.log.events("checkout", ["purchase"], mark) for row in batch]
            whose = dict(
                pair
                for batch in work.identities.exposed("checkout", exposure_id=9, revision=revision)
                for pair in batch
            )
            return set(rows), work.log.counts("checkout", ["purchase"], mark)[1], whose

    assert read(0) == ({"dev", "bob"}, 2, {})
    assert read(revision) == ({"dev", "ann", "tab", "bob"}, 4, {"dev": "ann", "ann": "ann", "tab": "ann"})
    assert read(revision + 99)[0] == {"dev", "ann", "tab", "late", "bob"}


@pytest.fixture
def winnow(open_unit_of_work, clock: FakeClock) -> Winnow:
    made = build(Settings(), open_unit_of_work=open_unit_of_work, clock=clock)
    made.catalog.refresh()
    return made


def test_two_devices_of_one_person_leave_one_bucket(winnow, at_once):
    for turn in range(5):
        devices, person = [f"dev-{turn}-{n}" for n in range(4)], f"ann-{turn}"
        outcomes = at_once(
            lambda device, person=person: winnow.identifier.identify(device, person, trusted=False), devices
        )
        with winnow.open_unit_of_work(read_only=True) as work:
            rows = work.identities.of_person(person)
        assert {one.unit_id for one in rows} == {*devices, person}
        (placed,) = {one.bucketed_as for one in rows}
        assert placed in devices
        told = {one.anonymous_id: one.bucketed_by.value for one in outcomes}
        assert told == {device: "anonymous_id" if device == placed else "another_id" for device in devices}
        assert {winnow.caches.identities.of(one).bucketed_as for one in (*devices, person)} == {placed}
    same = at_once(lambda _: winnow.identifier.identify("dev", "bob", trusted=False), range(6))
    assert len(set(same)) == 1
    with winnow.open_unit_of_work(read_only=True) as work:
        assert len(work.identities.of_person("bob")) == 2


def test_one_device_that_becomes_two_people_at_once_is_one_of_them_and_nobody_becomes_each_other(winnow, at_once):
    for turn in range(5):
        people = [f"p{turn}-{n}" for n in range(4)]
        outcomes = at_once(lambda one, turn=turn: winnow.identifier.identify(f"dev-{turn}", one, trusted=False), people)
        (winner,) = [one.unit_id for one in outcomes if not isinstance(one, Exception)]
        assert [one.code for one in outcomes if isinstance(one, Exception)] == ["identity_taken"] * 3
        with winnow.open_unit_of_work(read_only=True) as work:
            rows = work.identities.some([f"dev-{turn}", *people])
        assert {one.unit_id for one in rows.values()} == {f"dev-{turn}", winner}
        assert {one.person_id for one in rows.values()} == {winner}
    pairs = [("ann", "bob"), ("bob", "ann")]
    outcomes = at_once(lambda pair: winnow.identifier.identify(*pair, trusted=True), pairs)
    (lost,) = [one for one in outcomes if isinstance(one, Exception)]
    assert (type(lost), lost.code) == (Taken, "identity_chain")
    with winnow.open_unit_of_work(read_only=True) as work:
        rows = work.identities.some(["ann", "bob"])
    assert len({one.person_id for one in rows.values()}) == 1


def test_two_processes_join_and_both_answer_alike(sql_url, clock, at_once):
    """Two databases opened apart are two processes as far as memory goes; after a look both know the same."""
    databases = [open_database(sql_url) for _ in range(2)]
    both = [build(Settings(), open_unit_of_work=one.unit_of_work, clock=clock) for one in databases]
    for one in both:
        one.catalog.refresh()
    at_once(lambda place: both[place].identifier.identify(f"dev{place}", "ann", trusted=False), range(2))
    for one in both:
        one.caches.identities.follow()
    answers = [[one.caches.identities.of(unit) for unit in ("dev0", "dev1", "ann")] for one in both]
    assert answers[0] == answers[1]
    assert len(set(answers[0])) == 1
    for database in databases:
        database.close()


def test_erasing_one_id_erases_the_person(winnow, event, exposure, clock):
    with winnow.open_unit_of_work() as work:
        work.log.append_exposures(
            [exposure("x1", "dev"), exposure("x2", "tab"), exposure("x3", "bob")], received_at=clock()
        )
        work.log.append_events([event("e1", "ann"), event("e2", "dev"), event("e3", "bob")], received_at=clock())
        work.commit()
    for device in ("dev", "tab"):
        winnow.identifier.identify(device, "ann", trusted=True)
    winnow.identifier.identify("phone", "bob", trusted=True)
    clock.now += timedelta(seconds=1)
    receipt = winnow.eraser.erase("tab", actor="test")
    assert receipt.deleted == {
        "profiles": 0,
        "exposures": 2,
        "events": 2,
        "behaviour": 0,
        "activity": 0,
        "identities": 3,
    }
    with winnow.open_unit_of_work(read_only=True) as work:
        assert [work.log.rows_of(unit).exposures for unit in ("dev", "tab", "bob")] == [(), (), (3,)]
        assert work.identities.some(["ann", "dev", "tab"]) == {}
        assert {one.unit_id for one in work.identities.of_person("bob")} == {"phone", "bob"}
    assert winnow.caches.identities.of("dev").person_id == "dev"
    with winnow.open_unit_of_work() as work:  # what was under way of another id does not come back
        work.log.append_events([event("late", "ann")], received_at=clock() - timedelta(seconds=1))
        work.commit()
    with winnow.open_unit_of_work(read_only=True) as work:
        assert work.log.rows_of("ann").events == ()


def test_who_is_joined_while_the_person_is_erased_goes_as_well(winnow, monkeypatch):
    winnow.identifier.identify("dev", "ann", trusted=True)
    unlink, joined = winnow.eraser._unlink, []

    def meanwhile(person_id, erased):
        if not joined:
            joined.append(winnow.identifier.identify("tab", "ann", trusted=True))
        return unlink(person_id, erased)

    monkeypatch.setattr(winnow.eraser, "_unlink", meanwhile)
    assert winnow.eraser.erase("ann", actor="test").deleted["identities"] == 3
    with winnow.open_unit_of_work(read_only=True) as work:
        assert work.identities.some(["ann", "dev", "tab"]) == {}
