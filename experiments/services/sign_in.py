"""Sign-in links: a short-lived signed token that names an API key, so that the key itself stands in no address."""

from __future__ import annotations

import secrets

from itsdangerous import BadData, URLSafeTimedSerializer

from experiments.domain.errors import Unauthenticated
from experiments.services.keys import Keys, Principal
from experiments.services.ports import Clock, OpenUnitOfWork

_SALT = "sign-in"
LINK_SECONDS = 600


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


class SignInLinks:
    """Honours each link once, whichever process it reaches: the first use takes a lease that outlives the link."""

    def __init__(self, keys: Keys, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._keys = keys
        self._open = open_unit_of_work
        self._clock = clock

    def honour(self, secret_key: str, token: str) -> Principal:
        """Return who signs in. Raises Unauthenticated for a link that is not ours, too old, used, or of a dead key."""
        key_id, nonce = read_token(secret_key, token, LINK_SECONDS)
        principal = self._keys.principal(key_id)
        with self._open() as work:
            first = work.leases.acquire(
                f"sign-in/{nonce}", holder=secrets.token_hex(8), now=self._clock(), ttl_seconds=2 * LINK_SECONDS
            )
            work.commit()
        if not first:
            raise Unauthenticated
        return principal


def _serializer(secret_key: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret_key, salt=_SALT)
