"""Keys: who is asking, and what they may do."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from experiments.domain.definition import MAX_TAGS
from experiments.domain.errors import Forbidden, InvalidInput, NotFound, Unauthenticated, Unavailable
from experiments.domain.names import check_key, check_text
from experiments.services.paging import Page
from experiments.services.patient_reader import PatientReader
from experiments.services.ports import ApiKey, AuditEntry, Clock, OpenUnitOfWork

PREFIX = "wk"
REMEMBERED_SECONDS = 4
"""With the second that the fast lane adds, a revoked key is refused at the latest five after it was revoked."""
MAX_REMEMBERED = 10_000


class Scope(StrEnum):
    """`admin` includes all others; `client` is for browsers, where everybody can read the key: ask and report.

    `profiles` reads and writes what is known of single units; no other scope but `admin` does.
    """

    CLIENT = "client"
    ASSIGN = "assign"
    INGEST = "ingest"
    READ = "read"
    WRITE = "write"
    PROFILES = "profiles"
    ADMIN = "admin"


_BESIDE_CLIENT = frozenset({Scope.ASSIGN, Scope.INGEST})
"""What a key for browsers may do as well."""
_BY_TAG = frozenset({Scope.CLIENT, Scope.ASSIGN, Scope.INGEST})
"""Only what asks about experiments can be limited to some: who reads or writes here sees them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody who was recognised. With `tags`, experiments that have none of them do not exist for them."""

    key_id: str
    name: str
    scopes: frozenset[str]
    tags: frozenset[str] = frozenset()

    @property
    def is_public(self) -> bool:
        """Whether the key can be read by anybody, as it stands in a page or an address."""
        return Scope.CLIENT in self.scopes

    def may(self, scope: Scope) -> bool:
        """Say whether the scope is theirs."""
        if scope in self.scopes or Scope.ADMIN in self.scopes:
            return True
        return self.is_public and scope in _BESIDE_CLIENT

    def require(self, scope: Scope) -> None:
        """Raise Forbidden."""
        if not self.may(scope):
            raise Forbidden(scope)

    def require_secret(self, scope: Scope) -> None:
        """Raise Forbidden, also for a public key that may otherwise do as much."""
        if self.is_public:
            raise Forbidden(scope)
        self.require(scope)

    def require_public(self) -> None:
        """Raise Forbidden for a secret key: it has no business in an address, which proxies write down."""
        if not self.is_public:
            raise Forbidden(Scope.CLIENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """The only time the whole key can be seen."""

    key: ApiKey
    text: str


class Keys:
    """Keys are `wk_<id>_<secret>`; at rest there is only the hash of the secret (256 random bits need no salt)."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._open = open_unit_of_work
        self._clock = clock
        self._remembered: dict[str, tuple[datetime, ApiKey, int]] = {}
        self._questions = itertools.count()
        self._reader = PatientReader(self._read, name="winnow-key")
        self.revocations = 0
        """How many keys this process has revoked: who remembers keys on top of this forgets them when it grows."""

    def create(self, name: str, scopes: frozenset[str], *, actor: str, tags: frozenset[str] = frozenset()) -> NewKey:
        """Raise InvalidInput for an unknown scope, one that does not go with the others, and for unfit tags."""
        check_text(name, "/name", least=1, most=200)
        unknown = scopes - set(Scope)
        if unknown or not scopes:
            raise InvalidInput("scope_unknown", f"Scopes are {', '.join(Scope)}.", path="/scopes")
        _check_public(scopes)
        _check_tags(scopes, tags)
        key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        key = ApiKey(
            id=key_id, name=name, secret_sha256=_sha256(secret), scopes=scopes, tags=tags, created_at=self._clock()
        )
        with self._open() as work:
            work.keys.add(key)
            work.audit.append(_entry(key, "key.create", actor, key.created_at))
            work.commit()
        return NewKey(key=key, text=f"{PREFIX}_{key_id}_{secret}")

    def revoke(self, key_id: str, *, actor: str) -> ApiKey:
        """Raise NotFound."""
        now = self._clock()
        with self._open() as work:
            key = work.keys.revoke(key_id, now=now)
            work.audit.append(_entry(key, "key.revoke", actor, now))
            work.commit()
        self.revocations += 1
        self._remembered.pop(key_id, None)
        return key

    def page(self, *, after: str | None, limit: int) -> Page[ApiKey]:
        """List keys, without secrets."""
        with self._open(read_only=True) as work:
            return work.keys.page(after=after, limit=limit)

    def authenticate(self, text: str) -> Principal:
        """Raise Unauthenticated for anything but a whole key that is not revoked."""
        prefix, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        if prefix != PREFIX or not key_id or not secret:
            raise Unauthenticated
        principal, digest = self._look_up(key_id)
        if not hmac.compare_digest(digest, _sha256(secret)):
            raise Unauthenticated
        return principal

    def principal(self, key_id: str) -> Principal:
        """Return who a signed session belongs to. Raises Unauthenticated where the key is revoked or gone."""
        return self._look_up(key_id)[0]

    def _look_up(self, key_id: str) -> tuple[Principal, str]:
        remembered = self._remembered.get(key_id)
        if remembered is None:
            key = self._reader.read(key_id, join=True)
        elif timedelta(0) <= self._clock() - remembered[0] <= timedelta(seconds=REMEMBERED_SECONDS):
            key = remembered[1]
        else:
            key = self._look_again(key_id, remembered[1])
        if key.revoked_at is not None:
            raise Unauthenticated
        return Principal(key_id=key.id, name=key.name, scopes=key.scopes, tags=key.tags), key.secret_sha256

    def _look_again(self, key_id: str, known: ApiKey) -> ApiKey:
        """Read a key anew. While the database is away nobody can revoke it there: what was read last still holds.

        Requests that come meanwhile do not wait too: a database that is away may take its time to be so.
        """
        try:
            return self._reader.read(key_id, join=False)
        except Unavailable:
            return known

    def _read(self, key_id: str) -> ApiKey:
        """Read a key and remember it from the answer on: what took long is not old for that.

        An answer that comes after that of a later question is not heard.
        """
        revocations, question = self.revocations, next(self._questions)
        try:
            with self._open(read_only=True) as work:
                key = work.keys.get(key_id)
        except NotFound:
            self._remembered.pop(key_id, None)
            raise Unauthenticated from None
        remembered = self._remembered.get(key_id)
        if remembered is not None and remembered[2] > question:
            return remembered[1]
        if revocations == self.revocations:  # else it may be the one, read before that
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[key_id] = (self._clock(), key, question)
        return key


def _check_public(scopes: frozenset[str]) -> None:
    if Scope.CLIENT in scopes and len(scopes) > 1:
        raise InvalidInput(
            "scope_client_alone", "A key for browsers is read by everybody: `client` stands alone.", path="/scopes"
        )


def _check_tags(scopes: frozenset[str], tags: frozenset[str]) -> None:
    if len(tags) > MAX_TAGS:
        raise InvalidInput("tags_count", f"A key has at most {MAX_TAGS} tags.", path="/tags")
    for tag in sorted(tags):
        check_key(tag, "/tags")
    if tags and not scopes <= _BY_TAG:
        raise InvalidInput(
            "tags_without_effect", f"Tags limit {', '.join(sorted(_BY_TAG))}; other scopes see all.", path="/tags"
        )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _entry(key: ApiKey, action: str, actor: str, at: datetime) -> AuditEntry:
    detail = {"name": key.name, "scopes": sorted(key.scopes), **({"tags": sorted(key.tags)} if key.tags else {})}
    return AuditEntry(at=at, actor=actor, action=action, subject=key.id, detail=detail)
