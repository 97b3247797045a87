"""Consent where a person has several ids: what one of them says all say, and who refuses is joined to nobody."""

from __future__ import annotations

import contextlib

import pytest

from experiments.bootstrap import Winnow, build
from experiments.domain.errors import NoConsent
from experiments.services.consents import ConsentWord
from experiments.settings import Settings
from tests.conftest import FakeClock


@pytest.fixture
def winnow(open_unit_of_work, clock: FakeClock) -> Winnow:
    made = build(Settings(), open_unit_of_work=open_unit_of_work, clock=clock)
    made.catalog.refresh()
    return made


def say(winnow: Winnow, unit_id: str, granted: bool) -> None:
    winnow.consents.say(ConsentWord(unit_id=unit_id, granted=granted), by="test")


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


@pytest.mark.parametrize("refuser", ["dev", "ann"])
def test_who_refuses_is_joined_to_nobody(winnow, refuser):
    say(winnow, refuser, granted=False)
    with pytest.raises(NoConsent):
        winnow.identifier.identify("dev", "ann", trusted=True)
    with winnow.open_unit_of_work(read_only=True) as work:
        assert work.identities.some(["dev", "ann"]) == {}


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
