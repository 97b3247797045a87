"""Profiles: what sources say of units, checked against the registry, stored item by item.

Nothing here is audited or logged: who changed a profile is its source, and the values may be personal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from experiments.domain.erasure import Erased
from experiments.domain.errors import DomainError, NoConsent, NotFound
from experiments.domain.profile import Amended, Laid, Profile, Statement, amend
from experiments.services.ports import Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.profiles.changes import (
    MAX_CHANGES,
    ChangeStatus,
    ColumnVerdicts,
    ProfileChange,
    ProfileVerdict,
    SaidColumns,
    check_at,
    check_change,
    refused,
)
from experiments.services.profiles.ports import SaidAtOnce
from experiments.services.profiles.registry_read import read_registry

__all__ = [
    "MAX_CHANGES",
    "ChangeStatus",
    "ColumnVerdicts",
    "ProfileChange",
    "ProfileVerdict",
    "ProfileView",
    "Profiles",
    "SaidColumns",
    "check_at",
    "check_change",
    "refused",
]


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
        """Raise InvalidInput for what the registry does not allow, NoConsent; then nothing was stored."""
        now = self._clock()
        with self._open() as work:
            registry = read_registry(work)
            check_change(change, registry, now)
            stored = work.profiles.to_change([change.unit_id]).get(change.unit_id)
            if work.consents.lacking([change.unit_id]):
                raise NoConsent
            before = stored.profile if stored else Profile(unit_id=change.unit_id)
            after = _amended(before, change, now, _erased(work, change.at or now))
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

    def upsert_columns(self, said: SaidColumns) -> ColumnVerdicts:
        """Do what `upsert_many` does, quicker where a unit is new or known already. Raises Unavailable as it does."""
        if not said.unit_ids:
            return ColumnVerdicts(new=0, same=0, others={})
        now = self._clock()
        with self._open() as work:
            batch = _Batch(work, now)
            verdicts = batch.judge_columns(said)
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
        self._new: SaidAtOnce | None = None
        self._erased: Erased | None = None
        self._lacking: frozenset[str] = frozenset()

    def judge(self, items: Sequence[ProfileChange | ProfileVerdict]) -> list[ProfileVerdict]:
        checked = [self._check(item) for item in items]
        changes = [item for item in checked if isinstance(item, ProfileChange)]
        if changes:
            units = {change.unit_id for change in changes}
            held = self._work.profiles.to_change(units)
            self._lacking = self._work.consents.lacking(units)
            self._erased = _erased(self._work, min(change.at or self._now for change in changes))
            self._profiles = {unit_id: stored.profile for unit_id, stored in held.items()}
        return [item if isinstance(item, ProfileVerdict) else self._apply(item) for item in checked]

    def judge_columns(self, said: SaidColumns) -> ColumnVerdicts:
        """Judge change by change what needs it: whose profile says anything else, and who is not `_plain`.

        Of new units all is accepted; what of it counts is the same for all, as attribute, source and instant say it.
        """
        repeated = [unit_id for unit_id, times in Counter(said.unit_ids).items() if times > 1]
        held = self._work.profiles.to_change(repeated)
        self._lacking = self._work.consents.lacking(said.unit_ids)
        self._erased = _erased(self._work, said.at)
        plain = self._plain(said, frozenset(repeated))
        asked = said.at_once(plain, self._counting(said))
        found = self._work.profiles.to_compare(asked)
        self._profiles = {unit_id: one.profile for unit_id, one in {**held, **found.others}.items()}
        self._new = asked.of(found.new)
        done = {plain[place] for place in (*found.new, *found.same)}
        rest = [place for place in range(len(said.unit_ids)) if place not in done]
        changes = [said.change(place) for place in rest]
        checked = changes if said.checked_by == self._registry else [self._check(one) for one in changes]
        verdicts = [one if isinstance(one, ProfileVerdict) else self._apply(one) for one in checked]
        others = dict(zip(rest, verdicts, strict=True))
        return ColumnVerdicts(new=len(found.new), same=len(found.same), others=others)

    def _plain(self, said: SaidColumns, repeated: Collection[str]) -> Sequence[int]:
        """Who stands there once, consents and was not erased since, while the registry is the one of the checks."""
        if said.checked_by != self._registry:
            return []
        if not repeated and not self._erased and not self._lacking:
            return range(len(said.unit_ids))
        return [
            place
            for place, unit_id in enumerate(said.unit_ids)
            if unit_id not in repeated
            and unit_id not in self._lacking
            and not (self._erased and self._erased.covers(unit_id, said.at))
        ]

    def _counting(self, said: SaidColumns) -> Collection[str]:
        statements = {name: Statement(value=True, at=said.at) for name in said.columns}
        pattern = Profile(unit_id="", said={said.source: statements})
        return self._registry.values(pattern, now=self._now).keys()

    def _check(self, item: ProfileChange | ProfileVerdict) -> ProfileChange | ProfileVerdict:
        if isinstance(item, ProfileChange):
            try:
                check_change(item, self._registry, self._now)
            except DomainError as refusal:
                return refused(item.unit_id, refusal)
        return item

    def _apply(self, change: ProfileChange) -> ProfileVerdict:
        if change.unit_id in self._lacking:
            return refused(change.unit_id, NoConsent())
        before = self._profiles.get(change.unit_id) or Profile(unit_id=change.unit_id)
        after = _amended(before, change, self._now, self._erased)
        if after.changed:
            self._profiles[change.unit_id] = self._changed[change.unit_id] = after.profile
        return ProfileVerdict(unit_id=change.unit_id, status=_status(after, change), outdated=after.outdated)

    def store(self) -> Collection[str]:
        added = self._new.unit_ids if self._new else ()
        if self._new and added:
            self._work.profiles.add(self._new, now=self._now)
        if self._changed:
            self._work.profiles.put(
                [(one, self._registry.values(one, now=self._now)) for one in self._changed.values()],
                now=self._now,
            )
        if self._changed or added:
            self._work.commit()
        return {*added, *self._changed}


def _erased(work: UnitOfWork, since: datetime) -> Erased | None:
    """Return who was erased since then, if anybody was; asked for by who is in the queue of writers."""
    latest = work.erasures.latest()
    return None if latest is None or latest < since else work.erasures.since(since)


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
