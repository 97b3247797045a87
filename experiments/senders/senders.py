"""Which way a letter goes."""

from __future__ import annotations

from datetime import datetime

from experiments.domain.delivery import Answer, Letter
from experiments.domain.webhook import Webhook
from experiments.senders.mail import Mail
from experiments.senders.post import Post


class Senders:
    """Answers the deliverer: to a webhook by HTTP, else by e-mail where that is configured."""

    def __init__(self, post: Post, mail: Mail | None) -> None:
        self._post = post
        self._mail = mail

    def __call__(self, letter: Letter, webhook: Webhook | None, now: datetime) -> Answer | None:
        """Make one attempt; None where there is nobody to write to."""
        if webhook is not None:
            return self._post(letter.notice, webhook, now)
        return self._mail(letter.notice, now) if self._mail else None
