"""Snapshots, promotions, audit entries, API keys and leases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from experiments.domain.errors import AlreadyExists, InvalidInput, NotFound, RevisionMismatch
from experiments.domain.promotion import DECLINED_STATES, OPEN_STATES, PromotionState
from experiments.services.analysing.ports import Snapshot
from experiments.services.ports import ApiKey, AuditEntry
from experiments.storage.results.snapshot_store import numbered
from tests.stores.promotions import WAYS, evidence, promotion, step

NO_IDS = ["", "x", "-1", "1.0", " 1", "1 ", "٣", "9223372036854775808", "1e3", "1\x00"]


def _stored(open_unit_of_work, store, method, *values):
    with open_unit_of_work() as unit:
        results = [getattr(getattr(unit, store), method)(value) for value in values]
        unit.commit()
    return results


def test_a_snapshot_comes_back_equal(open_unit_of_work, snapshot):
    (added,) = _stored(open_unit_of_work, "snapshots", "add", snapshot())
    assert added == numbered(snapshot(), 1)
    with open_unit_of_work(read_only=True) as unit:
        found = unit.snapshots.get("checkout", 1)
        assert found == unit.snapshots.latest("checkout") == added
    assert isinstance(found, Snapshot)
    assert list(found.moments) == ["z", "a"]
    assert list(found.realised.items()) == list(snapshot().realised.items())


def test_what_live_winners_have_come_to_is_nothing_unless_told(open_unit_of_work, snapshot):
    told = {"p1": {"since_epoch": 2, "report": {"lift": 0.1}}}
    _stored(open_unit_of_work, "snapshots", "add", replace(snapshot(), realised={}), snapshot(realised=told))
    with open_unit_of_work(read_only=True) as unit:
        found = unit.snapshots.page("checkout", after=None, limit=5)
        assert unit.snapshots.get("checkout", 1).realised == {}
    assert [one.realised for one in found.items] == [told, {}]


def test_snapshots_newest_first(open_unit_of_work, snapshot):
    _stored(
        open_unit_of_work, "snapshots", "add", snapshot(), snapshot("other"), *(snapshot(version=n) for n in (5, 6, 7))
    )
    with open_unit_of_work(read_only=True) as unit:
        first = unit.snapshots.page("checkout", after=None, limit=3)
        second = unit.snapshots.page("checkout", after=first.next_after, limit=3)
        latest = unit.snapshots.latest("checkout")
    assert [(one.id, one.version) for one in first.items] == [(5, 7), (4, 6), (3, 5)]
    assert first.next_after == "3"
    assert ([one.id for one in second.items], second.next_after) == ([1], None)
    assert latest is not None
    assert latest.id == 5


def test_reports_alone_oldest_first_and_only_those_below(open_unit_of_work, snapshot):
    told = [snapshot(report={"n": n}) for n in (1, 2, 3)]
    _stored(open_unit_of_work, "snapshots", "add", told[0], snapshot("other"), *told[1:])
    with open_unit_of_work(read_only=True) as unit:
        assert list(unit.snapshots.reports("checkout")) == [{"n": 1}, {"n": 2}, {"n": 3}]
        assert list(unit.snapshots.reports("checkout", below=4)) == [{"n": 1}, {"n": 2}]
        assert list(unit.snapshots.reports("checkout", below=1)) == []
        assert list(unit.snapshots.reports("absent")) == []


@pytest.mark.parametrize(
    ("experiment", "number"), [("checkout", 2), ("other", 1), ("checkout", 2**63), ("checkout", -1)]
)
def test_an_absent_snapshot(open_unit_of_work, snapshot, experiment, number):
    _stored(open_unit_of_work, "snapshots", "add", snapshot())
    with open_unit_of_work(read_only=True) as unit:
        with pytest.raises(NotFound) as refusal:
            unit.snapshots.get(experiment, number)
        assert unit.snapshots.latest("absent") is None
    assert refusal.value.code == "snapshot_not_found"


@pytest.mark.parametrize("after", NO_IDS)
def test_what_was_never_an_id_is_no_cursor(open_unit_of_work, after):
    with open_unit_of_work(read_only=True) as unit:
        for page in (
            lambda: unit.snapshots.page("checkout", after=after, limit=5),
            lambda: unit.promotions.page(experiment=None, after=after, limit=5),
            lambda: unit.audit.page(subject=None, after=after, limit=5),
        ):
            with pytest.raises(InvalidInput) as refusal:
                page()
            assert (refusal.value.code, refusal.value.path) == ("cursor_invalid", "/cursor")


@pytest.mark.parametrize("name", ["report", "realised"])
def test_a_report_that_is_no_json_is_refused(open_unit_of_work, snapshot, name):
    with open_unit_of_work() as unit, pytest.raises(Exception, match="not JSON compliant"):
        unit.snapshots.add(snapshot(**{name: {"lift": float("nan")}}))


@pytest.mark.parametrize("state", PromotionState)
def test_a_promotion_comes_back_equal(open_unit_of_work, state):
    added = promotion("p1", state)
    assert added.state is state
    _stored(open_unit_of_work, "promotions", "add", added)
    with open_unit_of_work(read_only=True) as unit:
        found = unit.promotions.get("p1")
    assert found == added
    assert repr(found) == repr(added)
    assert found.evidence.sha256() == found.proposal.evidence_sha256


def _save(open_unit_of_work, after, expected_revision):
    with open_unit_of_work() as unit:
        unit.promotions.save(after, expected_revision=expected_revision)
        unit.commit()


def test_a_promotion_goes_step_by_step_to_its_end(open_unit_of_work, now):
    way = [*WAYS[PromotionState.HELD], PromotionState.KEPT, PromotionState.REVERTED]
    present = promotion()
    _stored(open_unit_of_work, "promotions", "add", present)
    for state in way:
        seen = evidence(snapshot_id=present.revision, live=None)
        after = present.step(step(state, at=now, evidence=seen, evidence_sha256=seen.sha256()))
        _save(open_unit_of_work, after, present.revision)
        with open_unit_of_work(read_only=True) as unit:
            present = unit.promotions.get("p1")
        assert present == after
        assert present.steps[-1].evidence.sha256() == present.steps[-1].evidence_sha256
    assert [one.state for one in present.steps] == [PromotionState.PROPOSED, *way]


@pytest.mark.parametrize("expected", [1, 3, 0, -1])
def test_a_step_from_another_revision_is_refused(open_unit_of_work, expected):
    approved = promotion("p1", PromotionState.APPROVED)
    _stored(open_unit_of_work, "promotions", "add", promotion("p0", segment="vip"), approved)
    with open_unit_of_work() as unit, pytest.raises(RevisionMismatch) as refusal:
        unit.promotions.save(approved.step(step(PromotionState.HELD)), expected_revision=expected)
    assert refusal.value.code == "revision_mismatch"
    with open_unit_of_work(read_only=True) as unit:
        assert unit.promotions.get("p1") == approved
        assert unit.promotions.get("p0").revision == 1


def test_absent_promotions(open_unit_of_work):
    _stored(open_unit_of_work, "promotions", "add", promotion("p0"))
    with open_unit_of_work() as unit:
        with pytest.raises(NotFound) as refusal:
            unit.promotions.get("p1")
        with pytest.raises(NotFound):
            unit.promotions.save(promotion("p1", PromotionState.APPROVED), expected_revision=1)
    assert refusal.value.code == "promotion_not_found"


@pytest.mark.parametrize("state", sorted(OPEN_STATES))
def test_a_segment_has_one_open_promotion(open_unit_of_work, state):
    _stored(open_unit_of_work, "promotions", "add", promotion("p1", state))
    for second in sorted(OPEN_STATES):
        with open_unit_of_work() as unit, pytest.raises(AlreadyExists) as refusal:
            unit.promotions.add(promotion("p2", second, variant="c"))
        assert refusal.value.code == "promotion_exists"
    elsewhere = [promotion("p3", segment="vip"), promotion("p4", experiment="other")]
    _stored(open_unit_of_work, "promotions", "add", *elsewhere)


def test_an_id_is_given_once(open_unit_of_work):
    _stored(open_unit_of_work, "promotions", "add", promotion("p1", PromotionState.REJECTED))
    with open_unit_of_work() as unit, pytest.raises(AlreadyExists):
        unit.promotions.add(promotion("p1", segment="vip"))


@pytest.mark.parametrize("state", sorted(set(PromotionState) - OPEN_STATES))
def test_ended_promotions_may_be_many_beside_an_open_one(open_unit_of_work, state):
    ended = [promotion("p1", state), promotion("p2", state), promotion("p3", state)]
    _stored(open_unit_of_work, "promotions", "add", ended[0], promotion("p4"), *ended[1:])
    with open_unit_of_work(read_only=True) as unit:
        found = unit.promotions.page(experiment="checkout", state=state, after=None, limit=9)
    assert [one.id for one in found.items] == ["p3", "p2", "p1"]


def test_the_place_is_free_as_soon_as_the_open_one_has_ended(open_unit_of_work):
    proposed = promotion("p1")
    _stored(open_unit_of_work, "promotions", "add", proposed)
    with open_unit_of_work() as unit:
        unit.promotions.save(proposed.step(step(PromotionState.EXPIRED)), expected_revision=1)
        unit.promotions.add(promotion("p2"))
        with pytest.raises(AlreadyExists):
            unit.promotions.add(promotion("p3"))
        unit.commit()
    with open_unit_of_work(read_only=True) as unit:
        assert [one.id for one in unit.promotions.standing("checkout")] == ["p2"]


def test_open_and_declined_promotions_stand_oldest_first(open_unit_of_work):
    states = list(PromotionState)
    every = [promotion(f"p{9 - number}", state, segment=state) for number, state in enumerate(states)]
    _stored(open_unit_of_work, "promotions", "add", promotion("other", experiment="other"), *every)
    with open_unit_of_work(read_only=True) as unit:
        found = unit.promotions.standing("checkout")
        assert unit.promotions.standing("absent") == ()
    assert found == tuple(one for one in every if one.state in OPEN_STATES | DECLINED_STATES)
    _save(open_unit_of_work, found[0].step(step(PromotionState.APPROVED)), 1)
    with open_unit_of_work(read_only=True) as unit:
        again = unit.promotions.standing("checkout")
    assert [one.id for one in again] == [one.id for one in found]
    assert again[0].state is PromotionState.APPROVED


def _ids(page):
    return [one.id for one in page.items], page.next_after


def test_promotions_newest_first(open_unit_of_work):
    _stored(
        open_unit_of_work,
        "promotions",
        "add",
        promotion("p9"),
        promotion("p1", experiment="other"),
        promotion("p5", PromotionState.REJECTED),
    )
    with open_unit_of_work(read_only=True) as unit:
        page = unit.promotions.page
        assert _ids(page(experiment=None, after=None, limit=2)) == (["p5", "p1"], "2")
        assert _ids(page(experiment=None, after="2", limit=2)) == (["p9"], None)
        assert _ids(page(experiment="checkout", after=None, limit=2)) == (["p5", "p9"], None)


def test_promotions_by_state_and_experiment(open_unit_of_work):
    waiting = [promotion(f"w{number}", segment=f"s{number}") for number in range(3)]
    others = [promotion("held", PromotionState.HELD, segment="s3"), promotion("elsewhere", experiment="other")]
    _stored(open_unit_of_work, "promotions", "add", waiting[0], *others, *waiting[1:])
    proposed = PromotionState.PROPOSED
    with open_unit_of_work(read_only=True) as unit:
        page = unit.promotions.page
        assert _ids(page(experiment="checkout", state=proposed, after=None, limit=2)) == (["w2", "w1"], "4")
        assert _ids(page(experiment="checkout", state=proposed, after="4", limit=2)) == (["w0"], None)
        assert _ids(page(experiment=None, state=proposed, after="4", limit=2)) == (["elsewhere", "w0"], None)
        assert _ids(page(experiment=None, state=PromotionState.HELD, after=None, limit=2)) == (["held"], None)
        assert _ids(page(experiment="other", state=PromotionState.HELD, after=None, limit=2)) == ([], None)
    _save(open_unit_of_work, waiting[2].step(step(PromotionState.REJECTED)), 1)
    with open_unit_of_work(read_only=True) as unit:
        after = unit.promotions.page(experiment="checkout", state=proposed, after=None, limit=9)
    assert _ids(after) == (["w1", "w0"], None)


def _entry(now, subject, **changes):
    entry = AuditEntry(at=now, actor="ada", action="start", subject=subject, detail={"b": [1], "a": "ü"})
    return replace(entry, **changes)


def test_audit_entries_newest_first(open_unit_of_work, now):
    entries = [_entry(now, "one"), _entry(now, "two", evidence_sha256="e" * 64), _entry(now, "one", action="stop")]
    _stored(open_unit_of_work, "audit", "append", *entries)
    with open_unit_of_work(read_only=True) as unit:
        first = unit.audit.page(subject=None, after=None, limit=2)
        second = unit.audit.page(subject=None, after=first.next_after, limit=2)
        of_one = unit.audit.page(subject="one", after=None, limit=2)
        of_none = unit.audit.page(subject="a\x00", after=None, limit=2)
    assert first.items == (replace(entries[2], id=3), replace(entries[1], id=2))
    assert (second.items, second.next_after) == ((replace(entries[0], id=1),), None)
    assert [entry.id for entry in of_one.items] == [3, 1]
    assert of_none.items == ()


def _key(key_id, now):
    return ApiKey(
        id=key_id,
        name="Shop",
        secret_sha256="a" * 64,
        scopes=frozenset({"write", "read"}),
        created_at=now,
        tags=frozenset({"web", "mail"}),
    )


def test_api_keys(open_unit_of_work, now):
    _stored(open_unit_of_work, "keys", "add", _key("k2", now), _key("k1", now))
    with open_unit_of_work() as unit:
        assert unit.keys.get("k1") == _key("k1", now)
        with pytest.raises(AlreadyExists) as refusal:
            unit.keys.add(_key("k1", now))
        first = unit.keys.page(after=None, limit=1)
        assert ([one.id for one in first.items], first.next_after) == (["k1"], "k1")
        assert [one.id for one in unit.keys.page(after="k1", limit=1).items] == ["k2"]
        for look in (unit.keys.get, lambda key_id: unit.keys.revoke(key_id, now=now)):
            with pytest.raises(NotFound):
                look("absent")
    assert refusal.value.code == "api_key_exists"


def test_a_key_is_revoked_once(open_unit_of_work, now):
    _stored(open_unit_of_work, "keys", "add", _key("k1", now))
    with open_unit_of_work() as unit:
        first = unit.keys.revoke("k1", now=now)
        again = unit.keys.revoke("k1", now=now + timedelta(days=1))
        unit.commit()
    assert first == again == replace(_key("k1", now), revoked_at=now)
    with open_unit_of_work(read_only=True) as unit:
        assert unit.keys.get("k1") == first


def test_a_lease_is_one_holders(open_unit_of_work, now):
    def acquire(holder, seconds, name="analyse"):
        at = now + timedelta(seconds=seconds)
        with open_unit_of_work() as unit:
            mine = unit.leases.acquire(name, holder=holder, now=at, ttl_seconds=10)
            unit.commit()
        return mine

    def release(holder):
        with open_unit_of_work() as unit:
            unit.leases.release("analyse", holder=holder)
            unit.commit()

    assert acquire("a", 0)
    assert not acquire("b", 9.999999)
    assert acquire("b", 0, name="other")
    assert acquire("a", 5)
    assert not acquire("b", 14)
    assert acquire("b", 15)
    release("a")
    assert not acquire("a", 16)
    release("b")
    assert acquire("a", 16)


def test_a_lease_of_a_clock_that_was_set_back_is_void(open_unit_of_work, now):
    """Clocks may be ten minutes apart: a lease of ten seconds may end ten minutes and ten seconds from now."""

    def acquire(holder, at):
        with open_unit_of_work() as unit:
            mine = unit.leases.acquire("analyse", holder=holder, now=at, ttl_seconds=10)
            unit.commit()
        return mine

    ahead = now + timedelta(hours=2)
    assert acquire("a", ahead)
    assert not acquire("b", ahead - timedelta(minutes=10))
    assert acquire("b", ahead - timedelta(minutes=10, microseconds=1))
    assert not acquire("c", ahead - timedelta(minutes=10))


def test_promotions_are_counted_by_state(open_unit_of_work):
    made = [promotion("p1"), promotion("p2", PromotionState.REJECTED), promotion("p3", PromotionState.REJECTED)]
    _stored(open_unit_of_work, "promotions", "add", *made)
    with open_unit_of_work(read_only=True) as unit:
        counts = {state: unit.promotions.count(state) for state in PromotionState}
    assert counts[PromotionState.REJECTED] == 2
    assert sum(counts.values()) == 3
