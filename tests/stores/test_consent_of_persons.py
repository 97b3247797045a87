"""Consent where a person has several ids: what one of them says all say, and who refuses is joined to nobody."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from itertools import permutations

import pytest

from experiments.bootstrap import Winnow, build
from experiments.domain.consent import ConsentMode
from experiments.domain.errors import NoConsent, Taken
from experiments.services.consent.consents import ConsentWord
from experiments.services.profiles.profiles import ChangeStatus
from experiments.settings import Settings
from tests.conftest import FakeClock


@pytest.fixture
def winnow(open_unit_of_work, clock: FakeClock) -> Winnow:
    made = build(Settings(), open_unit_of_work=open_unit_of_work, clock=clock)
    made.catalog.refresh()
    return made


def say(winnow: Winnow, unit_id: str, granted: bool, at: datetime | None = None) -> None:
    winnow.consents.say(ConsentWord(unit_id=unit_id, granted=granted, at=at), by="test")


def lacking(winnow: Winnow, *units: str) -> list[str]:
    """As the transactions see it that store something, and as memory does."""
    with winnow.open_unit_of_work(read_only=True) as work:
        found = work.consents.lacking(units)
    assert found == {unit for unit in units if winnow.caches.consents.lacks(unit)}
    return sorted(found)


@pytest.mark.parametrize("speaker", ["dev", "tab", "ann"])
def test_any_id_speaks_for_the_person(winnow, speaker):
    for device in ("dev", "tab"):
        winnow.identifier.identify(device, "ann", trusted=False)
    winnow.identifier.identify("other", "bob", trusted=False)
    say(winnow, speaker, granted=False)
    assert lacking(winnow, "dev", "tab", "ann", "other", "bob", "nobody") == ["ann", "dev", "tab"]
    say(winnow, "ann", granted=True)
    assert lacking(winnow, "dev", "tab", "ann") == []


def test_an_old_word_of_one_id_does_not_part_it_from_the_others(winnow, clock):
    """A system sends again what it sent before the ids were joined: of the device nothing was known then."""
    old = clock() - timedelta(days=2)
    say(winnow, "ann", granted=False, at=old)
    say(winnow, "ann", granted=True, at=old + timedelta(days=1))
    winnow.identifier.identify("dev", "ann", trusted=True)
    for unit in ("ann", "dev"):
        word = ConsentWord(unit_id=unit, granted=False, at=old)
        (verdict,) = winnow.consents.say_many([word], by="test")
        assert verdict.status is ChangeStatus.OUTDATED
    assert lacking(winnow, "ann", "dev") == []
    say(winnow, "dev", granted=False, at=old + timedelta(days=1))  # of two at once, refusing
    assert lacking(winnow, "ann", "dev") == ["ann", "dev"]


def test_conflicting_words_for_ids_of_one_person_in_one_call(winnow, clock):
    """The latest counts for all, whatever the order; of two at once, refusing."""
    hours = timedelta(hours=1)
    said = (("dev", True, 3), ("ann", False, 2), ("tab", False, 3))
    for turn, order in enumerate(permutations(said)):
        for device in ("dev", "tab"):
            winnow.identifier.identify(f"{device}{turn}", f"ann{turn}", trusted=False)
        words = [
            ConsentWord(unit_id=f"{unit}{turn}", granted=granted, at=clock() - 4 * hours + after * hours)
            for unit, granted, after in order
        ]
        winnow.consents.say_many(words, by="test")
        ids = [f"{unit}{turn}" for unit in ("ann", "dev", "tab")]
        assert lacking(winnow, *ids) == ids
        later = [
            ConsentWord(unit_id=ids[1], granted=True, at=clock() - timedelta(minutes=1)),
            ConsentWord(unit_id=ids[0], granted=False, at=clock() - timedelta(minutes=2)),
        ]
        winnow.consents.say_many(later, by="test")
        assert lacking(winnow, *ids) == []


def test_what_was_granted_before_an_erasure_is_nobodys_though_it_arrives_later(open_unit_of_work, clock):
    """Of who was never heard of before, too."""
    made = build(Settings(consent=ConsentMode.REQUIRED), open_unit_of_work=open_unit_of_work, clock=clock)
    before = clock()
    clock.advance(seconds=10)
    made.eraser.erase("ann", actor="test")
    say(made, "ann", granted=True, at=before)
    assert lacking(made, "ann") == ["ann"]
    say(made, "ann", granted=True, at=clock() + timedelta(microseconds=1))
    assert lacking(made, "ann") == []


@pytest.mark.parametrize("refuser", ["dev", "ann"])
def test_who_refuses_is_joined_to_nobody(winnow, refuser):
    say(winnow, refuser, granted=False)
    with pytest.raises(NoConsent):
        winnow.identifier.identify("dev", "ann", trusted=True)
    with winnow.open_unit_of_work(read_only=True) as work:
        assert work.identities.some(["dev", "ann"]) == {}


def test_who_refuses_afterwards_is_told_nothing_of_who_they_are(winnow):
    winnow.identifier.identify("dev", "ann", trusted=True)
    say(winnow, "ann", granted=False)
    for _ in range(2):
        with pytest.raises(NoConsent):
            winnow.identifier.identify("dev", "ann", trusted=True)
    with pytest.raises(Taken):  # as before: nothing is learnt from it of consent
        winnow.identifier.identify("dev", "bob", trusted=True)
    say(winnow, "dev", granted=True)
    assert winnow.identifier.identify("dev", "ann", trusted=True).bucketed_by == "anonymous_id"


def test_refusing_and_joining_at_once_leave_no_id_behind(winnow, at_once):
    """Whichever comes first: no id of a person stays that may be stored while another one refuses."""
    for turn in range(10):
        device, person = f"dev{turn}", f"ann{turn}"

        def act(what: str, device: str = device, person: str = person) -> None:
            if what == "refuse":
                say(winnow, person, granted=False)
                return
            with contextlib.suppress(NoConsent):
                winnow.identifier.identify(device, person, trusted=False)

        at_once(act, ["refuse", "join"])
        with winnow.open_unit_of_work(read_only=True) as work:
            ids = {person, *(one.unit_id for one in work.identities.of_person(person))}
        assert set(lacking(winnow, *ids)) == ids
