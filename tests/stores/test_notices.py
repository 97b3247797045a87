"""Webhooks, notices and deliveries."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from experiments.domain.delivery import EMAIL, LEASE_SECONDS, MOST_DELAY, Answer, DeliveryState
from experiments.domain.errors import AlreadyExists, InvalidInput, NotFound, RevisionMismatch
from experiments.domain.notice import Notice, NoticeKind
from experiments.domain.signature import secret_of
from experiments.domain.webhook import Webhook
from experiments.services.paging import Stored
from experiments.services.ports import CLOCKS_APART
from tests.stores.test_records import NO_IDS

PROMOTED, ALERT = NoticeKind.PROMOTED, NoticeKind.ALERT


@pytest.fixture
def notice(now):
    def build(**changes):
        parts = {
            "id": str(uuid.uuid4()),
            "kind": PROMOTED,
            "at": now,
            "title": "B gewinnt – für Männer",
            "experiment": "checkout",
            "segment": "mens",
            "payload": {"z": [1, None], "a": "ü \x00 \ud800"},
        }
        return Notice(**{**parts, **changes})

    return build


@pytest.fixture
def webhook(now):
    def build(webhook_id="w1", **changes):
        parts = {
            "id": webhook_id,
            "url": f"https://example.com/{webhook_id}",
            "kinds": frozenset({PROMOTED, NoticeKind.REVERTED}),
            "secret": secret_of(b"k" * 32),
            "created_at": now,
        }
        return Webhook(**{**parts, **changes})

    return build


@pytest.fixture
def store(open_unit_of_work):
    """Do something in a unit of work of its own, and commit."""

    def run(act):
        with open_unit_of_work() as unit:
            result = act(unit)
            unit.commit()
        return result

    return run


def _targets(store):
    letters = store(lambda unit: unit.notices.page(state=None, target=None, after=None, limit=100)).items
    return Counter(letter.delivery.target for letter in letters)


def test_a_webhook_comes_back_equal(store, webhook, now):
    made = webhook(active=False).rotate(secret_of(b"n" * 32), now=now)
    assert store(lambda unit: unit.webhooks.add(made, now=now)) == Stored(value=made, revision=1, updated_at=now)
    assert store(lambda unit: unit.webhooks.get("w1")) == Stored(value=made, revision=1, updated_at=now)
    with pytest.raises(AlreadyExists) as refusal:
        store(lambda unit: unit.webhooks.add(made, now=now))
    assert refusal.value.code == "webhook_exists"


def test_a_webhook_is_saved_on_its_revision(store, webhook, now):
    store(lambda unit: unit.webhooks.add(webhook(), now=now))
    later, changed = now + timedelta(hours=1), webhook(url="http://other.example/", active=False)
    saved = store(lambda unit: unit.webhooks.save(changed, expected_revision=1, now=later))
    assert saved == store(lambda unit: unit.webhooks.get("w1")) == Stored(value=changed, revision=2, updated_at=later)
    with pytest.raises(RevisionMismatch):
        store(lambda unit: unit.webhooks.save(changed, expected_revision=1, now=later))
    with pytest.raises(NotFound):
        store(lambda unit: unit.webhooks.save(webhook("w2"), expected_revision=1, now=later))


def test_webhooks_are_listed_and_removed(store, webhook, now):
    for name in ("w3", "w1", "w2"):
        store(lambda unit, name=name: unit.webhooks.add(webhook(name), now=now))
    first = store(lambda unit: unit.webhooks.page(after=None, limit=2))
    assert ([one.value.id for one in first.items], first.next_after) == (["w1", "w2"], "w2")
    store(lambda unit: unit.webhooks.remove("w1"))
    for act in (lambda unit: unit.webhooks.remove("w1"), lambda unit: unit.webhooks.get("w1")):
        with pytest.raises(NotFound) as refusal:
            store(act)
        assert refusal.value.code == "webhook_not_found"
    assert [one.value.id for one in store(lambda unit: unit.webhooks.page(after=None, limit=5)).items] == ["w2", "w3"]


def test_a_notice_goes_to_whoever_wants_it_now(store, webhook, notice, now):
    wanting = [webhook("w1"), webhook("off", active=False), webhook("w2", kinds=frozenset({ALERT}))]
    for one in wanting:
        store(lambda unit, one=one: unit.webhooks.add(one, now=now))
    sent = notice()
    store(lambda unit: unit.notices.append(sent))
    store(lambda unit: unit.webhooks.add(webhook("late"), now=now))
    assert _targets(store) == {"w1": 1, EMAIL: 1}
    page = store(lambda unit: unit.notices.page(state=None, target="w1", after=None, limit=5))
    (letter,) = page.items
    assert letter.notice == sent
    assert list(letter.notice.payload) == ["z", "a"]
    assert (letter.delivery.state, letter.delivery.attempts) == (DeliveryState.PENDING, 0)
    assert letter.delivery.next_attempt_at == letter.delivery.created_at == now
    assert store(lambda unit: unit.notices.get(letter.delivery.id)) == letter


def test_without_commit_there_is_no_notice(open_unit_of_work, store, webhook, notice, now):
    store(lambda unit: unit.webhooks.add(webhook(), now=now))
    with open_unit_of_work() as unit:
        unit.notices.append(notice())
    assert _targets(store) == {}
    assert store(lambda unit: unit.notices.claim(now=now)) is None


def test_the_same_notice_is_not_told_twice(store, notice):
    sent = notice()
    store(lambda unit: unit.notices.append(sent))
    with pytest.raises(AlreadyExists) as refusal:
        store(lambda unit: unit.notices.append(sent))
    assert refusal.value.code == "notice_exists"
    assert _targets(store) == {EMAIL: 1}


def test_a_notice_for_one_alone(store, webhook, notice, now):
    store(lambda unit: unit.webhooks.add(webhook(), now=now))
    sent = notice(kind=NoticeKind.TEST, experiment=None, segment=None, payload={})
    letter = store(lambda unit: unit.notices.append_to(sent, "w9"))
    assert (letter.notice, letter.delivery.target) == (sent, "w9")
    assert store(lambda unit: unit.notices.get(letter.delivery.id)) == letter
    assert _targets(store) == {"w9": 1}


def test_the_one_due_longest_is_claimed_first_and_once(store, notice, now):
    early, late = notice(at=now - timedelta(minutes=2)), notice(at=now - timedelta(minutes=1))
    future = notice(at=now + timedelta(seconds=1))
    for one in (late, early, future):
        store(lambda unit, one=one: unit.notices.append(one))
    claimed = [store(lambda unit: unit.notices.claim(now=now)) for _ in range(3)]
    assert [letter.notice if letter else None for letter in claimed] == [early, late, None]
    begun = claimed[0].delivery
    assert (begun.attempts, begun.next_attempt_at) == (1, now + timedelta(seconds=LEASE_SECONDS))
    assert store(lambda unit: unit.notices.get(begun.id)) == claimed[0]


def test_an_attempt_that_was_cut_off_is_made_again_after_its_lease(store, notice, now):
    store(lambda unit: unit.notices.append(notice()))
    first = store(lambda unit: unit.notices.claim(now=now))
    assert store(lambda unit: unit.notices.claim(now=now + timedelta(seconds=LEASE_SECONDS - 1))) is None
    then = now + timedelta(seconds=LEASE_SECONDS)
    second = store(lambda unit: unit.notices.claim(now=then))
    assert (second.delivery.id, second.delivery.attempts) == (first.delivery.id, 2)
    # The first one wakes up again, and its word counts no more.
    stale = first.delivery.settle(Answer(error="timeout"), then)
    assert store(lambda unit: unit.notices.change(first.delivery, stale)) is False
    arrived = second.delivery.settle(Answer(status=200, remark="refused:1/2"), then)
    assert store(lambda unit: unit.notices.change(second.delivery, arrived)) is True
    assert store(lambda unit: unit.notices.get(arrived.id)).delivery == arrived
    assert store(lambda unit: unit.notices.claim(now=then + timedelta(days=9))) is None


def test_what_failed_comes_back_when_it_is_due(store, notice, now):
    store(lambda unit: unit.notices.append(notice()))
    begun = store(lambda unit: unit.notices.claim(now=now)).delivery
    failed = begun.settle(Answer(status=500, error="status:500"), now)
    store(lambda unit: unit.notices.change(begun, failed))
    assert store(lambda unit: unit.notices.claim(now=failed.next_attempt_at - timedelta(microseconds=1))) is None
    again = store(lambda unit: unit.notices.claim(now=failed.next_attempt_at)).delivery
    assert (again.attempts, again.last_status, again.last_error) == (2, 500, "status:500")


def test_first_attempts_are_claimed_before_those_that_are_made_again(store, notice, now):
    failed, fresh = notice(), notice(at=now + timedelta(days=1))
    store(lambda unit: unit.notices.append(failed))
    begun = store(lambda unit: unit.notices.claim(now=now)).delivery
    store(lambda unit: unit.notices.change(begun, begun.settle(Answer(status=500, error="status:500"), now)))
    store(lambda unit: unit.notices.append(fresh))
    later = now + timedelta(days=2)
    claimed = [store(lambda unit: unit.notices.claim(now=later)) for _ in range(3)]
    assert [letter.notice if letter else None for letter in claimed] == [fresh, failed, None]


def test_what_a_clock_that_was_ahead_put_off_is_due_once_it_is_set_back(store, notice, now):
    wrong = now + timedelta(days=366)
    failed, cut_off, told_then = notice(), notice(at=now + timedelta(seconds=1)), notice(at=wrong)
    for one in (failed, cut_off, told_then):
        store(lambda unit, one=one: unit.notices.append(one))
    begun = store(lambda unit: unit.notices.claim(now=wrong)).delivery
    store(lambda unit: unit.notices.change(begun, begun.settle(Answer(error="timeout"), wrong)))
    assert store(lambda unit: unit.notices.claim(now=wrong)).notice == cut_off
    assert store(lambda unit: unit.notices.claim(now=now, without={EMAIL})) is None
    # A first attempt still goes first; of the others, the one that was put off least.
    claimed = [store(lambda unit: unit.notices.claim(now=now)) for _ in range(4)]
    assert [letter.notice if letter else None for letter in claimed] == [told_then, failed, cut_off, None]
    assert {letter.delivery.next_attempt_at for letter in claimed[:3]} == {now + timedelta(seconds=LEASE_SECONDS)}


def test_the_longest_delay_and_clocks_that_differ_make_nothing_due(store, notice, now):
    latest = now + MOST_DELAY + CLOCKS_APART
    store(lambda unit: unit.notices.append(notice(at=latest)))
    assert store(lambda unit: unit.notices.claim(now=now)) is None
    assert store(lambda unit: unit.notices.claim(now=now - timedelta(microseconds=1))) is not None


def test_nothing_is_claimed_for_the_targets_named(store, webhook, notice, now):
    for name in ("w1", "w2"):
        store(lambda unit, name=name: unit.webhooks.add(webhook(name), now=now))
    store(lambda unit: unit.notices.append(notice()))
    assert store(lambda unit: unit.notices.claim(now=now, without={"w1", EMAIL})).delivery.target == "w2"
    assert store(lambda unit: unit.notices.claim(now=now, without={"w1", EMAIL})) is None
    assert store(lambda unit: unit.notices.claim(now=now, without={EMAIL})).delivery.target == "w1"


def test_what_waits_for_one_target_is_given_up_or_forgotten(store, webhook, notice, now):
    for name in ("w1", "w2"):
        store(lambda unit, name=name: unit.webhooks.add(webhook(name), now=now))
    for _ in range(2):
        store(lambda unit: unit.notices.append(notice()))
    later = now + timedelta(hours=1)
    assert store(lambda unit: unit.notices.bury_all("w1", error="webhook_disabled", now=later)) == 2
    assert store(lambda unit: unit.notices.bury_all("w1", error="again", now=later)) == 0
    dead = store(lambda unit: unit.notices.page(state=DeliveryState.DEAD, target=None, after=None, limit=9)).items
    assert [(one.delivery.target, one.delivery.last_error) for one in dead] == [("w1", "webhook_disabled")] * 2
    assert dead[0].delivery.updated_at == later
    store(lambda unit: unit.notices.drop_all("w1"))
    assert _targets(store) == {"w2": 2, EMAIL: 2}
    (letter, _) = store(lambda unit: unit.notices.page(state=None, target="w2", after=None, limit=9)).items
    store(lambda unit: unit.notices.drop(letter.delivery))
    store(lambda unit: unit.notices.drop(letter.delivery))
    assert _targets(store) == {"w2": 1, EMAIL: 2}
    with pytest.raises(NotFound) as refusal:
        store(lambda unit: unit.notices.get(letter.delivery.id))
    assert refusal.value.code == "delivery_not_found"


def test_deliveries_newest_first_and_no_id_twice(store, notice):
    sent = [notice() for _ in range(3)]
    for one in sent:
        store(lambda unit, one=one: unit.notices.append(one))
    first = store(lambda unit: unit.notices.page(state=None, target=None, after=None, limit=2))
    second = store(lambda unit: unit.notices.page(state=None, target=None, after=first.next_after, limit=2))
    assert [one.notice for one in (*first.items, *second.items)] == sent[::-1]
    assert second.next_after is None
    newest = first.items[0].delivery
    store(lambda unit: unit.notices.drop(newest))
    store(lambda unit: unit.notices.append(notice()))
    assert store(lambda unit: unit.notices.page(state=None, target=None, after=None, limit=1)).items[0].delivery.id == (
        newest.id + 1
    )


@pytest.mark.parametrize("after", NO_IDS)
def test_what_was_never_an_id_is_no_cursor(open_unit_of_work, after):
    with open_unit_of_work(read_only=True) as unit, pytest.raises(InvalidInput) as refusal:
        unit.notices.page(state=None, target=None, after=after, limit=5)
    assert refusal.value.code == "cursor_invalid"


@pytest.mark.parametrize("number", [0, -1, 5, 2**63, 2**80])
def test_an_absent_delivery(open_unit_of_work, number):
    with open_unit_of_work(read_only=True) as unit, pytest.raises(NotFound):
        unit.notices.get(number)


def test_what_is_done_with_is_removed_in_time(store, notice, now):
    sent = {state: notice() for state in DeliveryState}
    for state, one in sent.items():
        letter = store(lambda unit, one=one, state=state: unit.notices.append_to(one, str(state)))
        after = replace(letter.delivery, state=state, updated_at=now + timedelta(days=1))
        store(lambda unit, before=letter.delivery, after=after: unit.notices.change(before, after))
    late = now + timedelta(days=1, microseconds=1)
    assert store(lambda unit: unit.notices.purge(delivered_before=now, dead_before=now)) == 0
    assert store(lambda unit: unit.notices.purge(delivered_before=late, dead_before=now)) == 1
    assert _targets(store) == {"pending": 1, "dead": 1}
    with pytest.raises(AlreadyExists):
        store(lambda unit: unit.notices.append(sent[DeliveryState.DEAD]))
    assert store(lambda unit: unit.notices.purge(delivered_before=late, dead_before=late)) == 1
    assert _targets(store) == {"pending": 1}
    # Nothing is left of the notice either: it could be told again.
    store(lambda unit: unit.notices.append(sent[DeliveryState.DELIVERED]))


@pytest.mark.parametrize(
    ("changes", "is_kept"),
    [
        ({"kind": ALERT}, True),
        ({"kind": ALERT, "experiment": "other"}, False),
        ({"kind": ALERT, "experiment": None, "segment": None}, False),
        ({"kind": PROMOTED}, False),
    ],
    ids=str,
)
def test_alerts_of_the_experiments_named_stay_known(store, notice, now, changes, is_kept):
    sent = notice(**changes)
    letter = store(lambda unit: unit.notices.append_to(sent, "w1"))
    store(lambda unit: unit.notices.drop(letter.delivery))
    late = now + timedelta(days=1)
    kept = {"checkout", "third"}
    assert store(lambda unit: unit.notices.knows(sent.id)) is True
    store(lambda unit: unit.notices.purge(delivered_before=late, dead_before=late, keep_alerts_of=kept))
    assert store(lambda unit: unit.notices.knows(sent.id)) is is_kept
    store(lambda unit: unit.notices.purge(delivered_before=late, dead_before=late))
    assert store(lambda unit: unit.notices.knows(sent.id)) is False


def test_each_delivery_is_claimed_by_exactly_one(open_unit_of_work, store, notice, now, at_once):
    for _ in range(30):
        store(lambda unit: unit.notices.append(notice()))

    def claim_all(_):
        mine = []
        while True:
            with open_unit_of_work() as unit:
                letter = unit.notices.claim(now=now)
                unit.commit()
            if letter is None:
                return mine
            mine.append(letter.delivery.id)

    claimed = at_once(claim_all, range(4))
    assert Counter(one for mine in claimed for one in mine) == dict.fromkeys(range(1, 31), 1)


def test_a_claim_that_is_not_committed_is_nobodys(open_unit_of_work, store, notice, now):
    store(lambda unit: unit.notices.append(notice()))
    with open_unit_of_work() as unit:
        assert unit.notices.claim(now=now).delivery.attempts == 1
    assert store(lambda unit: unit.notices.claim(now=now)).delivery.attempts == 1
