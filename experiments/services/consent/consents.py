"""Consents: what units have said, kept by digest. Nothing is audited or logged: a row says who told us, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from experiments.domain.consent import Consent, ConsentMode, ConsentState, Said, first_word
from experiments.domain.erasure import unit_digest
from experiments.domain.errors import DomainError
from experiments.domain.names import check_id, check_instant
from experiments.services.ports import Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.profiles.profiles import ChangeStatus, check_at


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentWord:
    """What a unit says; `at` None: now."""

    unit_id: str
    granted: bool
    at: datetime | None = None

    def __post_init__(self) -> None:
        check_id(self.unit_id, "/unit_id")
        if self.at is not None:
            check_instant(self.at, "/at")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentVerdict:
    """The answer to one word; `outdated`: a later one is known."""

    unit_id: str | None
    status: ChangeStatus
    code: str | None = None
    message: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentView:
    """What holds for a unit; `said` None: it has said nothing. `is_stored`: what of it arrives now is stored."""

    unit_id: str
    mode: ConsentMode
    is_stored: bool
    said: Consent | None


class Consents:
    """`heard` is called after something was stored."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork, clock: Clock, heard: Callable[[], None]) -> None:
        self._open = open_unit_of_work
        self._clock = clock
        self._heard = heard

    def get(self, unit_id: str) -> ConsentView:
        """Return what holds for the unit; who was never heard of has said nothing."""
        check_id(unit_id, "/unit_id")
        with self._open(read_only=True) as work:
            said = work.consents.get(unit_digest(work.erasures.salt(), unit_id))
            return _view(unit_id, work.consents.mode, said)

    def say(self, word: ConsentWord, *, by: str) -> ConsentView:
        """Store a word, unless a later one is known; return what holds then. Raises InvalidInput for a later `at`."""
        with self._open() as work:
            hearing = _Hearing(work, [word], self._clock(), by)
            check_word(word, hearing.now)
            hearing.hear(word)
            hearing.store()
            view = _view(word.unit_id, work.consents.mode, hearing.known(word.unit_id))
        self._heard()
        return view

    def say_many(self, items: Sequence[ConsentWord | ConsentVerdict], *, by: str) -> list[ConsentVerdict]:
        """Return a verdict per item, in order; a verdict among the items stands for one that could not be read.

        Raises Unavailable: then nothing was stored.
        """
        with self._open() as work:
            words = [item for item in items if isinstance(item, ConsentWord)]
            hearing = _Hearing(work, words, self._clock(), by)
            verdicts = [item if isinstance(item, ConsentVerdict) else hearing.judge(item) for item in items]
            hearing.store()
        self._heard()
        return verdicts


class _Hearing:
    """Several words in one transaction; of one unit there may be several, and they follow one another.

    What one id says all ids of the person say: nobody is joined meanwhile.
    """

    def __init__(self, work: UnitOfWork, words: Iterable[ConsentWord], now: datetime, by: str) -> None:
        self._work, self._by, self.now = work, by, now
        salt = work.erasures.salt()
        self._digests = {word.unit_id: unit_digest(salt, word.unit_id) for word in words}
        self._said = dict(work.consents.to_change(list(self._digests.values())))
        self._others = {
            unit_id: [unit_digest(salt, other) for other in others]
            for unit_id, others in _other_ids(work, list(self._digests)).items()
        }
        self._said |= work.consents.to_change([digest for digests in self._others.values() for digest in digests])
        self._changed: dict[str, Consent] = {}

    def judge(self, word: ConsentWord) -> ConsentVerdict:
        try:
            check_word(word, self.now)
        except DomainError as refusal:
            return refused_word(word.unit_id, refusal)
        return ConsentVerdict(unit_id=word.unit_id, status=self.hear(word))

    def hear(self, word: ConsentWord) -> ChangeStatus:
        """Let all ids of the person say it, unless one of them has said something later."""
        digests = (self._digests[word.unit_id], *self._others.get(word.unit_id, ()))
        latest = max((said for one in digests if (said := self._said.get(one))), key=_order, default=None)
        at = word.at or self.now
        if latest is not None:
            heard = latest.hear(word.granted, at, self._by, just_now=word.at is None)
            if heard is None:
                return ChangeStatus.OUTDATED
            at = heard.said_at
        elif word.granted and word.at is not None and self._is_erased(digests, word.at):
            return ChangeStatus.OUTDATED
        changed = [self._hear(digest, word.granted, at) for digest in digests]
        return ChangeStatus.ACCEPTED if any(changed) else ChangeStatus.UNCHANGED

    def _hear(self, digest: str, granted: bool, at: datetime) -> bool:
        before = self._said.get(digest)
        after = first_word(digest, granted, at, self._by)
        if before is not None:  # nothing later was said, as nobody of the person has
            after = before.hear(granted, at, self._by, just_now=True) or after
        if before is not None and (after.state, after.said_at) == (before.state, before.said_at):
            return False
        self._said[digest] = self._changed[digest] = after
        return True

    def _is_erased(self, digests: Sequence[str], at: datetime) -> bool:
        """Say whether one of them was erased since: who was granted something then is nobody any more."""
        latest = self._work.erasures.latest()
        if latest is None or latest < at:
            return False
        erased = self._work.erasures.since(at)
        return any(digest in erased.at for digest in digests)

    def known(self, unit_id: str) -> Consent | None:
        return self._said.get(self._digests[unit_id])

    def store(self) -> None:
        if self._changed:
            self._work.consents.put(list(self._changed.values()))
            self._work.commit()


def _order(said: Consent) -> tuple[datetime, bool]:
    """The latest word counts; of two at once, refusing."""
    return said.said_at, said.state is ConsentState.REFUSED


def _other_ids(work: UnitOfWork, unit_ids: Sequence[str]) -> dict[str, list[str]]:
    """Return, of those who are joined to others, who else they are."""
    work.identities.hold()
    return {
        unit_id: [other.unit_id for other in work.identities.of_person(one.person_id) if other.unit_id != unit_id]
        for unit_id, one in work.identities.some(unit_ids).items()
    }


def check_word(word: ConsentWord, now: datetime) -> None:
    """Raise InvalidInput where somebody speaks of what is yet to come."""
    if word.at is not None:
        check_at(word.at, now)


def refused_word(unit_id: str | None, refusal: DomainError) -> ConsentVerdict:
    """Return the verdict that tells of a refusal."""
    return ConsentVerdict(
        unit_id=unit_id,
        status=ChangeStatus.REJECTED,
        code=refusal.code,
        message=refusal.message,
        path=refusal.path,
    )


def _view(unit_id: str, mode: ConsentMode, said: Consent | None) -> ConsentView:
    heard = Said(mode=mode, by_unit={} if said is None else {unit_id: said})
    is_said = said is not None and said.granted is not None
    return ConsentView(unit_id=unit_id, mode=mode, is_stored=not heard.lacks(unit_id), said=said if is_said else None)
