"""E-mail against a real SMTP receiver on this machine."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from experiments.domain.delivery import EMAIL, DeliveryState
from experiments.domain.mail import MailServer, Security, mail_server
from experiments.domain.notice import NoticeKind
from experiments.senders.mail import Mail
from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock
from tests.delivery.conftest import House, house_on
from tests.delivery.receivers import MailReceiver, mail_receiver

ADA, BOB = "ada@example.com", "bob@example.com"


def by_mail(clock: FakeClock, server: MailServer, **changes: Any) -> House:
    parts: dict[str, Any] = {"sender": "winnow@example.com", "recipients": (ADA, BOB), **changes}
    mail = Mail(server, public_url="https://winnow.example", **parts)
    return house_on(MemoryDatabase().unit_of_work, clock, mail)


def at(postbox: MailReceiver, before: str = "smtp://", after: str = "") -> MailServer:
    return mail_server(f"{before}127.0.0.1:{postbox.port}{after}")


def test_what_people_get(clock: FakeClock, postbox: MailReceiver) -> None:
    house = by_mail(clock, at(postbox))
    reasons = [{"code": "winner", "message": "b wins:\r\nsurely"}, {"code": "srm", "message": "The split is sound."}]
    told = house.tell(title="„B“ is live for men", payload={"variant": "b", "reasons": reasons})
    assert house.deliverer.deliver_due() == 1
    (message,), (envelope,) = postbox.messages, postbox.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("winnow@example.com", [ADA, BOB])
    headers = {name: str(message[name]) for name in ("From", "To", "Subject", "Message-ID", "Auto-Submitted", "Date")}
    assert headers == {
        "From": "winnow@example.com",
        "To": f"{ADA}, {BOB}",
        "Subject": "„B“ is live for men",
        "Message-ID": f"<{told.id}@example.com>",
        "Auto-Submitted": "auto-generated",
        "Date": "Mon, 05 Jan 2026 09:00:00 +0000",
    }
    assert message.get_content_type() == "text/plain"
    assert message.get_content().splitlines() == [
        "„B“ is live for men",
        "",
        "A variant went live.",
        "",
        "Experiment: banner",
        "Segment: mens",
        "When: 2026-01-05 09:00 UTC",
        "",
        "Why:",
        "- b wins: surely",
        "- The split is sound.",
        "",
        "https://winnow.example/experiments/banner",
    ]
    assert house.letter(EMAIL).delivery.state is DeliveryState.DELIVERED
    assert house.deliverer.deliver_due() == 0


@pytest.mark.parametrize("kind", [kind for kind in NoticeKind if kind is not NoticeKind.TEST])
def test_every_kind_is_written(clock: FakeClock, postbox: MailReceiver, kind: NoticeKind) -> None:
    house = by_mail(clock, at(postbox))
    house.tell(kind, experiment=None, segment=None, payload={"reasons": [1, {"message": None}, "x"]})
    house.deliverer.deliver_due()
    text = postbox.messages[0].get_content()
    assert "Experiment:" not in text
    assert "Why:" not in text
    assert text.splitlines()[-2:] == ["", "https://winnow.example/"]


def test_a_server_that_is_not_there_is_not_asked_again_at_once(clock: FakeClock, postbox: MailReceiver) -> None:
    absent, present = by_mail(clock, mail_server("smtp://127.0.0.1:1")), by_mail(clock, at(postbox))
    postbox.refuses = frozenset({ADA, BOB})
    for house in (absent, present):
        house.tell()
        house.tell()
    assert (absent.deliverer.deliver_due(), present.deliverer.deliver_due()) == (1, 2)


@pytest.mark.parametrize(
    "title",
    ["x\r\nBcc: eve@example.com", "x\nBcc: eve@example.com\n\nbody", "x\u2028Bcc: eve@example.com", "x\ud800"],
)
def test_no_title_adds_a_header(clock: FakeClock, postbox: MailReceiver, title: str) -> None:
    house = by_mail(clock, at(postbox))
    house.tell(title=title, payload={"reasons": [{"code": "x", "message": f"{title}\r\n.\r\nMAIL FROM:<eve@x>"}]})
    house.deliverer.deliver_due()
    (message,), (envelope,) = postbox.messages, postbox.envelopes
    assert "Bcc" not in message
    assert str(message["Subject"]).startswith("x")
    assert envelope.rcpt_tos == [ADA, BOB]


def test_a_server_that_is_busy_is_tried_again(clock: FakeClock, postbox: MailReceiver) -> None:
    house = by_mail(clock, at(postbox))
    house.tell()
    postbox.says = "451 greylisted, ada@example.com"
    house.deliverer.deliver_due()
    waiting = house.letter(EMAIL).delivery
    assert (waiting.state, waiting.last_status, waiting.last_error) == (DeliveryState.PENDING, 451, "smtp:451")
    postbox.says, clock.now = "250 OK", waiting.next_attempt_at
    house.deliverer.deliver_due()
    assert len(postbox.messages) == 1
    assert house.letter(EMAIL).delivery.state is DeliveryState.DELIVERED


def test_one_unknown_addressee_keeps_nobody_else_waiting(clock: FakeClock, postbox: MailReceiver) -> None:
    house = by_mail(clock, at(postbox))
    house.tell()
    postbox.refuses = frozenset({BOB})
    house.deliverer.deliver_due()
    after = house.letter(EMAIL).delivery
    assert (after.state, after.last_error) == (DeliveryState.DELIVERED, "refused:1/2")
    assert postbox.envelopes[0].rcpt_tos == [ADA]


def test_when_nobody_is_known_it_is_tried_again(clock: FakeClock, postbox: MailReceiver) -> None:
    house = by_mail(clock, at(postbox))
    house.tell()
    postbox.refuses = frozenset({ADA, BOB})
    house.deliverer.deliver_due()
    after = house.letter(EMAIL).delivery
    assert (after.state, after.last_error) == (DeliveryState.PENDING, "smtp:SMTPRecipientsRefused")


def test_a_server_that_is_not_there(clock: FakeClock) -> None:
    house = by_mail(clock, mail_server("smtp://127.0.0.1:1"))
    house.tell()
    house.deliverer.deliver_due()
    assert house.letter(EMAIL).delivery.last_error == "smtp:ConnectionRefusedError"


@pytest.fixture
def dripping() -> Iterator[MailServer]:
    """A server that says a byte of its greeting now and then; it ends after five seconds, should nobody else."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            with suppress(OSError), listening.accept()[0] as line:
                for _ in range(100):
                    line.sendall(b"2")
                    if over.wait(0.05):
                        break

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        yield mail_server(f"smtp://127.0.0.1:{listening.getsockname()[1]}")
        over.set()
        thread.join(5)


