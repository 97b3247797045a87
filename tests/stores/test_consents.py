"""Consent in all stores: kept by digest, and what arrives of who refuses is dropped on its way in."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from experiments.bootstrap import build
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.consent import ConsentMode, ConsentState, first_word
from experiments.domain.erasure import unit_digest
from experiments.domain.errors import NoConsent
from experiments.domain.source import Source, SourceKind
from experiments.services.consent import picture as consent_picture
from experiments.services.consent.cache import ConsentCache
from experiments.services.consent.consents import Consents, ConsentWord
from experiments.services.forgetting.erase import Eraser
from experiments.services.ports import OpenUnitOfWork
from experiments.services.profiles.profiles import ProfileChange
from experiments.services.recording.lines import to_lines
from experiments.services.recording.ports import Watermark
from experiments.settings import Settings
from tests.conftest import FakeClock

SECOND = timedelta(seconds=1)


@pytest.fixture
def consents(open_unit_of_work: OpenUnitOfWork, clock: FakeClock) -> Consents:
    return Consents(open_unit_of_work, clock, lambda: None)


def say(consents: Consents, unit_id: str, granted: bool, at: datetime | None = None) -> None:
    consents.say(ConsentWord(unit_id=unit_id, granted=granted, at=at), by="test")


def requiring(opened: OpenUnitOfWork) -> OpenUnitOfWork:
    """The same database, for a process that is set to `required`."""
    return build(Settings(consent=ConsentMode.REQUIRED), open_unit_of_work=opened).open_unit_of_work


def stored(opened: OpenUnitOfWork, now: datetime) -> list[str]:
    with opened(read_only=True) as work:
        mark = Watermark(exposure_id=99, event_id=99, at=now)
        shown = [row[0] for batch in work.log.exposures("checkout", mark) for row in batch]
        happened = [row[1] for row in work.log.named(["purchase"], above=0, upto=99, most=99)]
    assert sorted(shown) == sorted(happened), "exposures and events are treated alike"
    return sorted(shown)


@pytest.fixture
def arrive(event: Callable, exposure: Callable) -> Callable[..., None]:
    """An exposure and an event of each unit are taken into the log, one way or the other."""

    def taken(opened: OpenUnitOfWork, way: str, units: list[str], received_at: datetime, part: str) -> None:
        happened = [event(f"{part}-{way}-e-{unit}", unit) for unit in units]
        shown = [exposure(f"{part}-{way}-x-{unit}", unit) for unit in units]
        with opened() as work:
            if way == "load":
                work.log.load(to_lines(happened, shown, received_at=received_at))
            else:
                work.log.append_exposures(shown, received_at=received_at)
                work.log.append_events(happened, received_at=received_at)
            work.commit()

    return taken


@pytest.mark.parametrize("way", ["load", "append"])
def test_of_who_refuses_nothing_gets_in_whenever_it_was_received(
    *, open_unit_of_work, consents, clock, arrive, way
) -> None:
    before = clock() - SECOND
    say(consents, "u1", granted=False)
    say(consents, "u3", granted=True)
    for part, received_at in (("waited", before), ("then", clock()), ("unaware", clock() + SECOND)):
        arrive(open_unit_of_work, way, ["u1", "u2", "u3"], received_at, part)
    assert stored(open_unit_of_work, clock()) == ["u2"] * 3 + ["u3"] * 3


@pytest.mark.parametrize("way", ["load", "append"])
def test_a_grant_lets_in_what_is_received_from_then_on(*, open_unit_of_work, consents, clock, arrive, way) -> None:
    say(consents, "u1", granted=False)
    clock.advance(seconds=10)
    say(consents, "u1", granted=True)
    arrive(open_unit_of_work, way, ["u1"], clock() - SECOND, "waited")
    assert stored(open_unit_of_work, clock()) == []
    arrive(open_unit_of_work, way, ["u1"], clock(), "then")
    assert stored(open_unit_of_work, clock()) == ["u1"]


@pytest.mark.parametrize("way", ["load", "append"])
def test_where_it_is_required_only_who_granted_gets_in_and_not_with_what_was_before(
    *, open_unit_of_work, consents, clock, arrive, way
) -> None:
    strict = requiring(open_unit_of_work)
    say(consents, "granted", granted=True)
    say(consents, "refused", granted=False)
    units = ["granted", "refused", "silent"]
    arrive(strict, way, units, clock() - SECOND, "before")
    assert stored(strict, clock()) == []
    arrive(strict, way, units, clock(), "then")
    assert stored(strict, clock()) == ["granted"]


def test_many_units_are_told_apart(*, open_unit_of_work, consents, clock, arrive) -> None:
    """More than one statement may name."""
    units = [f"u{number}" for number in range(40)]
    words = [ConsentWord(unit_id=unit, granted=False) for unit in units[::2]]
    consents.say_many(words, by="test")
    arrive(open_unit_of_work, "load", units, clock(), "many")
    assert stored(open_unit_of_work, clock()) == sorted(units[1::2])


def test_what_was_rolled_back_was_never_said(*, open_unit_of_work, consents, clock, arrive) -> None:
    arrive(open_unit_of_work, "load", ["u3"], clock(), "first")
    with open_unit_of_work() as work:
        digest = unit_digest(work.erasures.salt(), "u1")
        work.consents.to_change([digest])
        work.consents.put([first_word(digest, granted=False, at=clock(), by="test")])
        assert work.consents.lacking(["u1", "u2"]) == {"u1"}
    say(consents, "u2", granted=False)
    arrive(open_unit_of_work, "load", ["u1", "u2"], clock(), "second")
    assert stored(open_unit_of_work, clock()) == ["u1", "u3"]


def test_digests_alone_are_kept_with_when_and_by_whom(open_unit_of_work, consents, clock) -> None:
    then = clock()
    say(consents, "u1", granted=False)
    clock.advance(hours=1)
    say(consents, "u1", granted=False)
    with open_unit_of_work(read_only=True) as work:
        digest = unit_digest(work.erasures.salt(), "u1")
        said = work.consents.get(digest)
        assert work.consents.get("u1") is None
        assert work.consents.some([digest, "u1"]) == {digest: said}
    assert said is not None
    assert (said.state, said.since, said.said_at, said.said_by) == (ConsentState.REFUSED, then, clock(), "test")
    view = consents.get("u1")
    assert (view.said, view.is_stored, view.mode) == (said, False, ConsentMode.ASSUMED)
    silent = consents.get("u2")
    assert (silent.said, silent.is_stored) == (None, True)


def test_changes_are_followed_and_all_is_read_where_there_are_many(open_unit_of_work, consents) -> None:
    cache = ConsentCache(open_unit_of_work, ConsentMode.ASSUMED)
    cache.follow()
    assert cache.is_asked is False
    with open_unit_of_work(read_only=True) as work:
        revision = work.profiles.revision()
    say(consents, "u1", granted=False)
    say(consents, "u2", granted=True)
    assert cache.lacks("u1") is False, "another process has not heard of it"
    cache.follow()
    assert [cache.lacks(unit) for unit in ("u1", "u2", "u3")] == [True, False, False]
    say(consents, "u1", granted=True)
    cache.follow()
    assert (cache.lacks("u1"), cache.is_asked) == (False, False)
    with open_unit_of_work(read_only=True) as work:
        digests = {unit: unit_digest(work.erasures.salt(), unit) for unit in ("u1", "u2")}
        changes = work.consents.changed_since(revision, most=2)
        assert {one.unit_digest for one in changes.said or ()} == set(digests.values())
        assert work.consents.changed_since(revision, most=1).said is None
        assert work.consents.changed_since(changes.revision, most=9).said == ()
        assert [digest for batch in work.consents.exceptions() for digest in batch] == []
    with requiring(open_unit_of_work)(read_only=True) as work:
        assert {digest for batch in work.consents.exceptions() for digest in batch} == set(digests.values())


@pytest.mark.parametrize("mode", list(ConsentMode))
def test_a_picture_that_is_followed_and_one_that_is_read_anew_say_the_same(
    open_unit_of_work, consents, clock, monkeypatch, mode
) -> None:
    monkeypatch.setattr(consent_picture, "MOST_FOLLOWED", 4)
    draw, truth = random.Random(7), dict[str, bool]()
    opened = requiring(open_unit_of_work) if mode is ConsentMode.REQUIRED else open_unit_of_work
    followed = ConsentCache(opened, mode)
    for batch in (2, 1, 3, 6, 1, 2):
        words = [ConsentWord(unit_id=f"u{draw.randrange(12)}", granted=draw.random() < 0.5) for _ in range(batch)]
        consents.say_many(words, by="test")
        truth |= {word.unit_id: word.granted for word in words}
        followed.follow()
        anew = ConsentCache(opened, mode)
        for unit_id in (f"u{number}" for number in range(12)):
            lacks = not truth.get(unit_id, mode is ConsentMode.ASSUMED)
            assert (followed.lacks(unit_id), anew.lacks(unit_id)) == (lacks, lacks)


def test_a_refusal_waits_for_who_is_storing_and_nothing_slips_in_after_it(
    open_unit_of_work, consents, clock, exposure
) -> None:
    with open_unit_of_work() as work:
        work.log.append_exposures([exposure("x1", "u1")], received_at=clock())
        thread = threading.Thread(target=say, args=[consents, "u1", False])
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        work.commit()
    thread.join(10)
    with open_unit_of_work() as work:
        work.log.append_exposures([exposure("x2", "u1")], received_at=clock())
        work.commit()
    with open_unit_of_work(read_only=True) as work:
        mark = Watermark(exposure_id=99, event_id=99, at=clock())
        assert work.log.counts("checkout", ["purchase"], mark) == (1, 0)


def test_a_profile_is_not_written_past_a_refusal(open_unit_of_work, consents, clock) -> None:
    """A source has begun to write when the refusal comes: one of them waits for the other."""
    winnow = build(Settings(), open_unit_of_work=open_unit_of_work, clock=clock)
    with open_unit_of_work() as work:
        work.sources.add(Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=1), now=clock())
        work.attributes.add(Attribute(key="city", name="City", type=AttributeType.TEXT), now=clock())
        work.commit()
    with open_unit_of_work() as work:
        digest = unit_digest(work.erasures.salt(), "u1")
        work.consents.to_change([digest])
        errors: list[Exception] = []

        def patch() -> None:
            try:
                winnow.profiles.patch(ProfileChange(unit_id="u1", source="crm", attributes={"city": "Bonn"}))
            except NoConsent as error:
                errors.append(error)

        thread = threading.Thread(target=patch)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        work.consents.put([first_word(digest, granted=False, at=clock(), by="test")])
        work.commit()
    thread.join(10)
    assert [error.code for error in errors] == ["no_consent"]
    with open_unit_of_work(read_only=True) as work:
        assert work.profiles.get("u1") is None


def test_erasing_leaves_a_refusal_and_takes_a_grant(open_unit_of_work, consents, clock, arrive) -> None:
    strict = requiring(open_unit_of_work)
    cache = ConsentCache(strict, ConsentMode.REQUIRED)
    for unit, granted in (("u1", False), ("u2", True)):
        say(consents, unit, granted=granted)
    cache.follow()
    assert (cache.lacks("u1"), cache.lacks("u2")) == (True, False)
    for unit in ("u1", "u2", "u3"):
        Eraser(open_unit_of_work, clock, lambda units: None, None).erase(unit, actor="test")
    cache.follow()
    assert (cache.lacks("u1"), cache.lacks("u2")) == (True, True)
    clock.advance(seconds=1)
    assert [consents.get(unit).is_stored for unit in ("u1", "u2", "u3")] == [False, True, True]
    arrive(open_unit_of_work, "append", ["u1", "u2", "u3"], clock(), "later")
    assert stored(open_unit_of_work, clock()) == ["u2", "u3"]
