"""Signatures of what we post, by the convention of Standard Webhooks (https://www.standardwebhooks.com), version 1."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

from experiments.domain.errors import InvalidInput

PREFIX = "whsec_"
TOLERANCE_SECONDS = 300
LEAST_BYTES, MOST_BYTES = 24, 64


def secret_of(key: bytes) -> str:
    """Return a secret as it is shown, of 24 to 64 random bytes."""
    return PREFIX + base64.b64encode(key).decode()


def check_secret(secret: str, path: str = "/secret") -> None:
    """Refuse what is no secret; the refusal does not repeat it."""
    try:
        fit = secret.startswith(PREFIX) and LEAST_BYTES <= len(_key(secret)) <= MOST_BYTES
    except (binascii.Error, ValueError):
        fit = False
    if not fit:
        raise InvalidInput("secret_invalid", f"A secret is {PREFIX} and base64 of 24 to 64 bytes.", path=path)


def signed_headers(secrets: Sequence[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers of a message; while a secret is being rotated there is a signature by each."""
    timestamp = str(int(at.timestamp()))
    signatures = (f"v1,{base64.b64encode(_mac(secret, message_id, timestamp, body)).decode()}" for secret in secrets)
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": " ".join(signatures)}


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Say whether we sent this within the last five minutes. Names of headers are wanted in lower case."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    wanted = _mac(secret, message_id, timestamp, body)
    return any(hmac.compare_digest(wanted, sent) for sent in _sent(headers.get("webhook-signature", "")))


def _mac(secret: str, message_id: str, timestamp: str, body: bytes) -> bytes:
    return hmac.digest(_key(secret), f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


def _sent(header: str) -> list[bytes]:
    found = []
    for part in header.split(" "):
        version, _, signature = part.partition(",")
        if version == "v1":
            try:
                found.append(base64.b64decode(signature, validate=True))
            except (binascii.Error, ValueError):
                continue
    return found
