"""E-mail by SMTP."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import partial

from experiments.domain.delivery import Answer
from experiments.domain.mail import MailServer, Security
from experiments.domain.notice import Notice
from experiments.senders.message import as_text
from experiments.senders.within import within

TIMEOUT_SECONDS = 10.0
"""For each piece that is read."""
ATTEMPT_SECONDS = 30.0
"""For all of it: a server may say a little now and then, for ever."""


class Mail:
    """One plain message for all addressees. Once a server took it for one of them, it is not sent again."""

    def __init__(
        self,
        server: MailServer,
        *,
        sender: str,
        recipients: tuple[str, ...],
        public_url: str = "",
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._sender = sender
        self._recipients = recipients
        self._public_url = public_url
        self._trust = trust or ssl.create_default_context()

    def __call__(self, notice: Notice, now: datetime) -> Answer:
        """Make one attempt. What the server said is not kept, beyond its number: it often repeats addresses."""
        message = self.message(notice, now)
        try:
            refused = within(ATTEMPT_SECONDS, partial(self._handed_over, message))
        except TimeoutError:
            return Answer(error="timeout", unreached=True)
        except smtplib.SMTPResponseException as trouble:
            return Answer(status=trouble.smtp_code, error=f"smtp:{trouble.smtp_code}")
        except (smtplib.SMTPException, OSError) as trouble:
            # Of smtplib's own errors (they are OSErrors as well) only this one is a line that went silent.
            silent = isinstance(trouble, smtplib.SMTPServerDisconnected)
            unreached = silent or not isinstance(trouble, smtplib.SMTPException)
            return Answer(error=f"smtp:{type(trouble).__name__}", unreached=unreached)
        return Answer(status=250, remark=f"refused:{len(refused)}/{len(self._recipients)}" if refused else "")

    def message(self, notice: Notice, now: datetime) -> EmailMessage:
        """Return the message. The policy refuses a header with a line break, should one ever get this far."""
        message = EmailMessage(policy=SMTP)
        message["From"] = self._sender
        message["To"] = ", ".join(self._recipients)
        message["Subject"] = notice.title
        message["Date"] = format_datetime(now)
        message["Message-ID"] = f"<{notice.id}@{self._sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        text = as_text(notice, self._public_url).encode(errors="replace").decode()
        message.set_content(text, cte="quoted-printable")
        return message

    def _handed_over(self, message: EmailMessage) -> Mapping[str, object]:
        """Return the addressees that the server did not take. How it says goodbye does not matter any more."""
        server = self._connected()
        try:
            return server.send_message(message, self._sender, self._recipients)
        finally:
            with suppress(smtplib.SMTPException, OSError):
                server.quit()

    def _connected(self) -> smtplib.SMTP:
        to = self._server
        if to.security is Security.TLS:
            server: smtplib.SMTP = smtplib.SMTP_SSL(to.host, to.port, timeout=TIMEOUT_SECONDS, context=self._trust)
        else:
            server = smtplib.SMTP(to.host, to.port, timeout=TIMEOUT_SECONDS)
        try:
            if to.security is Security.STARTTLS:
                server.starttls(context=self._trust)
            if to.user:
                server.login(to.user, to.password)
        except BaseException:
            server.close()
            raise
        return server
