"""Profiles: what is known of a unit, each source's statements laid over one another."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from experiments.domain.attribute import Attribute
from experiments.domain.canonical import canonical_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a source says of one attribute since when; None takes back what it said before."""

    value: Any
    at: datetime


Said = Mapping[str, Statement]
"""attribute -> statement: all that one source says of a unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """All that is said of a unit, by source."""

    unit_id: str
    said: Mapping[str, Said] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amended:
    """A profile after a source said something; `outdated`: attributes of which it had said something later already."""

    profile: Profile
    changed: bool
    outdated: tuple[str, ...]


def amend(
    profile: Profile, source: str, changes: Mapping[str, Any], at: datetime, *, just_now: bool = False
) -> Amended:
    """Let a source say something at an instant: within a source the latest counts, whenever it arrives.

    What is taken back is kept as such, so that an earlier statement that arrives later does not bring it back. Of two
    at the very same instant the one that ranks higher counts, so that again the order of arrival makes no difference;
    but what is said `just_now`, with no instant of its own, follows whatever was said before.
    """
    before = profile.said.get(source, {})
    said_now = {name: Statement(value=value, at=at) for name, value in changes.items()}
    outdated = tuple(name for name, one in said_now.items() if name in before and _stays(before[name], one, just_now))
    new = {name: one for name, one in said_now.items() if name not in outdated}
    after = {**before, **new}
    if after == before:
        return Amended(profile=profile, changed=False, outdated=outdated)
    said = {**profile.said, source: after}
    return Amended(profile=Profile(unit_id=profile.unit_id, said=said), changed=True, outdated=outdated)


def _stays(held: Statement, said: Statement, just_now: bool) -> bool:
    if held.at != said.at:
        return held.at > said.at
    return not just_now and held != said and _rank(held.value) > _rank(said.value)


def _rank(value: Any) -> tuple[bool, str]:
    """Rank a taking back above any value, and values by their canonical JSON."""
    return value is None, canonical_json(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A value that counts, and where it comes from."""

    value: Any
    source: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """What remains of a profile; at `lapses_at` the first of it is not fresh any more."""

    known: Mapping[str, Known]
    lapses_at: datetime | None

    @property
    def attributes(self) -> dict[str, Any]:
        """The values alone, as conditions read them."""
        return {name: known.value for name, known in self.known.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The attributes that are registered, and the sources' precedence."""

    attributes: Mapping[str, Attribute]
    precedence: Mapping[str, int]

    def only(self, names: Collection[str]) -> Registry:
        """Return the registry without other attributes."""
        kept = {name: one for name, one in self.attributes.items() if name in names}
        return Registry(attributes=kept, precedence=self.precedence)

    def lay(self, profile: Profile, *, now: datetime) -> Laid:
        """Lay the sources over one another: of each attribute, the statement of the highest that is no taking back.

        What is not fresh any more, what is not registered and what its source may not say does not count, and
        uncovers what lies below.
        """
        known: dict[str, Known] = {}
        lapses: list[datetime] = []
        for name, source, statement, lapses_at in self._counting(profile, now):
            known[name] = Known(value=statement.value, source=source, at=statement.at)
            if lapses_at is not None:
                lapses.append(lapses_at)
        return Laid(known=known, lapses_at=min(lapses, default=None))

    def values(self, profile: Profile, *, now: datetime) -> dict[str, Any]:
        """Return the attributes of what `lay` returns, quicker."""
        return {name: statement.value for name, _, statement, _ in self._counting(profile, now)}

    def _counting(self, profile: Profile, now: datetime) -> Iterator[tuple[str, str, Statement, datetime | None]]:
        """Yield what counts: attribute, source, statement, and when it is not fresh any more."""
        found: set[str] = set()
        for source in sorted(profile.said.keys() & self.precedence.keys(), key=self._rank):
            for name, statement in profile.said[source].items():
                attribute = self.attributes.get(name)
                if attribute is None or name in found or statement.value is None or not attribute.takes_from(source):
                    continue
                lapses_at = None
                if attribute.fresh_days is not None:
                    lapses_at = statement.at + timedelta(days=attribute.fresh_days)
                    if lapses_at <= now:
                        continue
                found.add(name)
                yield name, source, statement, lapses_at

    def _rank(self, source: str) -> int:
        return -self.precedence[source]
