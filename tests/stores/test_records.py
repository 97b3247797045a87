"""Snapshots, promotions, audit entries, API keys and leases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from experiments.domain.errors import AlreadyExists, InvalidInput, NotFound
from experiments.domain.promotion import PromotionState
from experiments.services.ports import ApiKey, AuditEntry, Snapshot
from experiments.storage.snapshot_store import numbered

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


def test_a_report_that_is_no_json_is_refused(open_unit_of_work, snapshot):
    with open_unit_of_work() as unit, pytest.raises(Exception, match="not JSON compliant"):
        unit.snapshots.add(snapshot(report={"lift": float("nan")}))


def test_a_promotion_comes_back_equal(open_unit_of_work, promotion):
    _stored(open_unit_of_work, "promotions", "add", promotion())
    with open_unit_of_work(read_only=True) as unit:
        found = unit.promotions.get("p1")
    assert found == promotion()
    assert found.evidence.sha256() == found.evidence_sha256


def test_a_reverted_promotion_is_kept_as_such(open_unit_of_work, promotion, now):
    _stored(open_unit_of_work, "promotions", "add", promotion())
    reverted = promotion().revert(by="bob", reason="returns rose", now=now + timedelta(days=1))
    _stored(open_unit_of_work, "promotions", "save", reverted)
    with open_unit_of_work(read_only=True) as unit:
        assert unit.promotions.get("p1") == reverted
    assert reverted.state is PromotionState.REVERTED


def test_a_version_holds_one_applied_promotion_per_segment(open_unit_of_work, promotion, now):
    _stored(open_unit_of_work, "promotions", "add", promotion())
    for other in (promotion("p1", version_after=9), promotion("p2")):
        with open_unit_of_work() as unit, pytest.raises(AlreadyExists) as refusal:
            unit.promotions.add(other)
        assert refusal.value.code == "promotion_exists"
    elsewhere = [
        promotion("p3", segment="vip"),
        promotion("p4", version_after=5),
        promotion("p5", experiment="other"),
        promotion("p6", state=PromotionState.REVERTED),
    ]
    _stored(open_unit_of_work, "promotions", "add", *elsewhere)
    _stored(open_unit_of_work, "promotions", "save", promotion().revert(by="bob", reason="", now=now))
    _stored(open_unit_of_work, "promotions", "add", promotion("p2"))


def test_absent_promotions(open_unit_of_work, promotion):
    with open_unit_of_work() as unit:
        with pytest.raises(NotFound):
            unit.promotions.get("p1")
        with pytest.raises(NotFound):
            unit.promotions.save(promotion())


def test_promotions_newest_first(open_unit_of_work, promotion):
    _stored(
        open_unit_of_work,
        "promotions",
        "add",
        promotion("p9"),
        promotion("p1", experiment="other"),
        promotion("p5", version_after=5),
    )
    with open_unit_of_work(read_only=True) as unit:
        first = unit.promotions.page(experiment=None, after=None, limit=2)
        second = unit.promotions.page(experiment=None, after=first.next_after, limit=2)
        of_one = unit.promotions.page(experiment="checkout", after=None, limit=2)
    assert [one.id for one in first.items] == ["p5", "p1"]
    assert ([one.id for one in second.items], second.next_after) == (["p9"], None)
    assert ([one.id for one in of_one.items], of_one.next_after) == (["p5", "p9"], None)


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
    return ApiKey(id=key_id, name="Shop", secret_sha256="a" * 64, scopes=frozenset({"write", "read"}), created_at=now)


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
