"""Who is to be told, and what is still to be told."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from experiments.domain.delivery import Delivery, DeliveryState, Letter
from experiments.domain.notice import Notice
from experiments.domain.webhook import Webhook
from experiments.services.paging import Page, Stored


class WebhookStore(Protocol):
    def add(self, webhook: Webhook, *, now: datetime) -> Stored[Webhook]:
        """Raise AlreadyExists."""

    def get(self, webhook_id: str) -> Stored[Webhook]:
        """Raise NotFound."""

    def save(self, webhook: Webhook, *, expected_revision: int, now: datetime) -> Stored[Webhook]:
        """Raise RevisionMismatch, NotFound."""

    def remove(self, webhook_id: str) -> None:
        """Raise NotFound."""

    def page(self, *, after: str | None, limit: int) -> Page[Stored[Webhook]]:
        """In order of id."""


class NoticeOutbox(Protocol):
    """What is to be told, stored together with the act that it tells of: both are committed, or neither is."""

    def append(self, notice: Notice) -> None:
        """Store it with a delivery to each active webhook that wants its kind, and one by e-mail.

        Whether e-mail is configured only the process that delivers knows; where it is not, that delivery is dropped.
        """

    def knows(self, notice_id: str) -> bool:
        """Say whether a notice with that id is stored, sent or not."""

    def append_to(self, notice: Notice, target: str) -> Letter:
        """Store it with one delivery, to that target alone."""

    def claim(self, *, now: datetime, without: Collection[str] = ()) -> Letter | None:
        """Begin the delivery that is due longest, in one step: of two callers, one gets it. None where nothing is due.

        First attempts go before those that are made again; nothing to the targets in `without` is begun.
        One that lies further ahead than `MOST_DELAY` by more than `CLOCKS_APART` is due: the clock has been set back
        since it was set, and it would wait until it has been there again.
        Whoever has it settles it by `change` before its lease ends; else somebody else gets it.
        """

    def get(self, delivery_id: int) -> Letter:
        """Raise NotFound."""

    def change(self, before: Delivery, after: Delivery) -> bool:
        """Store the delivery as it is now; False, and nothing stored, where it is not as it was before any more."""

    def drop(self, delivery: Delivery) -> None:
        """Remove a delivery that has nowhere to go."""

    def bury_all(self, target: str, *, error: str, now: datetime) -> int:
        """Give up all that is pending for a target; return how many that were."""

    def drop_all(self, target: str) -> None:
        """Remove all deliveries to a target."""

    def page(self, *, state: DeliveryState | None, target: str | None, after: str | None, limit: int) -> Page[Letter]:
        """Newest first."""

    def purge(self, *, delivered_before: datetime, dead_before: datetime, keep_alerts_of: Collection[str] = ()) -> int:
        """Remove old deliveries that are done with, and notices of which none is left; return how many deliveries.

        Notices younger than `delivered_before` stay, and so do alerts of the experiments named.
        """
