"""What the services do with a journal, and what they remember so that neither it nor the database is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.assignment import Assignment, Reason
from experiments.domain.definition import ExposurePolicy
from experiments.domain.errors import Unauthenticated, Unavailable
from experiments.domain.event import Channel, Event, Exposure, ItemStatus
from experiments.services import patient_reader
from experiments.services.assigning.assign import Assigner, Unit
from experiments.services.assigning.catalog import CatalogHolder
from experiments.services.assigning.implied import Implied, ImpliedExposures, implied_by
from experiments.services.authoring.wishes import ExperimentWish, SegmentWish
from experiments.services.identity.cache import IdentityCache
from experiments.services.keys import Keys
from experiments.services.recording.journal import DirectJournal
from experiments.services.recording.lines import ExposureValues, Lines, exposure_values, instant_of, rows_in
from experiments.services.recording.ports import Known
from experiments.services.recording.record import Recorder
from tests.conftest import FakeClock
from tests.unit.assigning.test_assign_and_record import claim, start
from tests.unit.builders import NOW


@dataclass
class Noted:
    """A journal that keeps what it was given, or refuses."""

    exposures: list[Exposure] = field(default_factory=list)
    calls: int = 0
    full: bool = False

    def append(self, events: Sequence[Event], exposures: Sequence[Exposure], *, received_at: datetime) -> Known:
        self.calls += 1
        if self.full:
            raise Unavailable("spool_full", "No room.")
        self.exposures += exposures
        return Known()

    def append_lines(self, lines: Lines) -> None:
        self.append([], [_exposure(values) for values in exposure_values(rows_in(lines.exposures))], received_at=NOW)


def _exposure(values: ExposureValues) -> Exposure:
    event_id, unit_id, experiment, version, epoch, segment, variant, forced, channel, occurred_at, received_at = values
    assert occurred_at == received_at
    return Exposure(
        event_id=event_id,
        unit_id=unit_id,
        experiment=experiment,
        version=version,
        epoch=epoch,
        segment=segment,
        variant=variant,
        forced=forced,
        channel=None if channel is None else Channel(channel),
        occurred_at=instant_of(occurred_at),
    )


def away(*, read_only: bool = False) -> Any:
    raise Unavailable("database_unavailable", "The database does not answer.")


@pytest.fixture
def noted() -> Noted:
    return Noted()


def shown(unit_id: str, **changes: Any) -> tuple[str, Implied]:
    parts = {"experiment": "banner", "version": 1, "epoch": 1, "segment": "everyone", "variant": "a"}
    content: Any = {}
    answer = Assignment(**{**parts, "content": content, "reason": Reason.ASSIGNED, **changes})
    return unit_id, implied_by(answer)


def test_asking_again_costs_the_journal_nothing(noted: Noted) -> None:
    implied = ImpliedExposures(noted)
    for _ in range(3):
        implied.store([shown("u1"), shown("u2"), shown("u1")], now=NOW)
    assert [one.unit_id for one in noted.exposures] == ["u1", "u2"]
    assert noted.calls == 1


def test_what_is_stored_says_all_of_the_answer(noted: Noted) -> None:
    implied = ImpliedExposures(noted)
    implied.store([shown("back\\slash", version=3, epoch=2, segment=None)], now=NOW, channel=Channel.APP)
    digest = hashlib.sha256(b"banner\x1f2\x1f\x1fa\x1fback\\slash").hexdigest()
    assert noted.exposures == [
        Exposure(
            event_id=f"assigned-{digest}",
            unit_id="back\\slash",
            experiment="banner",
            version=3,
            epoch=2,
            segment="",
            variant="a",
            occurred_at=NOW,
            channel=Channel.APP,
        )
    ]


@pytest.mark.parametrize("change", [{"epoch": 2}, {"segment": "mens"}, {"variant": "b"}, {"experiment": "offer"}])
def test_another_answer_is_another_exposure(noted: Noted, change: dict[str, Any]) -> None:
    implied = ImpliedExposures(noted)
    implied.store([shown("u1")], now=NOW)
    implied.store([shown("u1", **change)], now=NOW)
    assert len({one.event_id for one in noted.exposures}) == 2


def test_what_was_not_stored_is_not_remembered(noted: Noted) -> None:
    implied = ImpliedExposures(noted)
    noted.full = True
    with pytest.raises(Unavailable):
        implied.store([shown("u1")], now=NOW)
    noted.full = False
    implied.store([shown("u1")], now=NOW)
    assert [one.unit_id for one in noted.exposures] == ["u1"]


def test_memory_is_bounded_and_keeps_the_latest(noted: Noted) -> None:
    implied = ImpliedExposures(noted, remembered=10)
    for number in range(100):
        implied.store([shown(f"u{number}")], now=NOW)
    assert len(implied._recent) + len(implied._older) <= 20
    calls = noted.calls
    implied.store([shown(f"u{number}") for number in range(90, 100)], now=NOW)
    assert noted.calls == calls


def test_what_is_remembered_is_short_whatever_units_are_called(noted: Noted) -> None:
    implied = ImpliedExposures(noted)
    implied.store([shown("u" * 512), shown("u" * 511), shown("\x1f")], now=NOW)
    assert {len(key) for key in implied._recent} == {16}
    assert len(implied._recent) == 3


def test_an_assignment_waits_for_its_exposure(winnow: Winnow, wish: ExperimentWish, noted: Noted) -> None:
    start(winnow, replace(wish, exposure_policy=ExposurePolicy.ON_ASSIGNMENT))
    assigner = Assigner(winnow.sight, ImpliedExposures(noted), winnow.clock, winnow.caches)
    noted.full = True
    with pytest.raises(Unavailable):
        assigner.assign([Unit(unit_id="u1", attributes={})])
    noted.full = False
    assigner.assign([Unit(unit_id="u1", attributes={})])
    assert [(one.unit_id, one.experiment, one.occurred_at) for one in noted.exposures] == [("u1", "banner", NOW)]


def edited(winnow: Winnow, wish: ExperimentWish) -> None:
    """A running experiment with two versions, in two epochs."""
    start(winnow, wish)
    wanted = (SegmentWish(segment="everyone", weights={"a": 1, "b": 9}),)
    winnow.author.edit("banner", replace(wish, segments=wanted), expected_revision=2, actor="ann")


def test_claims_of_all_versions_are_checked_without_the_database(
    winnow: Winnow, wish: ExperimentWish, noted: Noted
) -> None:
    """By a process that starts after the versions were made, and has read the catalog once."""
    edited(winnow, wish)
    catalog = CatalogHolder(winnow.open_unit_of_work)
    catalog.refresh()
    recorder = Recorder(catalog, away, noted, winnow.clock, replace(winnow.caches, identities=IdentityCache(away)))
    verdicts = recorder.record([claim("u1"), claim("u1", event_id="x2", version=1, variant="c")])
    assert [(one.status.value, one.code) for one in verdicts] == [("accepted", None), ("rejected", "variant_unknown")]
    assert [(one.version, one.epoch) for one in noted.exposures] == [(1, 1)]


@pytest.mark.parametrize("changes", [{"experiment": "new"}, {"version": 3}], ids=["experiment", "version"])
def test_what_memory_cannot_decide_is_unavailable_and_not_refused(
    winnow: Winnow, wish: ExperimentWish, noted: Noted, changes: dict[str, object]
) -> None:
    edited(winnow, wish)
    recorder = Recorder(
        winnow.catalog, away, noted, winnow.clock, replace(winnow.caches, identities=IdentityCache(away))
    )
    with pytest.raises(Unavailable):
        recorder.record([claim("u1"), claim("u2", **changes)])
    assert noted.exposures == []


def test_the_versions_in_memory_grow_with_the_experiment(
    winnow: Winnow, wish: ExperimentWish, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited(winnow, wish)
    held = winnow.catalog.versions
    assert [held.get("banner", number) is not None for number in (1, 2, 3)] == [True, True, False]
    winnow.author.step("banner", "pause", actor="ann")
    third = held.get("banner", 3)
    assert third is not None
    assert third.paused


def test_the_direct_journal_tells_what_was_there(winnow: Winnow, wish: ExperimentWish) -> None:
    journal = DirectJournal(winnow.open_unit_of_work)
    event = Event(event_id="e1", unit_id="u1", name="visit", occurred_at=NOW)
    assert journal.append([event], [], received_at=NOW) == Known()
    assert journal.append([event], [], received_at=NOW) == Known(events=frozenset({"e1"}))


def test_a_clock_that_steps_back_refuses_and_doubles_nothing(
    winnow: Winnow, wish: ExperimentWish, clock: FakeClock
) -> None:
    start(winnow, wish)
    clock.advance(hours=2)
    sent = Event(event_id="e1", unit_id="u1", name="visit", occurred_at=clock.now)
    assert winnow.recorder.record([sent])[0].status is ItemStatus.ACCEPTED
    clock.advance(hours=-1)
    again = winnow.recorder.record(
        [replace(sent, occurred_at=clock.now), replace(sent, event_id="e2", occurred_at=NOW)]
    )
    assert [one.status.value for one in again] == ["duplicate", "accepted"]


class Switched:
    """A database that can be away."""

    def __init__(self, winnow: Winnow) -> None:
        self._open = winnow.open_unit_of_work
        self.away = False

    def __call__(self, *, read_only: bool = False) -> Any:
        return away() if self.away else self._open(read_only=read_only)


def test_a_recognised_key_stays_so_while_the_database_is_away(winnow: Winnow, clock: FakeClock) -> None:
    switched = Switched(winnow)
    keys = Keys(switched, clock)
    known, unknown = (keys.create(name, frozenset({"ingest"}), actor="test").text for name in ("known", "unknown"))
    keys.authenticate(known)
    switched.away = True
    clock.advance(minutes=10)
    assert keys.authenticate(known).name == "known"
    with pytest.raises(Unavailable):
        keys.authenticate(unknown)
    with pytest.raises(Unauthenticated):
        keys.authenticate(known + "x")


def test_a_revoked_key_dies_when_the_database_is_back(
    winnow: Winnow, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patient_reader, "AWAY_SECONDS", 0.0)  # of the machine's clock, which nobody here sets
    switched = Switched(winnow)
    keys = Keys(switched, clock)
    key = keys.create("known", frozenset({"ingest"}), actor="test")
    keys.authenticate(key.text)
    winnow.keys.revoke(key.key.id, actor="test")
    switched.away = True
    clock.advance(minutes=10)
    keys.authenticate(key.text)
    switched.away = False
    clock.advance(seconds=6)
    with pytest.raises(Unauthenticated):
        keys.authenticate(key.text)


def test_a_clock_set_back_keeps_no_revoked_key_alive(winnow: Winnow, clock: FakeClock) -> None:
    keys = Keys(winnow.open_unit_of_work, clock)
    key = keys.create("known", frozenset({"ingest"}), actor="test")
    keys.authenticate(key.text)
    winnow.keys.revoke(key.key.id, actor="test")
    clock.advance(hours=-1)
    with pytest.raises(Unauthenticated):
        keys.authenticate(key.text)
