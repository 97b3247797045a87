"""Settings of what leaves the house: validated, and no secret in what is printed."""

from __future__ import annotations

import pytest

from experiments.domain.errors import InvalidInput
from experiments.domain.mail import MailServer, Security
from experiments.settings import Settings

MAIL = {
    "WINNOW_SMTP_URL": "smtp://winnow:hush@mail.example:587?starttls=1",
    "WINNOW_NOTIFY_FROM": "winnow@example.com",
    "WINNOW_NOTIFY_EMAILS": "ada@example.com, bob@example.com,",
}


def test_who_is_told_and_how() -> None:
    read = Settings.from_environment({**MAIL, "WINNOW_PUBLIC_URL": "https://winnow.example/"})
    server = MailServer(host="mail.example", port=587, security=Security.STARTTLS, user="winnow", password="hush")
    assert (read.mail_server, read.notify_from) == (server, "winnow@example.com")
    assert read.notify_emails == ("ada@example.com", "bob@example.com")
    assert read.public_url == "https://winnow.example"


def test_no_secret_is_printed() -> None:
    assert "hush" not in repr(Settings.from_environment({**MAIL, "WINNOW_SECRET_KEY": "hush" * 8}))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SMTP_URL", "http://winnow:hush@mail.example"),
        ("SMTP_URL", "smtp://"),
        ("SMTP_URL", "smtp://hush@mail.example:0"),
        ("SMTP_URL", "smtp://hush@mail.example:x"),
        ("SMTP_URL", "smtp://hush@mail.example/folder"),
        ("SMTP_URL", "smtp://hush@mail.example?starttls=yes"),
        ("SMTP_URL", "smtp://hush@mail.example?tls=1"),
        ("SMTP_URL", "smtp://hush@mail.example?starttls=1&starttls=0"),
        ("SMTP_URL", "smtp://winnow:hush@mail.example"),
        ("SMTP_URL", "smtp://winnow:hush@mail.example?starttls=0"),
        ("NOTIFY_FROM", "Winnow <hush@example.com>"),
        ("NOTIFY_FROM", "hush@example.com\r\nBcc: eve@example.com"),
        ("NOTIFY_EMAILS", "ada@example.com,hush@"),
        ("NOTIFY_EMAILS", "hush"),
        ("PUBLIC_URL", "winnow.example/hush"),
        ("PUBLIC_URL", "https://winnow:hush@winnow.example"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name_and_not_repeated(name: str, text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Settings.from_environment({**MAIL, f"WINNOW_{name}": text})
    assert (refusal.value.code, refusal.value.path) == ("setting_invalid", f"/WINNOW_{name}")
    assert "hush" not in refusal.value.message


@pytest.mark.parametrize("absent", ["WINNOW_SMTP_URL", "WINNOW_NOTIFY_FROM"])
def test_to_write_to_somebody_takes_a_server_and_a_sender(absent: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Settings.from_environment({name: text for name, text in MAIL.items() if name != absent})
    assert refusal.value.code == "setting_missing"


def test_a_password_in_the_clear_stays_on_this_machine() -> None:
    assert Settings.from_environment({"WINNOW_SMTP_URL": "smtp://u:p@127.0.0.1:25"}).mail_server is not None
