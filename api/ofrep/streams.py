"""Where a client hears of changes, and what it does with what it heard."""

from __future__ import annotations

import time
from urllib.parse import urlencode

from flask import current_app, g

from api.current import winnow
from api.ofrep.evaluation import encode
from experiments.domain.stream_ticket import ticket
from experiments.services.assigning.catalog import CatalogHolder

PATH = "/ofrep/v1/stream"
INACTIVITY_SECONDS = 120
"""How long a hidden tab stays connected."""
_MAX_DIGITS = 18


def address_of_streams(since: int) -> tuple[bytes, str]:
    """Return what `encoded_streams` does, for whoever makes the present request."""
    return encoded_streams(
        winnow().settings.stream_url, current_app.config["SECRET_KEY"], g.principal.key_id, since, time.time()
    )


def encoded_streams(url: str, secret: str, key_id: str, since: int, now_seconds: float) -> tuple[bytes, str]:
    """Return the encoded list of event streams and the ticket in it, or nothing where there are no streams.

    `since` is the catalog version that the client has seen: if there is a newer one when it connects, it hears at once.
    """
    if not url:
        return b"", ""
    opens = ticket(secret, key_id, now_seconds)
    address = f"{url}{PATH}?{urlencode({'since': since, 'ticket': opens})}"
    return encode([{"type": "sse", "url": address, "inactivityDelaySec": INACTIVITY_SECONDS}]), opens


def catch_up_with(catalog: CatalogHolder, noticed: str) -> None:
    """Look at the database where a client heard of a version that this process has not seen yet."""
    if (
        noticed.isascii()
        and noticed.isdigit()
        and len(noticed) <= _MAX_DIGITS
        and int(noticed) > catalog.current.version
    ):
        catalog.catch_up()
