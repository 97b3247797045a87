"""Notices, webhooks and deliveries as values."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from experiments.domain.delivery import (
    MAX_ATTEMPTS,
    MOST_DELAY,
    MOST_RETRY_AFTER_SECONDS,
    Answer,
    Delivery,
    DeliveryState,
)
from experiments.domain.errors import DomainError, InvalidInput, StateConflict
from experiments.domain.notice import Notice, NoticeKind, one_line
from experiments.domain.signature import secret_of
from experiments.domain.webhook import Webhook, check_url

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
ID = "9b2f6a52-6c1c-4d0e-8a53-0c5e1b9d7f10"


def notice(**changes: Any) -> Notice:
    parts: dict[str, Any] = {"id": ID, "kind": NoticeKind.PROMOTED, "at": NOW, "title": "B is live", "experiment": "x"}
    return Notice(**{**parts, **changes})


def webhook(**changes: Any) -> Webhook:
    parts: dict[str, Any] = {
        "id": "w1",
        "url": "https://example.com/hook",
        "kinds": frozenset({NoticeKind.PROMOTED}),
        "secret": secret_of(b"k" * 32),
        "created_at": NOW,
    }
    return Webhook(**{**parts, **changes})


def pending(**changes: Any) -> Delivery:
    parts: dict[str, Any] = {
        "id": 7,
        "notice_id": ID,
        "target": "w1",
        "state": DeliveryState.PENDING,
        "attempts": 0,
        "next_attempt_at": NOW,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Delivery(**{**parts, **changes})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"id": "7"}, "notice_id_invalid"),
        ({"id": ID.upper()}, "notice_id_invalid"),
        ({"title": ""}, "title_invalid"),
        ({"title": "a\nBcc: all@example.com"}, "title_invalid"),
        ({"title": "a\rb"}, "title_invalid"),
        ({"title": "a\u2028b"}, "title_invalid"),
        ({"title": "a\x85b"}, "title_invalid"),
        ({"title": "a\x00b"}, "title_invalid"),
        ({"title": "x" * 201}, "title_invalid"),
        ({"at": datetime(2026, 1, 5)}, "instant_without_zone"),  # noqa: DTZ001
        ({"experiment": "a b"}, "key_invalid"),
        ({"segment": ""}, "key_invalid"),
        ({"payload": {"lift": math.nan}}, "payload_invalid"),
        ({"payload": {"at": NOW}}, "payload_invalid"),
        ({"payload": {"text": "x" * 100_001}}, "payload_invalid"),
    ],
    ids=str,
)
def test_an_unfit_notice_cannot_be_built(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        notice(**changes)
    assert refusal.value.code == code


def test_a_payload_may_speak_of_infinity() -> None:
    assert notice(payload={"reason": "NaN and Infinity are words too"}).payload


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("B  is\r\nlive", "B is live"),
        (" \u2028a\x00b\x85c\ud800d ", "a b c d"),
        ("x" * 300, "x" * 199 + "…"),
        ("Größe", "Größe"),
    ],
)
def test_any_text_becomes_one_line(text: str, line: str) -> None:
    assert one_line(text) == line
    assert notice(title=line).title == line


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://example.com", "url_scheme"),
        ("javascript:alert(1)", "url_scheme"),
        ("example.com/hook", "url_scheme"),
        ("", "url_invalid"),
        ("https://", "url_invalid"),
        ("https:///path", "url_invalid"),
        ("https://example.com:0/", "url_invalid"),
        ("https://example.com:99999/", "url_invalid"),
        ("https://example.com/a b", "url_invalid"),
        ("https://example.com/\r\nHost: x", "url_invalid"),
        ("https://exämple.com/", "url_invalid"),
        ("https://example.com\\@evil.example", "url_invalid"),
        ("https://[::1/", "url_invalid"),
        ("https://example.com/#part", "url_invalid"),
        ("https://user:pass@example.com/", "url_credentials"),
        ("https://user@example.com/", "url_credentials"),
        ("https://@example.com/", "url_credentials"),
        ("https://example.com/" + "x" * 2_000, "url_too_long"),
    ],
)
def test_an_unfit_address_is_refused(url: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        webhook(url=url)
    assert (refusal.value.code, refusal.value.path) == (code, "/url")


@pytest.mark.parametrize("url", ["https://example.com", "http://127.0.0.1:8080/a?b=c", "http://[::1]:9/"])
def test_a_fit_address(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize("kinds", [frozenset(), frozenset({NoticeKind.TEST}), frozenset(NoticeKind)])
def test_a_webhook_wants_something_that_can_be_wanted(kinds: frozenset[NoticeKind]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        webhook(kinds=kinds)
    assert refusal.value.code == "kinds_invalid"


def test_no_secret_stands_in_a_repr() -> None:
    rotated = webhook().rotate(secret_of(b"n" * 32), now=NOW)
    assert "whsec_" not in repr(rotated)


def test_the_old_secret_signs_for_a_day() -> None:
    old, new = webhook().secret, secret_of(b"n" * 32)
    rotated = webhook().rotate(new, now=NOW)
    assert rotated.secrets(NOW + timedelta(hours=23, minutes=59)) == (new, old)
    assert rotated.secrets(NOW + timedelta(days=1)) == (new,)
    assert webhook().secrets(NOW) == (old,)


def _waits(delivery: Delivery, answer: Answer) -> list[float]:
    """Fail until given up; return the seconds between attempts."""
    waits, now = [], NOW
    for _ in range(MAX_ATTEMPTS):
        delivery = delivery.begin(now).settle(answer, now)
        if delivery.state is DeliveryState.PENDING:
            waits.append((delivery.next_attempt_at - now).total_seconds())
            now = delivery.next_attempt_at
    assert delivery.state is DeliveryState.DEAD
    return waits


def test_eight_attempts_over_about_a_day() -> None:
    waits = _waits(pending(), Answer(status=500, error="status:500"))
    assert len(waits) == 7
    for attempt, wait in enumerate(waits):
        assert 0.9 <= wait / (80 * 3**attempt) <= 1.1
    assert 22 <= sum(waits) / 3_600 <= 26


def test_nothing_waits_longer_than_the_longest_delay() -> None:
    """And some come within a hundredth of it, so that no shorter one would do."""
    answer = Answer(status=503, error="status:503", retry_after_seconds=10 * MOST_RETRY_AFTER_SECONDS)
    longest = max(max(_waits(pending(id=number), answer)) for number in range(100))
    assert 0.99 < longest / MOST_DELAY.total_seconds() <= 1


def test_the_jitter_is_the_same_again_and_another_for_another() -> None:
    answer = Answer(error="timeout")
    assert _waits(pending(), answer) == _waits(pending(), answer)
    firsts = {round(_waits(pending(id=number), answer)[0], 6) for number in range(100)}
    assert len(firsts) == 100
    assert min(firsts) < 74
    assert max(firsts) > 86


@pytest.mark.parametrize(
    ("asked", "least", "most"), [(600, 600, 600), (10, 72, 88), (-5, 72, 88), (10**9, 21_600, 21_600)]
)
def test_a_receiver_may_ask_for_more_patience_within_limits(asked: float, least: float, most: float) -> None:
    after = pending().begin(NOW).settle(Answer(status=503, error="status:503", retry_after_seconds=asked), NOW)
    assert least <= (after.next_attempt_at - NOW).total_seconds() <= most


def test_what_arrived_is_delivered_and_what_is_gone_is_dead() -> None:
    later = NOW + timedelta(seconds=3)
    arrived = pending(last_error="timeout").begin(NOW).settle(Answer(status=204), later)
    assert (arrived.state, arrived.last_status, arrived.last_error) == (DeliveryState.DELIVERED, 204, None)
    assert (arrived.attempts, arrived.updated_at) == (1, later)
    gone = pending().begin(NOW).settle(Answer(status=410, error="status:410", gone=True), later)
    assert (gone.state, gone.attempts) == (DeliveryState.DEAD, 1)


def test_only_the_dead_are_sent_again() -> None:
    dead = pending(attempts=8).bury("timeout", NOW)
    again = dead.revive(NOW + timedelta(days=2))
    assert (again.state, again.attempts, again.next_attempt_at) == (DeliveryState.PENDING, 0, NOW + timedelta(days=2))
    for state in (DeliveryState.PENDING, DeliveryState.DELIVERED):
        with pytest.raises(StateConflict) as refusal:
            replace(dead, state=state).revive(NOW)
        assert refusal.value.code == "delivery_not_dead"
        assert isinstance(refusal.value, DomainError)
