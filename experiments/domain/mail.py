"""Mail: which server takes it, and who is written to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl, unquote, urlsplit

from experiments.domain.errors import InvalidInput

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Security(StrEnum):
    """How the line to the mail server is encrypted: not, from the second command on, or from the first byte on."""

    PLAIN = "plain"
    STARTTLS = "starttls"
    TLS = "tls"


_USUAL_PORT: Mapping[Security, int] = {Security.PLAIN: 25, Security.STARTTLS: 587, Security.TLS: 465}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    host: str
    port: int
    security: Security
    user: str = ""
    password: str = field(default="", repr=False)


def mail_server(url: str) -> MailServer:
    """Return the server at `smtp://…`, `smtp://…?starttls=1` or `smtps://…`; a refusal repeats nothing of the address.

    A password does not travel in the clear: without encryption it is only for a server on this machine.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _unfit() from None
    query = parse_qsl(parts.query, keep_blank_values=True)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path not in ("", "/") or port == 0:
        raise _unfit()
    if [name for name, _ in query] not in ([], ["starttls"]) or any(value not in ("0", "1") for _, value in query):
        raise _unfit()
    security = Security.STARTTLS if ("starttls", "1") in query else Security.PLAIN
    if parts.scheme == "smtps":
        security = Security.TLS
    if parts.password and security is Security.PLAIN and parts.hostname not in _LOOPBACK:
        raise InvalidInput("smtp_password_in_clear", "A password needs smtps:// or ?starttls=1.")
    return MailServer(
        host=parts.hostname,
        port=port or _USUAL_PORT[security],
        security=security,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def check_address(address: str) -> None:
    """Refuse what is no plain mail address; with a name or a line break it would be more than one header."""
    if not _ADDRESS.match(address):
        raise InvalidInput("address_invalid", "A mail address is wanted such as ada@example.com.")


def _unfit() -> InvalidInput:
    return InvalidInput(
        "smtp_url_invalid", "A mail server is smtp://user:password@host:587?starttls=1 or smtps://user:password@host."
    )
