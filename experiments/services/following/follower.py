"""Following the log, a bounded transaction at a time, until profiles say what follows from it.

What happened is counted together with the place that was reached, and makes its unit due; who is due is written into
the profiles together with the instant at which time alone will change it again. So wherever a process dies, nothing is
lost and nothing counted twice, and nobody is written but who did something or passed such an instant.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from experiments.domain.attribute import MAX_WHOLE, Attribute
from experiments.domain.followed import Place
from experiments.domain.profile import Registry
from experiments.services.collector import held_back
from experiments.services.following.persons import Happened, Named, consenting, of_persons
from experiments.services.following.saying import say, sayable, values_of
from experiments.services.ports import Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.profiles.ports import CountStore
from experiments.services.profiles.registry_read import read_registry

EVENTS_AT_ONCE = 100_000
"""Events counted in one transaction."""
JOINED_AT_ONCE = 2_000
"""Acts of joining ids whose counts are moved in one."""
UNITS_AT_ONCE = 5_000
"""Profiles written in one: other sources wait for its end."""
ASLEEP = timedelta(days=1)
"""How long who does not consent is left alone before they are looked at again: nothing is said or taken back."""

_JOIN, _COUNT, _WRITE = range(3)
"""Each has its turn, or whoever logs in and does something between any two steps would keep all from being written.

