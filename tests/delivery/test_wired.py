"""What the composition root hands to the process that delivers."""

from __future__ import annotations

import subprocess
import sys

import pytest

from experiments.bootstrap import build, deliverer
from experiments.domain.mail import mail_server
from experiments.domain.notice import NoticeKind
from experiments.services.notices.announce import announce
from experiments.services.notices.webhooks import WebhookWish
from experiments.settings import Settings
from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock
from tests.delivery.receivers import MailReceiver, WebReceiver


def test_a_notice_reaches_both(
    clock: FakeClock, receiver: WebReceiver, postbox: MailReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings = Settings(
        public_url="https://winnow.example",
        mail_server=mail_server(f"smtp://127.0.0.1:{postbox.port}"),
        notify_from="winnow@example.com",
        notify_emails=("ada@example.com",),
    )
    winnow = build(settings, open_unit_of_work=MemoryDatabase().unit_of_work, clock=clock)
    winnow.webhooks.create(WebhookWish(url=receiver.url, kinds=frozenset({NoticeKind.ALERT})), actor="ann")
    with winnow.open_unit_of_work() as work:
        told = announce(work, NoticeKind.ALERT, title="Look\nhere", at=clock(), experiment="banner")
        assert (told.title, receiver.received) == ("Look here", [])
        work.commit()
    assert deliverer(winnow).deliver_due() == 2
    assert receiver.ids == [told.id]
    assert str(postbox.messages[0]["Subject"]) == "Look here"
    assert "https://winnow.example/experiments/banner" in postbox.messages[0].get_content()


def test_without_mail_settings_only_webhooks_are_sent(clock: FakeClock) -> None:
    winnow = build(Settings(), open_unit_of_work=MemoryDatabase().unit_of_work, clock=clock)
    with winnow.open_unit_of_work() as work:
        announce(work, NoticeKind.ALERT, title="Look", at=clock())
        work.commit()
    assert deliverer(winnow).deliver_due() == 0
    assert winnow.webhooks.deliveries(after=None, limit=5).items == ()


def test_processes_that_answer_requests_load_no_http_client() -> None:
    code = "import sys, api.app; print([name for name in ('httpx', 'smtplib') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
