"""Profiles: what sources say of units, checked against the registry, stored item by item.

Nothing here is audited or logged: who changed a profile is its source, and the values may be personal.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from experiments.domain.erasure import Erased
from experiments.domain.errors import DomainError, InvalidInput, NotFound
from experiments.domain.names import check_id, check_instant, check_key, pointer
from experiments.domain.profile import Amended, Laid, Profile, Registry, amend
from experiments.services.ports import Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.record import AHEAD_SECONDS
from experiments.services.registry_read import read_registry

MAX_CHANGES = 500
"""Attributes that one change may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChange:
    """What a source says of a unit: null takes back what it said, what is not named stays. `at` None: now."""

    unit_id: str
    source: str
    attributes: Mapping[str, Any]
    at: datetime | None = None

    def __post_init__(self) -> None:
        check_id(self.unit_id, "/unit_id")
        check_key(self.source, "/source")
        if not 0 < len(self.attributes) <= MAX_CHANGES:
            raise InvalidInput("changes_count", f"A change names 1 to {MAX_CHANGES} attributes.", path="/attributes")
        if self.at is not None:
            check_instant(self.at, "/at")


class ChangeStatus(StrEnum):
    """`unchanged`: all of it was known; `outdated`: the source has said something later of all of it."""

    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"
    OUTDATED = "outdated"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileVerdict:
    """The answer to one change; `outdated`: the attributes that were left as they are."""

    unit_id: str | None
    status: ChangeStatus
    outdated: tuple[str, ...] = ()
    code: str | None = None
    message: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileView:
    """What is known of a unit now, and where from; `outdated`: what a change did not change."""

    unit_id: str
    laid: Laid
    updated_at: datetime
    outdated: tuple[str, ...] = ()


class Profiles:
    """`forget` is told whose profiles changed, after they are stored."""

    def __init__(
        self, open_unit_of_work: OpenUnitOfWork, clock: Clock, forget: Callable[[Collection[str]], None]
    ) -> None:
        self._open = open_unit_of_work
        self._clock = clock
        self._forget = forget

    def get(self, unit_id: str) -> ProfileView:
        """Raise NotFound where nothing was ever said of the unit."""
        with self._open(read_only=True) as work:
            stored = work.profiles.get(unit_id)
            registry = read_registry(work)
        if stored is None:
            raise NotFound("unit", unit_id)
        laid = registry.lay(stored.profile, now=self._clock())
        return ProfileView(unit_id=unit_id, laid=laid, updated_at=stored.updated_at)

    def patch(self, change: ProfileChange) -> ProfileView:
        """Raise InvalidInput for what the registry does not allow; then nothing was stored."""
        now = self._clock()
        with self._open() as work:
            registry = read_registry(work)
            check_change(change, registry, now)
            stored = work.profiles.to_change([change.unit_id]).get(change.unit_id)
            before = stored.profile if stored else Profile(unit_id=change.unit_id)
            after = _amended(before, change, now, _erased(work, [change], now))
            laid = registry.lay(after.profile, now=now)
            if after.changed:
                work.profiles.put([(after.profile, laid.attributes)], now=now)
                work.commit()
        if after.changed:
            self._forget([change.unit_id])
        updated_at = now if after.changed or stored is None else stored.updated_at
        return ProfileView(unit_id=change.unit_id, laid=laid, updated_at=updated_at, outdated=after.outdated)

    def upsert_many(self, items: Sequence[ProfileChange | ProfileVerdict]) -> list[ProfileVerdict]:
        """Return a verdict per item, in order; a verdict among the items stands for one that could not be read.

        What is `accepted` is stored; sent again with its `at`, nothing is. Raises Unavailable: then nothing was stored.
        """
        now = self._clock()
        with self._open() as work:
            batch = _Batch(work, now)
            verdicts = batch.judge(items)
            changed = batch.store()
        self._forget(changed)
        return verdicts


