"""Ticket: what opens a change stream. It stands in an address, since an `EventSource` cannot send headers.

It names a key without holding its secret, is good for the hour that it was written in and the next, and opens nothing
but notices that something has changed. Within an hour a key's ticket is the same, so that clients stay connected.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

HOUR = 3_600


def ticket(secret: str, key_id: str, now_seconds: float) -> str:
    """Return the ticket of this hour."""
    return _written(secret, key_id, int(now_seconds // HOUR))


def key_of(secret: str, text: str, now_seconds: float) -> str | None:
    """Return the id of the key that a genuine ticket of this hour or the last was written for."""
    key_id, _, rest = text.partition(".")
    hour, _, _signature = rest.partition(".")
    if not (key_id and hour.isascii() and hour.isdigit() and len(hour) <= 12):
        return None
    written = int(hour)
    if written not in (present := int(now_seconds // HOUR), present - 1):
        return None
    return key_id if hmac.compare_digest(text.encode(), _written(secret, key_id, written).encode()) else None


def _written(secret: str, key_id: str, hour: int) -> str:
    message = f"{key_id}.{hour}"
    mac = hmac.digest(secret.encode(), b"winnow change stream 1\x00" + message.encode(), hashlib.sha256)
    return f"{message}.{base64.urlsafe_b64encode(mac[:18]).decode()}"
