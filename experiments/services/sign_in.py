"""Sign-in links: a short-lived signed token that names an API key, so that the key itself stands in no address."""

from __future__ import annotations

from itsdangerous import BadData, URLSafeTimedSerializer

from experiments.domain.errors import Unauthenticated

_SALT = "sign-in"


def make_token(secret_key: str, key_id: str, nonce: str) -> str:
    """Return a token that signs in as that key; by the nonce, whoever reads it can accept it once only."""
    return str(_serializer(secret_key).dumps({"key": key_id, "nonce": nonce}))


def read_token(secret_key: str, token: str, max_age_seconds: int) -> tuple[str, str]:
    """Return (key_id, nonce). Raises Unauthenticated where it is not ours, was changed or is too old."""
    try:
        content = _serializer(secret_key).loads(token, max_age=max_age_seconds)
        return str(content["key"]), str(content["nonce"])
    except (BadData, KeyError, TypeError):
        raise Unauthenticated from None


def _serializer(secret_key: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret_key, salt=_SALT)
