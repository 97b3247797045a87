"""What the services keep of customers, as Protocols: profiles, who was erased, what was counted of their events."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol, TypeVar

from experiments.domain.activity import UnitActivity
from experiments.domain.erasure import Erased, Erasure
from experiments.domain.followed import Place
from experiments.domain.profile import Profile
from experiments.domain.purchases import CustomerState, Followed, Purchases

Row = TypeVar("Row")
At = TypeVar("At", bound=Place)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredProfile:
    """A profile as it rests; `attributes`: what remained of it when it was written.

    `revision` is shared by what was written together, and higher than that of all that was written before.
    """

    profile: Profile
    attributes: Mapping[str, Any]
    revision: int
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChanges:
    """Whose profile changed since a revision, up to another one; None: more units than were asked for."""

    revision: int
    unit_ids: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidAtOnce:
    """Units, each once, and what one source says of them at one instant, a column at a time.

    Of an attribute unit i has `values[codes[i]]`; None: nothing is said. Those in `counting` count now, the others not.
    """

    source: str
    at: datetime
    unit_ids: Sequence[str]
    columns: Mapping[str, tuple[Sequence[int], Sequence[Any]]]
    counting: Collection[str]

    def of(self, places: Sequence[int]) -> SaidAtOnce:
        """Return what is said of some of the units."""
        if len(places) == len(self.unit_ids):
            return self
        return replace(
            self,
            unit_ids=[self.unit_ids[place] for place in places],
            columns={
                name: ([codes[place] for place in places], values) for name, (codes, values) in self.columns.items()
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Of units that something is said of: those (by place) that have no profile, and what is stored of the others.

    Of `same` no other source says anything, and all that is said is stored.
    """

    new: Sequence[int]
    same: Sequence[int]
    others: Mapping[str, StoredProfile]


class ProfileStore(Protocol):
    """One profile per unit. Writers stand in one queue: what one reads to change nobody else changes meanwhile."""

    def get(self, unit_id: str) -> StoredProfile | None:
        """One read by primary key."""

    def some(self, unit_ids: Collection[str]) -> Mapping[str, StoredProfile]:
        """Those of the units that have one."""

    def to_change(self, unit_ids: Collection[str]) -> Mapping[str, StoredProfile]:
        """The same for who is going to `put` them: until the end of the transaction no other writer does."""

    def put(self, profiles: Sequence[tuple[Profile, Mapping[str, Any]]], *, now: datetime) -> None:
        """Store profiles, each with what remains of it now; units within one call are distinct."""

    def to_compare(self, said: SaidAtOnce) -> Compared:
        """The same as `to_change` for what is said of many units, which is mostly new or mostly known."""

    def add(self, new: SaidAtOnce, *, now: datetime) -> None:
        """Store profiles of units that had none when they were compared, in this transaction."""

    def page(self, *, after: str | None, limit: int) -> Sequence[StoredProfile]:
        """Profiles of the units that come after that one, in order of code point: read on from the last of them."""

    def erase(self, unit_id: str) -> tuple[int, int]:
        """Delete what is known of a unit; return how many profiles that were, and a revision that is ours alone."""

    def revision(self) -> int:
        """Return a number that grows whenever a profile is stored or erased; no lower one is committed after it."""

    def changed_since(self, revision: int, *, most: int) -> ProfileChanges:
        """Whose profiles have been stored since that revision; None where somebody was erased: they have no name."""


class ErasureStore(Protocol):
    """Who was erased, by digest."""

    def salt(self) -> bytes:
        """Return the database's own salt, which never changes."""

    def add(self, erasure: Erasure) -> None:
        """Once this is committed, the log takes no row of the unit that was received up to then."""

    def number(self) -> int:
        """Return a number that grows with every erasure."""

    def latest(self) -> datetime | None:
        """Return the latest instant of an erasure; None where there was none."""

    def since(self, instant: datetime | None) -> Erased:
        """Return who was erased at that instant or later, or at any time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRows:
    """The ids of a unit's rows in the log."""

    exposures: tuple[int, ...]
    events: tuple[int, ...]

    def __add__(self, others: UnitRows) -> UnitRows:
        return UnitRows(exposures=self.exposures + others.exposures, events=self.events + others.events)


class CountStore(Protocol[Row, At]):
    """What was counted by following the log: one row per unit, and the place that was reached."""

    def followed(self) -> At: ...

    def take(self) -> At:
        """The same for who is going to write here: until the end of the transaction nobody else does."""

    def advance(self, followed: At) -> None: ...

    def some(self, unit_ids: Collection[str]) -> Mapping[str, Row]:
        """Those of the units that have a row."""

    def put(self, rows: Sequence[Row]) -> None:
        """Store rows; units within one call are distinct."""

    def postpone(self, due: Mapping[str, datetime]) -> None:
        """Say of rows that are there when they are due next."""

    def make_all_due(self, now: datetime) -> None: ...

    def remove(self, unit_ids: Collection[str]) -> None: ...

    def due(self, now: datetime, *, most: int) -> tuple[Row, ...]:
        """Rows that are due, the longest due first; of one instant in no order."""

    def restart(self, now: datetime) -> None:
        """Count nothing any more: all rows stay, due and empty."""


class ActivityStore(CountStore[UnitActivity, Place], Protocol):
    """Events by day."""


class BehaviourStore(CountStore[Purchases, Followed], Protocol):
    """Purchases."""

    def count(self, *, most: int) -> int:
        """How many customers there are; counts no further than `most`."""

    def numbers(self) -> Iterator[Sequence[tuple[datetime, int, int]]]:
        """Batches of (last_at, frequency, monetary_cents) of all customers, in no order."""

    def states(self) -> Iterator[Sequence[CustomerState]]:
        """Batches of all that is kept of all customers but who they are, in no order."""
