"""Webhooks: addresses of other systems that want to be told."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import SplitResult, urlsplit

from experiments.domain.errors import InvalidInput
from experiments.domain.names import check_instant, check_key
from experiments.domain.notice import NoticeKind
from experiments.domain.signature import check_secret

MAX_URL_LENGTH = 2_000
ROTATION_OVERLAP_SECONDS = 86_400
"""How long after a rotation we sign with the old secret too, so that a receiver can change over in peace."""
DISABLED = "webhook_disabled"
"""Why something is not sent: its webhook is switched off."""
SUBSCRIBABLE = frozenset(NoticeKind) - {NoticeKind.TEST}
_PRINTABLE = re.compile(r"[\x21-\x7e]+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where notices of some kinds are posted to, and the secret that signs them.

    The secret rests as it is, not as a hash: we sign with it. It is shown when it is made, and never again.
    """

    id: str
    url: str
    kinds: frozenset[NoticeKind]
    secret: str = field(repr=False)
    created_at: datetime
    active: bool = True
    retired_secret: str | None = field(default=None, repr=False)
    retired_until: datetime | None = None

    def __post_init__(self) -> None:
        check_key(self.id, "/id")
        check_url(self.url)
        check_kinds(self.kinds)
        check_secret(self.secret)
        check_instant(self.created_at, "/created_at")

    def rotate(self, secret: str, *, now: datetime) -> Webhook:
        """Return the webhook with another secret; the present one signs beside it for a day."""
        until = now + timedelta(seconds=ROTATION_OVERLAP_SECONDS)
        return replace(self, secret=secret, retired_secret=self.secret, retired_until=until)

    def secrets(self, now: datetime) -> tuple[str, ...]:
        """Return what to sign with, the newest first."""
        if self.retired_secret is None or self.retired_until is None or now >= self.retired_until:
            return (self.secret,)
        return (self.secret, self.retired_secret)

    @property
    def host(self) -> str:
        """The part of the address that may be told to anybody: the rest is often as good as a password."""
        return urlsplit(self.url).hostname or ""


def check_url(url: object, path: str = "/url") -> None:
    """Refuse what is no address of a web server, and one that holds credentials (the audit trail would keep them)."""
    if not isinstance(url, str) or len(url) > MAX_URL_LENGTH:
        raise InvalidInput("url_too_long", f"An address has at most {MAX_URL_LENGTH} characters.", path=path)
    parts = _split(url)
    if parts is None or not _PRINTABLE.match(url) or "\\" in url:
        raise InvalidInput("url_invalid", "An address is wanted such as https://example.com/hook.", path=path)
    if parts.scheme not in ("http", "https"):
        raise InvalidInput("url_scheme", "An address begins with https:// or http://.", path=path)
    if "@" in parts.netloc:
        raise InvalidInput("url_credentials", "An address holds no user name or password.", path=path)
    if not parts.hostname or parts.fragment:
        raise InvalidInput("url_invalid", "An address has a host, and no fragment.", path=path)


def check_kinds(kinds: Collection[NoticeKind], path: str = "/kinds") -> None:
    """Refuse a webhook that wants nothing, or what nobody can want."""
    if not kinds or not SUBSCRIBABLE.issuperset(kinds):
        wanted = ", ".join(kind for kind in NoticeKind if kind in SUBSCRIBABLE)
        raise InvalidInput("kinds_invalid", f"Some of these are wanted: {wanted}.", path=path)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        return parts if parts.port != 0 else None  # reading the port refuses what is no port
    except ValueError:
        return None
