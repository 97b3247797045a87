"""Webhooks against a real receiver on this machine."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from datetime import timedelta

import pytest

from experiments.domain.delivery import DeliveryState
from experiments.domain.notice import NoticeKind
from experiments.domain.signature import is_genuine
from experiments.domain.webhook import check_url
from experiments.services.notices.announce import announce
from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.delivery.conftest import House, house_on
from tests.delivery.receivers import Behave, WebReceiver, drip, endless_body, hang_up, silence, status, web_receiver


def test_what_a_receiver_gets(house: House, receiver: WebReceiver) -> None:
    made = house.subscribe(receiver)
    told = house.tell(
        title="„B“ is live", payload={"variant": "b", "reasons": [{"code": "winner", "message": "b wins"}]}
    )
    house.clock.advance(seconds=7)
    assert house.deliverer.deliver_due() == 1
    (sent,) = receiver.received
    assert json.loads(sent.body) == {
        "type": "promotion.promoted",
        "timestamp": "2026-01-05T09:00:00+00:00",
        "data": {
            "experiment": "banner",
            "segment": "mens",
            "title": "„B“ is live",
            "link": "https://winnow.example/experiments/banner",
            "details": {"variant": "b", "reasons": [{"code": "winner", "message": "b wins"}]},
        },
    }
    assert (sent.path, sent.headers["content-type"]) == ("/hook", "application/json")
    assert sent.headers["webhook-id"] == told.id
    assert sent.headers["webhook-timestamp"] == "1767603607"
    # By hand, and as a receiver would.
    key = base64.b64decode(made.secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{told.id}.1767603607.".encode() + sent.body, hashlib.sha256).digest()
    assert sent.headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
    assert is_genuine(made.secret, sent.headers, sent.body, house.clock())
    after = house.letter(made.stored.value.id).delivery
    assert (after.state, after.attempts, after.last_status, after.last_error) == (DeliveryState.DELIVERED, 1, 200, None)
    assert house.deliverer.deliver_due() == 0


def test_what_failed_comes_again_as_the_same_message_with_another_time(house: House, receiver: WebReceiver) -> None:
    made = house.subscribe(receiver)
    told = house.tell()
    receiver.script = [status(500), status(200)]
    assert house.deliverer.deliver_due() == 1
    waiting = house.letter(made.stored.value.id).delivery
    assert (waiting.state, waiting.last_status, waiting.last_error) == (DeliveryState.PENDING, 500, "status:500")
    house.clock.now = waiting.next_attempt_at - timedelta(microseconds=1)
    assert house.deliverer.deliver_due() == 0
    house.clock.now = waiting.next_attempt_at
    assert house.deliverer.deliver_due() == 1
    first, second = receiver.received
    assert receiver.ids == [told.id, told.id]
    assert first.body == second.body
    assert first.headers["webhook-timestamp"] < second.headers["webhook-timestamp"]
    assert is_genuine(made.secret, second.headers, second.body, house.clock())
    assert house.letter(made.stored.value.id).delivery.state is DeliveryState.DELIVERED


@pytest.mark.parametrize(
    ("behave", "last_status", "error"),
    [
        pytest.param(status(404), 404, "status:404", id="not found"),
        pytest.param(status(304), 304, "status:304", id="not modified"),
        pytest.param(silence, None, "timeout", id="silent"),
        pytest.param(drip, None, "timeout", id="dripping"),
        pytest.param(hang_up, None, "connection:RemoteProtocolError", id="hanging up"),
    ],
)
def test_what_is_no_success(
    house: House, receiver: WebReceiver, behave: Behave, last_status: int | None, error: str
) -> None:
    made = house.subscribe(receiver)
    house.tell()
    receiver.script = [behave]
    assert house.deliverer.deliver_due() == 1
    after = house.letter(made.stored.value.id).delivery
    assert (after.state, after.last_status, after.last_error) == (DeliveryState.PENDING, last_status, error)


@pytest.mark.parametrize(
    ("behave", "attempts"),
    [
        pytest.param(silence, 1, id="silent"),
        pytest.param(hang_up, 1, id="hanging up"),
        pytest.param(status(500), 3, id="there"),
    ],
)
def test_who_is_silent_is_not_asked_again_at_once(
    house: House, receiver: WebReceiver, behave: Behave, attempts: int
) -> None:
    house.subscribe(receiver)
    for _ in range(3):
        house.tell()
    receiver.script = [behave] * 3
    assert house.deliverer.deliver_due() == len(receiver.received) == attempts


def test_a_body_without_end_is_not_waited_for(house: House, receiver: WebReceiver) -> None:
    made = house.subscribe(receiver)
    house.tell()
    receiver.script = [endless_body]
    assert house.deliverer.deliver_due() == 1
    assert house.letter(made.stored.value.id).delivery.state is DeliveryState.DELIVERED


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(house: House, receiver: WebReceiver, code: int) -> None:
    with web_receiver() as elsewhere:
        made = house.subscribe(receiver)
        house.tell()
        receiver.script = [status(code, Location=elsewhere.url)]
        house.deliverer.deliver_due()
        assert elsewhere.received == []
    after = house.letter(made.stored.value.id).delivery
    assert (after.state, after.last_status, after.last_error) == (DeliveryState.PENDING, code, "redirect")


def test_nobody_listens(house: House, receiver: WebReceiver) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        receiver.url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        made = house.subscribe(receiver)
        house.tell()
        house.deliverer.deliver_due()
    assert house.letter(made.stored.value.id).delivery.last_error == "connection:ConnectError"


@pytest.fixture
def patient(house: House) -> House:
    """Waits for a handshake as long as the real one."""
    return house_on(MemoryDatabase().unit_of_work, house.clock)


def test_a_certificate_that_nobody_vouches_for_is_no_lost_connection(
    patient: House, certificate: tuple[str, str]
) -> None:
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(*certificate)
    with web_receiver(serving) as receiver:
        made = patient.subscribe(receiver)
        patient.tell()
        patient.deliverer.deliver_due()
        assert receiver.received == []
    after = patient.letter(made.stored.value.id).delivery
    assert (after.state, after.last_error) == (DeliveryState.PENDING, "tls:certificate_verify_failed")


def test_a_receiver_that_speaks_no_tls(patient: House, receiver: WebReceiver) -> None:
    receiver.url = receiver.url.replace("http://", "https://")
    made = patient.subscribe(receiver)
    patient.tell()
    patient.deliverer.deliver_due()
    assert str(patient.letter(made.stored.value.id).delivery.last_error).startswith("tls:")


def test_a_name_that_nobody_resolves_is_given_up(
    house: House, receiver: WebReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def hang(*_arguments: object, **_options: object) -> list[object]:
        over.wait(4)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    receiver.url = "http://receiver.example/"
    made = house.subscribe(receiver)
    house.tell()
    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", hang)
        began = time.monotonic()
        house.deliverer.deliver_due()
        took = time.monotonic() - began
        over.set()
    after = house.letter(made.stored.value.id).delivery
    assert (after.state, after.last_error) == (DeliveryState.PENDING, "timeout")
    assert took < 3


@pytest.mark.parametrize("url", ["http://a..b/", "http://xn--/", "http://-/", "http://%00/", "https://127.0.0.1:1/"])
def test_addresses_that_lead_nowhere_are_no_failure_of_ours(house: House, receiver: WebReceiver, url: str) -> None:
    check_url(url)
    receiver.url = url
    made = house.subscribe(receiver)
    house.tell()
    house.deliverer.deliver_due()
    after = house.letter(made.stored.value.id).delivery
    assert after.state is DeliveryState.PENDING
    assert str(after.last_error).partition(":")[0] in ("connection", "timeout")


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("1000", 1_000, 1_000),
        ("1", 72, 88),
        ("9" * 5_000, 21_600, 21_600),
        ("Mon, 05 Jan 2026 09:30:00 GMT", 1_800, 1_800),
        ("Mon, 05 Jan 2026 08:00:00 GMT", 72, 88),
        ("soon", 72, 88),
        ("Mon, 99 Jan 99999 09:30:00 GMT", 72, 88),
    ],
)
def test_retry_after(house: House, receiver: WebReceiver, text: str, least: float, most: float) -> None:
    made = house.subscribe(receiver)
    house.tell()
    receiver.script = [status(503, Retry_After=text)]
    house.deliverer.deliver_due()
    after = house.letter(made.stored.value.id).delivery
    assert least <= (after.next_attempt_at - house.clock()).total_seconds() <= most


def test_gone_switches_the_webhook_off(house: House, receiver: WebReceiver) -> None:
    made = house.subscribe(receiver)
    for _ in range(3):
        house.tell()
    receiver.script = [status(410)]
    house.deliverer.deliver_due()
    assert len(receiver.received) == 1
    webhook = house.webhooks.get(made.stored.value.id).value
    assert not webhook.active
    assert house.audit(webhook.id)[0] == ("deliverer", "webhook.disable")
    dead = house.letters(DeliveryState.DEAD, webhook.id)
    assert sorted(str(one.delivery.last_error) for one in dead) == [
        "status:410",
        "webhook_disabled",
        "webhook_disabled",
    ]
    house.tell()
    assert len(house.letters(target=webhook.id)) == 3


def test_a_dead_letter_is_sent_again_on_request(house: House, receiver: WebReceiver) -> None:
    made = house.subscribe(receiver)
    told = house.tell()
    receiver.script = [status(500)] * 8
    for _ in range(8):
        assert house.deliverer.deliver_due() == 1
        house.clock.advance(days=1)
    assert house.deliverer.deliver_due() == 0
    (dead,) = house.letters(DeliveryState.DEAD)
    assert (dead.delivery.attempts, dead.notice) == (8, told)
    house.webhooks.redeliver(dead.delivery.id, actor="ann")
    assert house.deliverer.deliver_due() == 1
    assert house.letter(made.stored.value.id).delivery.state is DeliveryState.DELIVERED
    assert receiver.ids == [told.id] * 9


def test_only_wanted_kinds_only_since_and_only_what_was_committed(house: House, receiver: WebReceiver) -> None:
    house.tell()
    made = house.subscribe(receiver, NoticeKind.PROMOTED)
    house.tell(NoticeKind.REVERTED)
    wanted = house.tell(NoticeKind.PROMOTED)
    with house.open() as work:
        announce(work, NoticeKind.PROMOTED, title="Rolled back", at=house.clock())
    house.deliverer.deliver_due()
    assert receiver.ids == [wanted.id]
    assert len(house.letters(target=made.stored.value.id)) == 1


def test_a_rotated_secret_and_the_old_one_sign_for_a_day(house: House, receiver: WebReceiver) -> None:
    old = house.subscribe(receiver)
    new = house.webhooks.rotate(old.stored.value.id, actor="ann")
    assert new.secret != old.secret
    for day, by_old in ((0, True), (1, False)):
        house.clock.advance(days=day)
        house.tell()
        house.deliverer.deliver_due()
        sent = receiver.received[-1]
        assert is_genuine(new.secret, sent.headers, sent.body, house.clock())
        assert is_genuine(old.secret, sent.headers, sent.body, house.clock()) is by_old


def test_a_test_reaches_one_webhook_that_never_asked_for_tests(house: House, receiver: WebReceiver) -> None:
    made, _ = house.subscribe(receiver, NoticeKind.ALERT), house.subscribe(receiver)
    letter = house.webhooks.test(made.stored.value.id, actor="ann")
    assert house.deliverer.deliver_due() == 1
    assert receiver.ids == [letter.notice.id]
    assert json.loads(receiver.received[0].body)["type"] == "test"
