"""Ids of one person: whose bucket stays, what is claimed by which id, and who is counted as one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from experiments.bootstrap import Winnow, build
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.definition import ExposurePolicy
from experiments.domain.errors import InvalidInput, Taken
from experiments.domain.event import Event, ExposureClaim
from experiments.domain.identity import MAX_IDS, BucketedBy, Identity, join
from experiments.domain.source import Source, SourceKind
from experiments.services.analysing.analyse import Analyst
from experiments.services.assigning.assign import Unit
from experiments.services.assigning.bulk import assign_chunk, compile_bulk
from experiments.services.authoring.wishes import ExperimentWish
from experiments.services.profiles.profiles import ProfileChange
from experiments.settings import Settings
from tests.conftest import FakeClock
from tests.golden.reference import bucket
from tests.unit.builders import NOW

Start = Callable[..., Winnow]


def row(unit_id: str, person_id: str, bucketed_as: str) -> Identity:
    return Identity(unit_id=unit_id, person_id=person_id, bucketed_as=bucketed_as, linked_at=NOW)


def shown(unit_id: str) -> str:
    """The variant of a fifty-fifty split with the salt `banner`, from the second implementation."""
    return "a" if bucket("banner/variant", unit_id) < 5_000 else "b"


def ids_of(variant: str, prefix: str, count: int = 1) -> list[str]:
    return [name for name in (f"{prefix}{n}" for n in range(1_000)) if shown(name) == variant][:count]


A_ID, A_OTHER = ids_of("a", "device-", 2)
B_ID, B_OTHER = ids_of("b", "device-", 2)
A_PERSON, B_PERSON = ids_of("a", "customer-")[0], ids_of("b", "customer-")[0]


@pytest.fixture
def start(winnow: Winnow, wish: ExperimentWish) -> Start:
    def begin(**changes: object) -> Winnow:
        winnow.author.create(replace(wish, **changes), actor="ann")  # type: ignore[arg-type]
        winnow.author.step("banner", "start", actor="ann")
        return winnow

    return begin


def claim(unit_id: str, variant: str, **changes: object) -> ExposureClaim:
    parts: dict[str, object] = {
        "event_id": f"x-{unit_id}-{variant}",
        "unit_id": unit_id,
        "experiment": "banner",
        "version": 1,
        "segment": "everyone",
        "variant": variant,
        "occurred_at": NOW,
    }
    return ExposureClaim(**{**parts, **changes})  # type: ignore[arg-type]


def expose(winnow: Winnow, *claims: ExposureClaim) -> list[tuple[str, str | None]]:
    return [(verdict.status.value, verdict.code) for verdict in winnow.recorder.record(claims)]


def sees(winnow: Winnow, unit_id: str, **attributes: object) -> str:
    return winnow.assigner.assign([Unit(unit_id=unit_id, attributes=attributes)], "banner")[0][0].variant


def test_the_first_device_of_an_unexposed_person_lends_its_bucket() -> None:
    rows = join("dev", "ann", (), is_bucketed=False, now=NOW)
    assert rows == (row("ann", "ann", "dev"), row("dev", "ann", "dev"))


def test_who_is_bucketed_already_keeps_the_own_bucket_and_later_devices_take_what_there_is() -> None:
    rows = join("dev", "ann", (), is_bucketed=True, now=NOW)
    assert rows == (row("ann", "ann", "ann"), row("dev", "ann", "ann"))
    assert join("tab", "ann", rows, is_bucketed=False, now=NOW) == (row("tab", "ann", "ann"),)


def test_joining_again_changes_nothing() -> None:
    rows = join("dev", "ann", (), is_bucketed=False, now=NOW)
    assert join("dev", "ann", rows, is_bucketed=True, now=NOW) == ()


FULL = (row("ann", "ann", "d0"), *(row(f"d{n}", "ann", "d0") for n in range(MAX_IDS - 1)))


@pytest.mark.parametrize(
    ("anonymous_id", "unit_id", "known", "code", "path"),
    [
        ("dev", "bob", (row("dev", "ann", "dev"),), "identity_taken", "/anonymous_id"),
        ("ann", "bob", (row("ann", "ann", "dev"),), "identity_chain", "/anonymous_id"),
        ("dev", "tab", (row("tab", "ann", "tab"),), "identity_chain", "/unit_id"),
        ("ann", "dev", (row("ann", "ann", "dev"), row("dev", "ann", "dev")), "identity_chain", "/anonymous_id"),
        ("dev", "ann", FULL, "identity_full", "/unit_id"),
    ],
    ids=["another's", "a person joined to another", "joined to an alias", "a cycle", "too many"],
)
def test_what_is_refused(anonymous_id: str, unit_id: str, known: tuple[Identity, ...], code: str, path: str) -> None:
    with pytest.raises(Taken) as refused:
        join(anonymous_id, unit_id, known, is_bucketed=False, now=NOW)
    assert (refused.value.code, refused.value.path) == (code, path)


def test_the_last_place_is_a_place() -> None:
    assert len(join("dev", "ann", FULL[:-1], is_bucketed=False, now=NOW)) == 1


def test_an_id_is_not_joined_to_itself(winnow: Winnow) -> None:
    with pytest.raises(InvalidInput, match="same one"):
        winnow.identifier.identify("ann", "ann", trusted=True)


def test_what_the_visitor_saw_stays_on_every_device(start: Start) -> None:
    winnow = start()
    assert (sees(winnow, B_ID), sees(winnow, A_PERSON), sees(winnow, A_OTHER)) == ("b", "a", "a")
    joined = winnow.identifier.identify(B_ID, A_PERSON, trusted=False)
    assert joined.bucketed_by is BucketedBy.ANONYMOUS_ID
    assert winnow.identifier.identify(A_OTHER, A_PERSON, trusted=False).bucketed_by is BucketedBy.ANOTHER_ID
    assert [sees(winnow, one) for one in (B_ID, A_PERSON, A_OTHER)] == ["b"] * 3
    assert winnow.identifier.identify(B_ID, A_PERSON, trusted=False) == joined
    together = winnow.assigner.assign([Unit(unit_id=one, attributes={}) for one in (A_OTHER, A_PERSON, A_ID)], "banner")
    assert [answer[0].variant for answer in together] == ["b", "b", "a"]


def test_who_was_exposed_keeps_its_variant_and_the_device_takes_it(start: Start) -> None:
    winnow = start()
    assert expose(winnow, claim(A_PERSON, "a")) == [("accepted", None)]
    assert winnow.identifier.identify(B_ID, A_PERSON, trusted=False).bucketed_by is BucketedBy.UNIT_ID
    assert [sees(winnow, one) for one in (B_ID, A_PERSON)] == ["a", "a"]


def test_what_was_seen_in_an_experiment_that_has_stopped_holds_nobody(start: Start) -> None:
    winnow = start()
    expose(winnow, claim(A_PERSON, "a"))
    winnow.author.step("banner", "stop", actor="ann")
    assert winnow.identifier.identify(B_ID, A_PERSON, trusted=False).bucketed_by is BucketedBy.ANONYMOUS_ID


def test_a_tester_stays_one_on_every_device(start: Start) -> None:
    winnow = start(forced={A_PERSON: "b"})
    assert winnow.identifier.identify(A_ID, A_PERSON, trusted=False).bucketed_by is BucketedBy.UNIT_ID
    assert sees(winnow, A_ID) == "b"


def test_an_exposure_is_right_by_the_own_id_and_by_the_persons_bucket(start: Start) -> None:
    winnow = start()
    assert expose(winnow, claim(A_PERSON, "b")) == [("rejected", "exposure_mismatch")]
    winnow.identifier.identify(B_ID, A_PERSON, trusted=False)
    winnow.identifier.identify(A_OTHER, A_PERSON, trusted=False)
    before = claim(A_OTHER, "a", occurred_at=NOW - timedelta(seconds=1))
    now = [claim(A_PERSON, "b"), claim(A_OTHER, "b"), claim(B_ID, "b")]
    assert expose(winnow, before, *now) == [("accepted", None)] * 4
    assert expose(winnow, claim(B_ID, "a"), claim(A_ID, "b")) == [("rejected", "exposure_mismatch")] * 2


def test_a_process_that_has_not_heard_of_it_looks_before_it_refuses(start: Start) -> None:
    winnow = start()
    other = build(Settings(), open_unit_of_work=winnow.open_unit_of_work, clock=winnow.clock)
    other.catalog.refresh()
    other.identifier.identify(A_ID, B_PERSON, trusted=True)  # somebody, so that there are identities at all
    assert (sees(winnow, A_PERSON), sees(other, A_PERSON)) == ("a", "a")
    winnow.identifier.identify(B_ID, A_PERSON, trusted=True)
    assert sees(other, A_PERSON) == "a"  # remembered, for up to a second
    assert expose(other, claim(A_PERSON, "b")) == [("accepted", None)]
    assert sees(other, A_PERSON) == "b"


def test_others_learn_by_following(start: Start) -> None:
    winnow = start()
    other = build(Settings(), open_unit_of_work=winnow.open_unit_of_work, clock=winnow.clock)
    other.catalog.refresh()
    assert sees(other, A_PERSON) == "a"
    assert not other.caches.identities.active
    winnow.identifier.identify(B_ID, A_PERSON, trusted=True)
    other.caches.identities.follow()
    assert (other.caches.identities.active, sees(other, A_PERSON)) == (True, "b")
    winnow.eraser.erase(B_ID, actor="test")
    assert sees(winnow, A_PERSON) == "a"
    other.caches.identities.follow()
    assert sees(other, A_PERSON) == "a"


def test_the_profile_is_the_persons_on_every_device(start: Start) -> None:
    winnow = start()
    winnow.author.sources.create(Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=1), actor="ann")
    winnow.author.attributes.create(Attribute(key="mens", name="Men's", type=AttributeType.NUMBER), actor="ann")
    winnow.catalog.refresh()
    winnow.profiles.patch(ProfileChange(unit_id=A_PERSON, source="crm", attributes={"mens": 1}))
    answer = winnow.assigner.assign([Unit(unit_id=B_ID, attributes={})], "banner")[0][0]
    assert answer.segment == "new"
    winnow.identifier.identify(B_ID, A_PERSON, trusted=False)
    for together in ([B_ID], [A_ID, B_ID, A_PERSON]):
        answers = winnow.assigner.assign([Unit(unit_id=one, attributes={}) for one in together], "banner")
        assert {one: given[0].segment for one, given in zip(together, answers, strict=True)}[B_ID] == "mens"
    with pytest.raises(Taken) as refused:
        winnow.identifier.identify(A_PERSON, "somebody", trusted=False)
    assert refused.value.code == "identity_chain"


@pytest.mark.parametrize(
    ("kind", "refused"), [(SourceKind.FIRST_PARTY, True), (SourceKind.THIRD_PARTY, False), (SourceKind.OWN, False)]
)
def test_a_key_for_browsers_joins_no_id_that_the_house_knows(start: Start, kind: SourceKind, refused: bool) -> None:
    winnow = start()
    winnow.author.sources.create(Source(key="s", name="S", kind=kind, precedence=1), actor="ann")
    winnow.author.attributes.create(Attribute(key="city", name="City", type=AttributeType.TEXT), actor="ann")
    winnow.profiles.patch(ProfileChange(unit_id="victim", source="s", attributes={"city": "Bonn"}))
    if refused:
        with pytest.raises(Taken) as found:
            winnow.identifier.identify("victim", "attacker", trusted=False)
        assert found.value.code == "anonymous_id_known"
    joined = winnow.identifier.identify("victim", "attacker", trusted=refused)
    assert joined.bucketed_by is BucketedBy.ANONYMOUS_ID


@pytest.mark.parametrize(
    ("anonymous_id", "unit_id", "code"),
    [
        ("dev-1", "customer-1", None),
        ("web-1", "customer-1", None),
        ("customer-2", "customer-1", "not_anonymous"),
        ("Dev-1", "customer-1", "not_anonymous"),
        ("dev-1", "dev-2", "is_anonymous"),
    ],
)
def test_where_ids_of_visitors_begin_alike_keys_for_browsers_join_no_others(
    winnow: Winnow, anonymous_id: str, unit_id: str, code: str | None
) -> None:
    settings = Settings.from_environment({"WINNOW_ANONYMOUS_PREFIXES": "dev-, web-"})
    made = build(settings, open_unit_of_work=winnow.open_unit_of_work, clock=winnow.clock)
    made.catalog.refresh()
    if code is not None:
        with pytest.raises(InvalidInput) as refused:
            made.identifier.identify(anonymous_id, unit_id, trusted=False)
        assert refused.value.code == code
    joined = made.identifier.identify(anonymous_id, unit_id, trusted=code is not None)
    assert joined.bucketed_by is BucketedBy.ANONYMOUS_ID


def test_lists_say_what_the_api_says(start: Start) -> None:
    winnow = start()
    winnow.identifier.identify(B_ID, A_PERSON, trusted=True)
    entry = winnow.catalog.current.live["banner"]
    plan, ids = compile_bulk(entry.experiment, entry.layer), [A_PERSON, B_ID, A_ID, B_OTHER]
    found = assign_chunk(plan, winnow.assigner.bucketed(ids), {})
    assert (
        [plan.answers[place].variant for place in found] == [sees(winnow, one) for one in ids] == ["b", "b", "a", "b"]
    )


def arms(report: dict, metric: int = 0) -> dict[str, tuple[int, float]]:
    scope = next(one for one in report["segments"] if one["segment"] == "everyone")
    return {arm["variant"]: (arm["units"], arm["total"]) for arm in scope["metrics"][metric]["arms"]}


def test_persons_are_counted_once_and_contradictions_left_out(start: Start, clock: FakeClock) -> None:
    """Against sets in the test: who saw what, by person, and who visited, by person, after first being shown."""
    winnow = start()
    rng = np.random.default_rng(5)
    people = [f"p{n}" for n in range(60)]
    devices = {person: [f"{person}-d{n}" for n in range(int(rng.integers(0, 3)))] for person in people}
    by_person: dict[str, set[str]] = {}
    for person in people:  # each device on its own first, as a visitor nobody knows
        for device in devices[person]:
            assert expose(winnow, claim(device, shown(device))) == [("accepted", None)]
            by_person.setdefault(person, set()).add(shown(device))
    clock.advance(minutes=1)
    for person in people:
        for device in devices[person]:
            winnow.identifier.identify(device, person, trusted=False)
        variant = sees(winnow, person)
        assert expose(winnow, claim(person, variant, occurred_at=clock())) == [("accepted", None)]
        by_person.setdefault(person, set()).add(variant)
    clock.advance(hours=1)
    visitors = [person for person in people if rng.random() < 0.4]
    for person in visitors:
        device = ([person, *devices[person]])[int(rng.integers(0, 1 + len(devices[person])))]
        winnow.recorder.record(
            [Event(event_id=f"v-{person}", unit_id=device, name="visit", occurred_at=clock(), value=None)]
        )
    clock.advance(days=1)
    analyst = Analyst(winnow.open_unit_of_work, clock)
    snapshot = analyst.analyse("banner")
    once = {person: next(iter(seen)) for person, seen in by_person.items() if len(seen) == 1}
    expected = {
        variant: (
            sum(one == variant for one in once.values()),
            float(sum(once.get(person) == variant for person in visitors)),
        )
        for variant in ("a", "b")
    }
    mixed = len(by_person) - len(once)
    assert mixed > 3
    assert arms(snapshot.report) == expected
    assert (snapshot.report["units"], snapshot.report["units_mixed"]) == (len(once), mixed)
    joined = [person for person in people if devices[person]]
    assert snapshot.supplement["identities"] == {
        "persons": len(joined),
        "several_ids_exposed": len(joined),
        "contradictions": mixed,
    }
    assert analyst.verify("banner").identical


def test_an_id_that_saw_two_variants_by_itself_is_no_contradiction_of_ids(start: Start, clock: FakeClock) -> None:
    winnow = start()
    winnow.identifier.identify(B_ID, A_PERSON, trusted=True)
    expose(winnow, claim(A_PERSON, "a"), claim(A_PERSON, "b"))
    supplement = Analyst(winnow.open_unit_of_work, clock).analyse("banner").supplement
    assert supplement["identities"] == {"persons": 1, "several_ids_exposed": 0, "contradictions": 0}


def test_who_is_joined_later_changes_no_snapshot_of_before(start: Start, clock: FakeClock) -> None:
    winnow = start()
    expose(winnow, claim(A_ID, "a"), claim(B_ID, "b"), claim(A_OTHER, "a"))
    analyst = Analyst(winnow.open_unit_of_work, clock)
    winnow.identifier.identify(A_OTHER, A_PERSON, trusted=True)
    first = analyst.analyse("banner")
    winnow.identifier.identify(A_ID, B_PERSON, trusted=True)
    winnow.identifier.identify(B_ID, B_PERSON, trusted=True)  # at the very instant of the watermark
    verified = analyst.verify("banner")
    assert (verified.snapshot_id, verified.identical) == (first.id, True)
    second = analyst.analyse("banner")
    assert (first.report["units"], first.report["units_mixed"]) == (3, 0)
    assert (second.report["units"], second.report["units_mixed"]) == (1, 1)
    assert analyst.verify("banner").identical


def test_where_asking_is_showing_each_id_is_exposed_and_one_person_counted(start: Start, clock: FakeClock) -> None:
    winnow = start(exposure_policy=ExposurePolicy.ON_ASSIGNMENT)
    sees(winnow, B_ID, recency=12)
    winnow.identifier.identify(B_ID, A_PERSON, trusted=False)
    sees(winnow, A_PERSON, recency=12)
    report = Analyst(winnow.open_unit_of_work, clock).analyse("banner").report
    assert (arms(report), report["units_mixed"]) == ({"a": (0, 0.0), "b": (1, 0.0)}, 0)