Nothing is written before counting has reached the end of the log: what is counted anew is said when it is complete.
"""


class Counted(Protocol):
    """What is counted of one unit."""

    @property
    def unit_id(self) -> str: ...
    @property
    def is_empty(self) -> bool: ...
    def emptied(self, *, due_at: datetime) -> Self: ...


Row = TypeVar("Row", bound=Counted)
At = TypeVar("At", bound=Place)


class Follower(ABC, Generic[Row, At]):
    """`names`: the events that count; none: nothing is followed, and what was said before is taken back."""

    attributes: ClassVar[Sequence[Attribute]]
    """What it says; no two followers say the same."""

    def __init__(
        self,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        names: Sequence[str],
        *,
        register: Callable[[Sequence[Attribute]], None],
        events_at_once: int = EVENTS_AT_ONCE,
        units_at_once: int = UNITS_AT_ONCE,
    ) -> None:
        self._open = open_unit_of_work
        self._clock = clock
        self._names = tuple(sorted(set(names)))
        self._register: Callable[[Sequence[Attribute]], None] | None = register
        self._events_at_once = events_at_once
        self._units_at_once = units_at_once
        self._first = _JOIN

    @abstractmethod
    def _rows(self, work: UnitOfWork) -> CountStore[Row, At]: ...

    @abstractmethod
    def _add(self, happened: Happened, work: UnitOfWork, now: datetime) -> None:
        """Count more; whose it is are due."""

    @abstractmethod
    def _merged(self, row: Row, before: Row | None, unit_id: str, now: datetime) -> Row:
        """Add what one unit did to what is counted of another, who is due."""

    @abstractmethod
    def _said(
        self, counted: Mapping[str, Row], followed: At, now: datetime
    ) -> tuple[Mapping[str, Mapping[str, Any]], Mapping[str, datetime]]:
        """Return what profiles say, and when each is to be looked at again."""

    def _usable(self, rows: Named, now: datetime) -> Named:
        """Leave out what does not count any more."""
        return rows

    def _current(self, rows: Sequence[Row], now: datetime) -> Sequence[Row]:
        """Leave out of them what does not count any more."""
        return rows

    def _when_due(self, followed: At, work: UnitOfWork, now: datetime) -> Callable[[], None]:
        return self._write

    def _keep(self, rows: Mapping[str, Row], due_at: Mapping[str, datetime], work: UnitOfWork) -> None:
        """Store when they are due; `rows` may have more."""
        self._rows(work).postpone(due_at)

    def step(self) -> bool:
        """Do the next transaction; False where there is none to do."""
        todo = self._todo(self._clock())
        if todo is None:
            return False
        if self._register is not None and self._names:
            self._register(self.attributes)
            self._register = None
        self._first = _JOIN
        with held_back():
            todo()
        return True

    def _todo(self, now: datetime) -> Callable[[], None] | None:
        with self._open(read_only=True) as work:
            followed = self._rows(work).followed()
            if followed.names != self._names:
                return self._restart
            if followed.may_say != self._may_say(read_registry(work)):
                return self._look_again
            kinds = (self._joining, self._counting, self._writing)
            for kind in (*kinds[self._first :], *kinds[: self._first]):
                if (todo := kind(followed, work, now)) is not None:
                    return todo
        return None

    def _joining(self, followed: At, work: UnitOfWork, now: datetime) -> Callable[[], None] | None:
        return self._join if self._names and work.identities.revision() > followed.identity_revision else None

    def _counting(self, followed: At, work: UnitOfWork, now: datetime) -> Callable[[], None] | None:
        if not self._names:
            return None
        return self._count if work.log.named(self._names, above=followed.event_id, upto=MAX_WHOLE, most=1) else None

    def _writing(self, followed: At, work: UnitOfWork, now: datetime) -> Callable[[], None] | None:
        return self._when_due(followed, work, now) if self._rows(work).due(now, most=1) else None

    def _restart(self) -> None:
        """Other events count than before: count all of them from the first on, for the persons they have by now."""
        with self._open() as work:
            rows = self._rows(work)
            before, joined = rows.take(), work.identities.revision()
            may_say = self._may_say(read_registry(work))
            rows.advance(replace(before, names=self._names, event_id=0, identity_revision=joined, may_say=may_say))
            rows.restart(self._clock())
            work.commit()

    def _look_again(self) -> None:
        """Somebody edited what may be said: all units are due."""
        with self._open() as work:
            rows = self._rows(work)
            before = rows.take()
            rows.advance(replace(before, may_say=self._may_say(read_registry(work))))
            rows.make_all_due(self._clock())
            work.commit()

    def _may_say(self, registry: Registry) -> Mapping[str, tuple[Any, ...]]:
        return values_of(sayable(registry, self.attributes))

    def _count(self) -> None:
        now = self._clock()
        with self._open() as work:
            rows = self._rows(work)
            followed = rows.take()
            if followed.names != self._names:  # another process follows other events since we looked
                return
            upto = work.log.watermark(now=now).event_id
            found = work.log.named(self._names, above=followed.event_id, upto=upto, most=self._events_at_once)
            self._add(of_persons(self._usable(found, now), work), work, now)
            reached = found[-1][0] if len(found) == self._events_at_once else upto
            rows.advance(replace(followed, event_id=max(followed.event_id, reached)))
            work.commit()
        self._first = _COUNT if len(found) == self._events_at_once else _WRITE

    def _join(self) -> None:
        """Give what was counted under ids that were joined since to their persons."""
        now = self._clock()
        with self._open() as work:
            store = self._rows(work)
            followed = store.take()
            upto = min(work.identities.revision(), followed.identity_revision + JOINED_AT_ONCE)
            joined = work.identities.added(above=followed.identity_revision, upto=upto)
            whose = {one.unit_id: one.person_id for one in joined if one.unit_id != one.person_id}
            store.put(list(self._moved(store.some({*whose, *whose.values()}), whose, now).values()))
            store.advance(replace(followed, identity_revision=upto))
            work.commit()
        self._first = _COUNT

    def _moved(self, rows: Mapping[str, Row], whose: Mapping[str, str], now: datetime) -> dict[str, Row]:
        """Rows that change: persons did what their ids had done, and of those ids nothing counts any more."""
        changed: dict[str, Row] = {}
        for unit_id, person_id in whose.items():
            row = rows.get(unit_id)
            if row is not None and not row.is_empty:
                before = changed.get(person_id, rows.get(person_id))
                changed[person_id] = self._merged(row, before, person_id, now)
                changed[unit_id] = row.emptied(due_at=now)
        return changed

    def _write(self) -> None:
        now = self._clock()
        with self._open() as work:
            store = self._rows(work)
            followed = store.take()
            registry = read_registry(work)
            if followed.names != self._names or followed.may_say != self._may_say(registry):
                return
            due = self._current(store.due(now, most=self._units_at_once), now)
            rows = {row.unit_id: row for row in due}
            awake = consenting(rows, work)
            counted = {unit_id: row for unit_id, row in awake.items() if not row.is_empty}
            gone = [unit_id for unit_id, row in awake.items() if row.is_empty]
            said, due_at = self._said(counted, followed, now)
            say(work, registry, self.attributes, {**said, **{unit_id: {} for unit_id in gone}}, now)
            asleep = dict.fromkeys(rows.keys() - awake.keys(), now + ASLEEP)
            self._keep(rows, {**due_at, **asleep}, work)
            store.remove(gone)
            work.commit()
