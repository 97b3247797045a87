"""`winnow webhooks` on a real database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from experiments.domain.delivery import EMAIL, Answer, DeliveryState
from experiments.domain.notice import Notice, NoticeKind
from experiments.storage.unit_of_work import open_database
from tests.unit.commands.test_cli import Winnow


@pytest.fixture
def winnow(sqlite_url: str, tmp_path: Path) -> Winnow:
    return Winnow(sqlite_url, tmp_path)


def added(winnow: Winnow, *more: str) -> tuple[str, str]:
    """Return id and secret."""
    made = winnow("webhooks", "add", "https://example.com/hook", *more)
    assert made.exit_code == 0, made.stderr
    return made.stderr.split()[1].rstrip(";"), made.stdout.strip()


def test_a_webhook_is_added_listed_rotated_and_removed(winnow: Winnow) -> None:
    webhook_id, secret = added(winnow, "--kind", "alert", "--kind", "promotion.promoted")
    assert secret.startswith("whsec_")
    listed = winnow("webhooks", "list").stdout
    assert (webhook_id in listed, "alert" in listed, "promotion.reverted" in listed) == (True, True, False)
    assert secret not in listed
    rotated = winnow("webhooks", "rotate", webhook_id).stdout.strip()
    assert rotated.startswith("whsec_")
    assert rotated != secret
    assert winnow("webhooks", "remove", webhook_id).stdout == f"Webhook {webhook_id} is removed.\n"
    assert webhook_id not in winnow("webhooks", "list").stdout
    gone = winnow("webhooks", "remove", webhook_id)
    assert (gone.exit_code, gone.stderr) == (1, f"winnow: webhook_not_found: There is no webhook '{webhook_id}'.\n")


def test_without_kinds_it_is_told_everything(winnow: Winnow) -> None:
    added(winnow)
    listed = " ".join(winnow("webhooks", "list").stdout.split())
    for kind in ("alert", "promotion.promoted", "promotion.proposed", "promotion.reverted"):
        assert kind in listed


def test_an_unfit_address_and_an_unknown_kind(winnow: Winnow) -> None:
    refused = winnow("webhooks", "add", "ftp://example.com")
    assert (refused.exit_code, refused.stderr.startswith("winnow: url_scheme: ")) == (1, True)
    assert winnow("webhooks", "add", "https://example.com", "--kind", "test").exit_code == 2


def test_a_dead_letter_is_listed_and_sent_again(winnow: Winnow, sqlite_url: str) -> None:
    webhook_id, _ = added(winnow)
    assert winnow("webhooks", "test", webhook_id).stdout == "Delivery 1 is in the outbox.\n"
    assert winnow("webhooks", "disable", webhook_id).stdout == f"Webhook {webhook_id} is off.\n"
    dead = winnow("webhooks", "dead").stdout
    assert (webhook_id in dead, "A test notice" in dead, "webhook_disabled" in dead) == (True, True, True)
    assert winnow("webhooks", "redeliver", "1").stderr.startswith("winnow: webhook_disabled: ")
    assert winnow("webhooks", "enable", webhook_id).stdout == f"Webhook {webhook_id} is on.\n"
    assert winnow("webhooks", "redeliver", "1").stdout == "Delivery 1 is in the outbox again.\n"
    assert webhook_id not in winnow("webhooks", "dead").stdout
    assert winnow("webhooks", "redeliver", "2").stderr.startswith("winnow: delivery_not_found: ")
    database = open_database(sqlite_url)
    with database.unit_of_work(read_only=True) as work:
        assert work.notices.get(1).delivery.state is DeliveryState.PENDING
    database.close()


def attempted(url: str, target: str, answer: Answer) -> None:
    """One attempt at a notice to the target, at nine."""
    now = datetime(2026, 1, 5, 9, tzinfo=UTC)
    database = open_database(url)
    with database.unit_of_work() as work:
        told = Notice(id=str(uuid4()), kind=NoticeKind.ALERT, at=now, title="Look")
        before = work.notices.append_to(told, target).delivery
        begun = before.begin(now)
        assert work.notices.change(before, begun)
        assert work.notices.change(begun, begun.settle(answer, now))
        work.commit()
    database.close()


def rows(winnow: Winnow, *more: str) -> list[list[str]]:
    """The cells of the table, lines of one cell beside each other."""
    found: list[list[str]] = []
    for line in winnow("webhooks", "deliveries", *more).stdout.splitlines():
        cells = [cell.strip() for cell in line.split("│")[1:-1]]
        if cells and cells[0]:
            found.append(cells)
        elif cells:
            found[-1] = [f"{one} {more}".strip() for one, more in zip(found[-1], cells, strict=True)]
    return found


def test_what_failed_is_listed_before_it_is_given_up(winnow: Winnow, sqlite_url: str) -> None:
    webhook_id, _ = added(winnow)
    attempted(sqlite_url, webhook_id, Answer(status=500, error="status:500"))
    attempted(sqlite_url, webhook_id, Answer(status=410, error="status:410", gone=True))
    attempted(sqlite_url, EMAIL, Answer(status=250, remark="refused:1/2"))
    target = f"{webhook_id} example.com"
    pending = ["1", target, "alert", "pending", "1", "2026-01-05 09:01", "status:500"]
    dead = ["2", target, "alert", "dead", "1", "", "status:410"]
    by_mail = ["3", "email", "alert", "delivered", "1", "", "refused:1/2"]
    assert rows(winnow) == [by_mail, dead, pending]
    assert rows(winnow, "--state", "pending") == [pending]
    assert rows(winnow, "--state", "dead") == [dead]
    assert rows(winnow, "--state", "delivered") == [by_mail]
    assert winnow("webhooks", "deliveries", "--state", "lost").exit_code == 2
    assert "https" not in winnow("webhooks", "deliveries").stdout


def test_of_many_deliveries_the_newest_are_listed(
    winnow: Winnow, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.cli.webhooks.PAGE", 2)
    for number in range(3):
        attempted(sqlite_url, EMAIL, Answer(error=f"smtp:{number}"))
    assert [row[-1] for row in rows(winnow)] == ["smtp:2", "smtp:1"]
    assert winnow("webhooks", "deliveries").stdout.endswith(
        "Only the newest 2 are shown; GET /v1/webhooks/deliveries has them all.\n"
    )
