"""The deliverer's rounds, with senders that do as they are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from experiments.domain.delivery import EMAIL, LEASE_SECONDS, MAX_ATTEMPTS, Answer, DeliveryState, Letter
from experiments.domain.errors import NotFound, StateConflict
from experiments.domain.notice import NoticeKind
from experiments.domain.webhook import Webhook
from experiments.services.notices.deliver import DEAD_KEPT_DAYS, DELIVERED_KEPT_DAYS, REST_SECONDS, Deliverer
from experiments.services.notices.webhooks import WebhookWish
from tests.delivery.conftest import House

URL = "https://example.com/hook?token=hush"
Act = Callable[[Letter, Webhook | None], Answer | None]


def sending(house: House, act: Act = lambda letter, webhook: Answer(status=200)) -> Deliverer:
    """Let webhooks be sent to by this; nobody is written to by e-mail."""

    def send(letter: Letter, webhook: Webhook | None, _now: datetime) -> Answer | None:
        return act(letter, webhook) if webhook else None

    return Deliverer(house.open, house.clock, send)


def subscribe(house: House) -> str:
    wish = WebhookWish(url=URL, kinds=frozenset({NoticeKind.PROMOTED}))
    return house.webhooks.create(wish, actor="ann").stored.value.id


def test_without_e_mail_its_deliveries_are_dropped_and_nothing_was_attempted(house: House) -> None:
    house.tell()
    assert [letter.delivery.target for letter in house.letters()] == [EMAIL]
    assert sending(house).deliver_due() == 0
    assert house.letters() == ()


def test_no_more_attempts_than_asked_for(house: House) -> None:
    subscribe(house)
    for _ in range(5):
        house.tell()
    deliverer = sending(house)
    assert [deliverer.deliver_due(2), deliverer.deliver_due(2), deliverer.deliver_due(2)] == [2, 2, 1]


def test_who_is_told_to_stop_sends_no_further_letter(house: House) -> None:
    subscribe(house)
    for _ in range(3):
        house.tell()
    sent: list[str] = []

    def send(letter: Letter, _webhook: Webhook | None) -> Answer:
        sent.append(letter.notice.id)
        return Answer(status=200)

    assert sending(house, send).deliver_due(10, is_over=lambda: bool(sent)) == 1
    assert len(sent) == 1


def test_slow_receivers_end_the_round(house: House) -> None:
    for _ in range(9):
        subscribe(house)
    house.tell()

    def slowly(_letter: Letter, _webhook: Webhook | None) -> Answer:
        house.clock.advance(seconds=10)
        return Answer(error="timeout", unreached=True)

    assert sending(house, slowly).deliver_due() == 4


def test_a_receiver_that_hangs_delays_nobody_but_itself(house: House) -> None:
    """Ten notices wait for it already when another webhook is told its first one."""
    hung = subscribe(house)
    for _ in range(10):
        house.tell()
    healthy = subscribe(house)
    last = house.tell()
    asked: list[str] = []

    def send(_letter: Letter, webhook: Webhook | None) -> Answer:
        assert webhook is not None
        asked.append(webhook.id)
        if webhook.id == healthy:
            return Answer(status=200)
        house.clock.advance(seconds=10)
        return Answer(error="timeout", unreached=True)

    deliverer = sending(house, send)
    assert deliverer.deliver_due() == 2
    assert asked == [hung, healthy]
    assert house.letter(healthy).notice == last
    # The next call does not ask it again at once, and after its rest it has one attempt and no more.
    house.clock.advance(seconds=REST_SECONDS - 1)
    assert deliverer.deliver_due() == 0
    house.clock.advance(seconds=1)
    assert deliverer.deliver_due() == 1
    assert asked == [hung, healthy, hung]


def test_a_clock_that_is_set_back_prolongs_no_rest_and_keeps_no_notice(house: House) -> None:
    webhook_id = subscribe(house)
    house.tell()
    answers = [Answer(error="timeout", unreached=True), Answer(status=200)]
    deliverer = sending(house, lambda letter, webhook: answers.pop(0))
    house.clock.advance(days=366)
    assert deliverer.deliver_due() == 1
    house.clock.advance(days=-366)
    assert deliverer.deliver_due() == 1
    assert house.letter(webhook_id).delivery.state is DeliveryState.DELIVERED


def test_who_answers_with_an_error_is_there_and_has_no_rest(house: House) -> None:
    subscribe(house)
    for _ in range(3):
        house.tell()
    assert sending(house, lambda letter, webhook: Answer(status=500, error="status:500")).deliver_due() == 3


def test_a_sender_that_breaks_is_an_attempt_that_failed(house: House) -> None:
    webhook_id = subscribe(house)
    house.tell()

    def broken(_letter: Letter, _webhook: Webhook | None) -> Answer:
        raise RuntimeError("hush")

    assert sending(house, broken).deliver_due() == 1
    after = house.letter(webhook_id).delivery
    assert (after.state, after.last_error) == (DeliveryState.PENDING, "internal:RuntimeError")


def test_what_kills_its_sender_each_time_is_given_up(house: House) -> None:
    webhook_id = subscribe(house)
    house.tell()

    def killed(_letter: Letter, _webhook: Webhook | None) -> Answer:
        raise KeyboardInterrupt

    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(KeyboardInterrupt):
            sending(house, killed).deliver_due()
        house.clock.advance(seconds=LEASE_SECONDS)
    assert house.letter(webhook_id).delivery.state is DeliveryState.PENDING
    assert sending(house, killed).deliver_due() == 0
    after = house.letter(webhook_id).delivery
    assert (after.state, after.last_error) == (DeliveryState.DEAD, "interrupted")


def test_who_took_longer_than_the_lease_does_not_overwrite_what_another_found(house: House) -> None:
    webhook_id = subscribe(house)
    house.tell()

    def asleep(_letter: Letter, _webhook: Webhook | None) -> Answer:
        house.clock.advance(seconds=LEASE_SECONDS)
        assert sending(house).deliver_due() == 1
        return Answer(error="timeout")

    sending(house, asleep).deliver_due()
    after = house.letter(webhook_id).delivery
    assert (after.state, after.attempts, after.last_status) == (DeliveryState.DELIVERED, 2, 200)


def test_a_webhook_that_is_removed_gets_nothing_any_more(house: House) -> None:
    webhook_id = subscribe(house)
    house.tell()
    house.webhooks.remove(webhook_id, actor="ann")
    assert house.letters(target=webhook_id) == ()
    # Stored in the very moment of the removal:
    notice = replace(house.tell(), id="9b2f6a52-6c1c-4d0e-8a53-0c5e1b9d7f10")
    with house.open() as work:
        late = work.notices.append_to(notice, webhook_id)
        work.commit()
    assert sending(house).deliver_due() == 0
    with pytest.raises(NotFound):
        house.webhooks.redeliver(late.delivery.id, actor="ann")
    assert [action for _, action in house.audit(webhook_id)] == ["webhook.remove", "webhook.create"]


def test_a_webhook_that_is_off_gets_nothing_until_it_is_on(house: House) -> None:
    webhook_id = subscribe(house)
    first = house.tell()
    house.webhooks.set_active(webhook_id, False, actor="ann")
    house.tell()
    (dead,) = house.letters(DeliveryState.DEAD, webhook_id)
    assert (dead.notice, dead.delivery.last_error) == (first, "webhook_disabled")
    for act in (
        lambda: house.webhooks.redeliver(dead.delivery.id, actor="ann"),
        lambda: house.webhooks.test(webhook_id, actor="ann"),
    ):
        with pytest.raises(StateConflict) as refusal:
            act()
        assert refusal.value.code == "webhook_disabled"
    # Stored in the very moment of switching off:
    with house.open() as work:
        late = work.notices.append_to(replace(first, id="9b2f6a52-6c1c-4d0e-8a53-0c5e1b9d7f10"), webhook_id)
        work.commit()
    assert sending(house).deliver_due() == 0
    with house.open(read_only=True) as work:
        assert work.notices.get(late.delivery.id).delivery.last_error == "webhook_disabled"
    house.webhooks.set_active(webhook_id, True, actor="ann")
    house.webhooks.redeliver(dead.delivery.id, actor="ann")
    assert sending(house).deliver_due() == 1
    assert house.audit(webhook_id)[:3] == [
        ("ann", "delivery.redeliver"),
        ("ann", "webhook.enable"),
        ("ann", "webhook.disable"),
    ]


def test_gone_is_not_believed_of_an_address_that_was_changed_meanwhile(house: House) -> None:
    webhook_id = subscribe(house)
    house.tell()

    def moved(_letter: Letter, webhook: Webhook | None) -> Answer:
        assert webhook is not None
        wish = WebhookWish(url="https://example.com/new", kinds=webhook.kinds)
        house.webhooks.edit(webhook_id, wish, expected_revision=1, actor="ann")
        return Answer(status=410, error="status:410", gone=True)

    sending(house, moved).deliver_due()
    assert house.webhooks.get(webhook_id).value.active
    assert house.letter(webhook_id).delivery.state is DeliveryState.DEAD


def test_what_is_done_with_is_forgotten_in_time(house: House) -> None:
    webhook_id = subscribe(house)
    house.tell()
    deliverer = sending(house)
    deliverer.deliver_due()
    house.clock.advance(days=DELIVERED_KEPT_DAYS)
    deliverer.deliver_due()
    assert len(house.letters(target=webhook_id)) == 1
    house.clock.advance(minutes=59)
    deliverer.deliver_due()
    assert len(house.letters(target=webhook_id)) == 1  # looked at once an hour
    house.clock.advance(minutes=1)
    deliverer.deliver_due()
    assert house.letters(target=webhook_id) == ()


def test_dead_letters_are_kept_longer(house: House) -> None:
    webhook_id = subscribe(house)
    house.tell()
    house.webhooks.set_active(webhook_id, False, actor="ann")
    house.clock.advance(days=DEAD_KEPT_DAYS)
    sending(house).deliver_due()
    assert len(house.letters(DeliveryState.DEAD)) == 1
    house.clock.now += timedelta(hours=1)
    sending(house).deliver_due()
    assert house.letters(DeliveryState.DEAD) == ()


def test_neither_secrets_nor_addresses_are_logged_or_audited(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    webhook_id = subscribe(house)
    house.tell()
    sending(house, lambda letter, webhook: Answer(status=410, error="status:410", gone=True)).deliver_due()
    with house.open(read_only=True) as work:
        trail = repr(work.audit.page(subject=webhook_id, after=None, limit=10))
        secret = work.webhooks.get(webhook_id).value.secret
    told = "".join(capsys.readouterr()) + trail
    assert "status:410" in told
    assert "example.com" in trail
    assert "hush" not in told
    assert secret not in told