class _Batch:
    """Several changes in one transaction; of one unit there may be several, and they follow one another."""

    def __init__(self, work: UnitOfWork, now: datetime) -> None:
        self._work = work
        self._now = now
        self._registry = read_registry(work)
        self._profiles: dict[str, Profile] = {}
        self._changed: dict[str, Profile] = {}
        self._erased: Erased | None = None

    def judge(self, items: Sequence[ProfileChange | ProfileVerdict]) -> list[ProfileVerdict]:
        checked = [self._check(item) for item in items]
        changes = [item for item in checked if isinstance(item, ProfileChange)]
        if changes:
            held = self._work.profiles.to_change({change.unit_id for change in changes})
            self._erased = _erased(self._work, changes, self._now)
            self._profiles = {unit_id: stored.profile for unit_id, stored in held.items()}
        return [item if isinstance(item, ProfileVerdict) else self._apply(item) for item in checked]

    def _check(self, item: ProfileChange | ProfileVerdict) -> ProfileChange | ProfileVerdict:
        if isinstance(item, ProfileChange):
            try:
                check_change(item, self._registry, self._now)
            except DomainError as refusal:
                return refused(item.unit_id, refusal)
        return item

    def _apply(self, change: ProfileChange) -> ProfileVerdict:
        before = self._profiles.get(change.unit_id) or Profile(unit_id=change.unit_id)
        after = _amended(before, change, self._now, self._erased)
        if after.changed:
            self._profiles[change.unit_id] = self._changed[change.unit_id] = after.profile
        return ProfileVerdict(unit_id=change.unit_id, status=_status(after, change), outdated=after.outdated)

    def store(self) -> Collection[str]:
        if self._changed:
            self._work.profiles.put(
                [(one, self._registry.values(one, now=self._now)) for one in self._changed.values()],
                now=self._now,
            )
            self._work.commit()
        return self._changed.keys()


def check_change(change: ProfileChange, registry: Registry, now: datetime) -> None:
    """Raise InvalidInput, at its place in the change, for what the registry does not allow."""
    if change.source not in registry.precedence:
        raise InvalidInput("source_unknown", f"There is no source {change.source!r}.", path="/source")
    if change.at is not None:
        check_at(change.at, now)
    for name, value in change.attributes.items():
        path = pointer("attributes", name)
        attribute = registry.attributes.get(name)
        if attribute is None:
            raise InvalidInput("attribute_unknown", "No such attribute is registered.", path=path)
        if not attribute.takes_from(change.source):
            raise InvalidInput("attribute_of_others", f"{change.source!r} is none of its sources.", path=path)
        if value is not None:
            attribute.check(value, path)


def check_at(at: datetime, now: datetime) -> None:
    """Raise InvalidInput where somebody speaks of what is yet to come."""
    if at > now + timedelta(seconds=AHEAD_SECONDS):
        raise InvalidInput("at_in_future", "It lies more than 5 minutes ahead of our clock.", path="/at")


def refused(unit_id: str | None, refusal: DomainError) -> ProfileVerdict:
    """Return the verdict that tells of a refusal."""
    return ProfileVerdict(
        unit_id=unit_id,
        status=ChangeStatus.REJECTED,
        code=refusal.code,
        message=refusal.message,
        path=refusal.path,
    )


def _erased(work: UnitOfWork, changes: Sequence[ProfileChange], now: datetime) -> Erased | None:
    """Return who was erased since the first of the changes was so; asked for by who is in the queue of writers."""
    oldest = min(change.at or now for change in changes)
    latest = work.erasures.latest()
    return None if latest is None or latest < oldest else work.erasures.since(oldest)


def _amended(before: Profile, change: ProfileChange, now: datetime, erased: Erased | None) -> Amended:
    """What is said of the time before an erasure is outdated: an old file does not bring anybody back."""
    at = change.at or now
    if erased is not None and erased.covers(change.unit_id, at):
        return Amended(profile=before, changed=False, outdated=tuple(change.attributes))
    return amend(before, change.source, change.attributes, at, just_now=change.at is None)


def _status(after: Amended, change: ProfileChange) -> ChangeStatus:
    if after.changed:
        return ChangeStatus.ACCEPTED
    return ChangeStatus.OUTDATED if len(after.outdated) == len(change.attributes) else ChangeStatus.UNCHANGED
