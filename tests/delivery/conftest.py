"""A house with an outbox, and receivers to send to."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from experiments.domain.delivery import DeliveryState, Letter
from experiments.domain.notice import Notice, NoticeKind
from experiments.domain.webhook import SUBSCRIBABLE
from experiments.senders.mail import Mail
from experiments.senders.post import Post
from experiments.senders.senders import Senders
from experiments.services.notices.announce import announce
from experiments.services.notices.deliver import Deliverer
from experiments.services.notices.webhooks import NewSecret, Webhooks, WebhookWish
from experiments.services.ports import OpenUnitOfWork
from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock
from tests.delivery.receivers import MailReceiver, WebReceiver, mail_receiver, web_receiver


@dataclass
class House:
    """Short words for what the tests do again and again."""

    open: OpenUnitOfWork
    clock: FakeClock
    deliverer: Deliverer
    webhooks: Webhooks

    def subscribe(self, receiver: WebReceiver, *kinds: NoticeKind) -> NewSecret:
        return self.webhooks.create(WebhookWish(url=receiver.url, kinds=frozenset(kinds) or SUBSCRIBABLE), actor="ann")

    def tell(self, kind: NoticeKind = NoticeKind.PROMOTED, title: str = "B is live", **changes: Any) -> Notice:
        parts: dict[str, Any] = {"experiment": "banner", "segment": "mens", "payload": {"variant": "b"}, **changes}
        with self.open() as work:
            notice = announce(work, kind, title=title, at=self.clock(), **parts)
            work.commit()
        return notice

    def letters(self, state: DeliveryState | None = None, target: str | None = None) -> tuple[Letter, ...]:
        return self.webhooks.deliveries(state=state, target=target, after=None, limit=100).items

    def letter(self, target: str) -> Letter:
        """Return the only one to a target."""
        (found,) = self.letters(target=target)
        return found

    def audit(self, subject: str) -> list[tuple[str, str]]:
        with self.open(read_only=True) as work:
            return [(one.actor, one.action) for one in work.audit.page(subject=subject, after=None, limit=100).items]


def house_on(opened: OpenUnitOfWork, clock: FakeClock, mail: Mail | None = None, **options: Any) -> House:
    senders = Senders(Post("https://winnow.example", **options), mail)
    return House(opened, clock, Deliverer(opened, clock, senders), Webhooks(opened, clock))


@pytest.fixture
def house(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> House:
    """In memory, without e-mail; an attempt takes half a second at most. No proxy stands before this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return house_on(MemoryDatabase().unit_of_work, clock, timeout_seconds=0.5)


@pytest.fixture
def receiver() -> Iterator[WebReceiver]:
    with web_receiver() as made:
        yield made


@pytest.fixture
def postbox() -> Iterator[MailReceiver]:
    with mail_receiver() as made:
        yield made


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A certificate for 127.0.0.1 that nobody signed but itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    made, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    what = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-out", made, "-keyout", key, *what]
    subprocess.run(command, check=True, capture_output=True)
    return made, key
