"""Consent: whether anything of a unit may be stored. Without it everybody's content is shown, and nothing is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class ConsentMode(StrEnum):
    """What holds for who has not said anything: `assumed` they consent, `required` they do not."""

    ASSUMED = "assumed"
    REQUIRED = "required"


class ConsentState(StrEnum):
    """`granted_again`: after a refusal; `unsaid`: what was granted went when the person was erased."""

    GRANTED = "granted"
    GRANTED_AGAIN = "granted_again"
    REFUSED = "refused"
    UNSAID = "unsaid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What a unit has said, by digest alone; `said_at` is its latest word, `since` when it began to say so."""

    unit_digest: str
    state: ConsentState
    said_at: datetime
    since: datetime
    said_by: str

    @property
    def granted(self) -> bool | None:
        """None where nothing is said any more."""
        return None if self.state is ConsentState.UNSAID else self.state is not ConsentState.REFUSED

    def hear(self, granted: bool, at: datetime, by: str, *, just_now: bool = False) -> Consent | None:
        """Return what holds after another word, None where a later one was heard. Of two at once, refusing counts.

        `just_now`: it does not say when it was said, and follows whatever was heard before. So does a refusal from
        before an erasure that arrives after it: refusals outlive an erasure.
        """
        if just_now or (self.state is ConsentState.UNSAID and not granted):
            at = max(at, self.said_at)
        elif at < self.said_at or (at == self.said_at and granted and not self.granted):
            return None
        if self.granted is granted:
            return replace(self, said_at=at, said_by=by)
        was_refused = self.state is ConsentState.REFUSED
        return replace(self, state=_state(granted, again=was_refused), said_at=at, since=at, said_by=by)

    def unsay(self, at: datetime) -> Consent:
        """Return what holds when the person was erased: a refusal stands, a grant is nobody's any more."""
        if self.state is ConsentState.REFUSED:
            return self
        return replace(self, state=ConsentState.UNSAID, said_at=max(at, self.said_at), since=at)


def first_word(unit_digest: str, granted: bool, at: datetime, by: str) -> Consent:
    """Return what holds after the first word of a unit."""
    return Consent(unit_digest=unit_digest, state=_state(granted, again=False), said_at=at, since=at, said_by=by)


def _state(granted: bool, *, again: bool) -> ConsentState:
    if not granted:
        return ConsentState.REFUSED
    return ConsentState.GRANTED_AGAIN if again else ConsentState.GRANTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What some units have said; who is not among them has said nothing."""

    mode: ConsentMode
    by_unit: Mapping[str, Consent]

    def lacks(self, unit_id: str) -> bool:
        """Say whether nothing of the unit may be stored now."""
        said = self.by_unit.get(unit_id)
        granted = None if said is None else said.granted
        return self.mode is ConsentMode.REQUIRED if granted is None else not granted

    def covers(self, unit_id: str, instant: datetime) -> bool:
        """Say whether what was received at that instant is not to be stored.

        Of who refuses now that is everything, of who consents again what was received before they did; where consent is
        required also what was received before it was given.
        """
        said = self.by_unit.get(unit_id)
        if said is None or not said.granted:
            return self.lacks(unit_id)
        is_bound = self.mode is ConsentMode.REQUIRED or said.state is ConsentState.GRANTED_AGAIN
        return is_bound and instant < said.since

    def changed_after(self, unit_id: str, instant: datetime) -> bool:
        """Say whether something else may have held then; a first grant changes nothing where it is assumed."""
        said = self.by_unit.get(unit_id)
        if said is None or said.since <= instant:
            return False
        return self.mode is ConsentMode.REQUIRED or said.state is not ConsentState.GRANTED