def test_a_server_that_drips_its_answer_is_given_up(
    clock: FakeClock, dripping: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.senders.mail.ATTEMPT_SECONDS", 0.3)
    house = by_mail(clock, dripping)
    house.tell()
    began = time.monotonic()
    house.deliverer.deliver_due()
    assert time.monotonic() - began < 3
    after = house.letter(EMAIL).delivery
    assert (after.state, after.last_error) == (DeliveryState.PENDING, "timeout")


def test_signing_in(clock: FakeClock, postbox: MailReceiver) -> None:
    house = by_mail(clock, at(postbox, "smtp://winnow:p%40ss@"))
    house.tell()
    house.deliverer.deliver_due()
    assert postbox.logins == [(b"winnow", b"p@ss")]
    assert len(postbox.messages) == 1
    wrong = by_mail(clock, at(postbox, "smtp://winnow:other@"))
    wrong.tell()
    wrong.deliverer.deliver_due()
    assert wrong.letter(EMAIL).delivery.last_error == "smtp:535"


def test_without_the_encryption_that_was_asked_for_nothing_is_sent(clock: FakeClock, postbox: MailReceiver) -> None:
    house = by_mail(clock, at(postbox, "smtp://winnow:p%40ss@", "?starttls=1"))
    house.tell()
    house.deliverer.deliver_due()
    assert (postbox.logins, postbox.messages) == ([], [])
    assert house.letter(EMAIL).delivery.last_error == "smtp:SMTPNotSupportedError"


def test_starttls_encrypts_before_the_password(clock: FakeClock, certificate: tuple[str, str]) -> None:
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(*certificate)
    with mail_receiver(tls_context=serving, require_starttls=True) as postbox:
        server = at(postbox, "smtp://winnow:p%40ss@", "?starttls=1")
        stranger = by_mail(clock, server)
        stranger.tell()
        stranger.deliverer.deliver_due()
        assert stranger.letter(EMAIL).delivery.last_error == "smtp:SSLCertVerificationError"
        assert postbox.logins == []
        house = by_mail(clock, server, trust=ssl.create_default_context(cafile=certificate[0]))
        house.tell()
        house.deliverer.deliver_due()
        assert postbox.logins == [(b"winnow", b"p@ss")]
        assert len(postbox.messages) == 1


def test_a_mail_server_in_words() -> None:
    server = mail_server("smtp://me%40x:p%3Ass@mail.example:2525?starttls=1")
    assert server == MailServer(
        host="mail.example", port=2525, security=Security.STARTTLS, user="me@x", password="p:ss"
    )
    assert "p:ss" not in repr(server)
    assert mail_server("smtps://mail.example").port == 465
    assert mail_server("smtp://mail.example?starttls=1").port == 587
    assert mail_server("smtp://mail.example?starttls=0").port == 25
