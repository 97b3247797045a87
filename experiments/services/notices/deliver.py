"""Delivering: what lies in the outbox is sent, again and again until it arrives or is given up.

At least once: an attempt that is cut off in the middle is made again when its lease ends, so a receiver may see a
notice twice, and knows it by its id.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from experiments.domain.delivery import EMAIL, Answer, Delivery, Letter
from experiments.domain.errors import NotFound
from experiments.domain.experiment import UNDER_WAY
from experiments.domain.webhook import DISABLED, Webhook
from experiments.services.paging import Stored
from experiments.services.ports import AuditEntry, Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.retry import retried

ACTOR = "deliverer"
ROUND_SECONDS = 30
"""No attempt is begun later than this in one call; the worker calls again."""
REST_SECONDS = 60
"""Who could not be reached is left alone for so long: an attempt takes its full time, and the others wait for it."""
DELIVERED_KEPT_DAYS = 30
DEAD_KEPT_DAYS = 90
PURGE_EVERY_SECONDS = 3_600

log = structlog.get_logger("winnow.deliver")


class Send(Protocol):
    """Makes one attempt and never raises for what a receiver does; None where nobody is configured to be written to."""

    def __call__(self, letter: Letter, webhook: Webhook | None, now: datetime) -> Answer | None: ...


class Deliverer:
    """Any number may run beside each other: each delivery is claimed by one of them, outside of any transaction."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork, clock: Clock, send: Send) -> None:
        self._open = open_unit_of_work
        self._clock = clock
        self._send = send
        self._purged_at: datetime | None = None
        self._resting_until: dict[str, datetime] = {}

    def deliver_due(self, limit: int = 100, is_over: Callable[[], bool] = lambda: False) -> int:
        """Make at most so many attempts at what is due, until told that it is over; return how many were made."""
        until = self._clock() + timedelta(seconds=ROUND_SECONDS)
        attempts = 0
        while attempts < limit and self._clock() <= until and not is_over():
            letter, webhook = self._claim()
            if letter is None:
                break
            attempts += self._attempt(letter, webhook)
        self._purge()
        return attempts

    def _claim(self) -> tuple[Letter | None, Webhook | None]:
        now = self._clock()
        # One that would rest for longer began to by a clock that has been set back since.
        latest = now + timedelta(seconds=REST_SECONDS)
        self._resting_until = {who: until for who, until in self._resting_until.items() if now < until <= latest}
        with self._open() as work:
            letter = work.notices.claim(now=now, without=self._resting_until)
            webhook = _receiver(work, letter) if letter else None
            work.commit()
        return letter, webhook

    def _attempt(self, letter: Letter, webhook: Webhook | None) -> bool:
        delivery, now = letter.delivery, self._clock()
        if delivery.is_spent:
            self._change(delivery, delivery.bury("interrupted", now))
            return False
        if delivery.target != EMAIL and webhook is None:
            self._drop(delivery)
            return False
        if webhook is not None and not webhook.active:
            self._change(delivery, delivery.bury(DISABLED, now))
            return False
        answer = self._answer(letter, webhook, now)
        if answer is None:
            self._drop(delivery)
            return False
        self._settle(letter, webhook, answer)
        return True

    def _answer(self, letter: Letter, webhook: Webhook | None, now: datetime) -> Answer | None:
        try:
            return self._send(letter, webhook, now)
        except Exception as trouble:
            log.exception("delivery_failed", delivery=letter.delivery.id, target=letter.delivery.target)
            return Answer(error=f"internal:{type(trouble).__name__}")

    def _settle(self, letter: Letter, webhook: Webhook | None, answer: Answer) -> None:
        before = letter.delivery
        now = self._clock()
        after = before.settle(answer, now)
        if answer.unreached:
            self._resting_until[before.target] = now + timedelta(seconds=REST_SECONDS)
        if answer.gone and webhook is not None:
            retried(lambda: self._give_up_on(webhook, before, after))
        else:
            self._change(before, after)
        told = {"delivery": after.id, "notice": after.notice_id, "target": after.target, "attempts": after.attempts}
        log.info("delivery", **told, state=str(after.state), status=after.last_status, error=after.last_error)

    def _change(self, before: Delivery, after: Delivery) -> None:
        with self._open() as work:
            if not work.notices.change(before, after):
                log.warning("lease_overrun", delivery=before.id, target=before.target)
            work.commit()

    def _drop(self, delivery: Delivery) -> None:
        with self._open() as work:
            work.notices.drop(delivery)
            work.commit()

    def _give_up_on(self, sent_to: Webhook, before: Delivery, after: Delivery) -> None:
        """The receiver says that it is gone for good: the webhook is switched off, unless it was changed meanwhile."""
        now = self._clock()
        with self._open() as work:
            # The webhook first: of two that are told so at once, one waits here, not in the middle of deliveries.
            webhook = _current(work, sent_to.id)
            stands = webhook is not None and webhook.value.active and webhook.value.url == sent_to.url
            if webhook is not None and stands:
                off = replace(webhook.value, active=False)
                work.webhooks.save(off, expected_revision=webhook.revision, now=now)
                work.audit.append(_gone(sent_to, now))
            work.notices.change(before, after)
            if stands:
                work.notices.bury_all(sent_to.id, error=DISABLED, now=now)
            work.commit()

    def _purge(self) -> None:
        now = self._clock()
        if self._purged_at is not None and now - self._purged_at < timedelta(seconds=PURGE_EVERY_SECONDS):
            return
        with self._open() as work:
            work.notices.purge(
                delivered_before=now - timedelta(days=DELIVERED_KEPT_DAYS),
                dead_before=now - timedelta(days=DEAD_KEPT_DAYS),
                # An alert is told once, and it is by its notice that it is known to be told.
                keep_alerts_of={one.key for one in work.experiments.with_status(UNDER_WAY)},
            )
            work.commit()
        self._purged_at = now


def _receiver(work: UnitOfWork, letter: Letter) -> Webhook | None:
    stored = _current(work, letter.delivery.target) if letter.delivery.target != EMAIL else None
    return stored.value if stored else None


def _current(work: UnitOfWork, webhook_id: str) -> Stored[Webhook] | None:
    try:
        return work.webhooks.get(webhook_id)
    except NotFound:
        return None


def _gone(webhook: Webhook, at: datetime) -> AuditEntry:
    return AuditEntry(
        at=at,
        actor=ACTOR,
        action="webhook.disable",
        subject=webhook.id,
        detail={"host": webhook.host, "reason": "The receiver answered 410 Gone."},
    )
