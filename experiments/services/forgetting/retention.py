"""Retention: rows of the log go when they are old enough and no experiment needs them, in small batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from experiments.domain.epoch import Version
from experiments.domain.errors import InvalidInput
from experiments.domain.experiment import Experiment, Status
from experiments.domain.followed import Place
from experiments.domain.retention import AFTER_STOP_SECONDS, Needed, is_measured, needed_by
from experiments.services.ports import AuditEntry, Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.profiles.ports import UnitRows

ACTION, SUBJECT = "log.expire", "retention"
IDS_AT_ONCE = 20_000
"""Ids that one transaction looks through."""
EVERY = timedelta(days=1)
_STARTED = (Status.RUNNING, Status.PAUSED, Status.STOPPED, Status.ARCHIVED)
_PAGE = 100


@dataclass(slots=True, kw_only=True)
class Going:
    """What goes, or is gone: exposures by experiment and events by name. `looked` of `ids` have been looked at."""

    before: datetime
    exposures: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    looked: int = 0
    ids: int = 0
    deleted: int = 0

    @property
    def rows(self) -> int:
        """How many rows it is about."""
        return self.exposures.total() + self.events.total()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """Ids of one table, in (above, upto]."""

    is_events: bool
    above: int
    upto: int


class Retention:
    """Counts first, so that what is audited with the first deletion is all that a run does, wherever it may end.

    What experiments need is read again in each transaction that deletes.
    """

    def __init__(
        self,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        days: float,
        *,
        actor: str,
        ids_at_once: int = IDS_AT_ONCE,
    ) -> None:
        self._open = open_unit_of_work
        self._clock = clock
        self._days = days
        self._actor = actor
        self._ids_at_once = ids_at_once
        self._run: Iterator[Going] | None = None
        self.going: Going | None = None

    def step(self) -> bool:
        """Do the next batch of the present run, or of the next one where that is due; False where there is none."""
        if not self._days or (self._run is None and not self._is_due()):
            return False
        run = self._run or self.run()
        self._run = None  # a run that fails is begun anew
        self.going = next(run, None)
        if self.going is None:
            with self._open() as work:
                self._mark(work, "ended")
                work.commit()
            return False
        self._run = run
        return True

    def _is_due(self) -> bool:
        """Whether none has ended for a day, of whichever process, and whatever the clock was set to meanwhile."""
        with self._open() as work:  # only asked, and not committed: a run that is killed has not ended
            return self._mark(work, "asked")

    def _mark(self, work: UnitOfWork, holder: str) -> bool:
        """Take the lease that says that a run has ended; it lasts until the next is due. Other days are another run."""
        name = f"{SUBJECT}/{self._days}"
        return work.leases.acquire(name, holder=holder, now=self._clock(), ttl_seconds=int(EVERY.total_seconds()))

    def would_go(self) -> Iterator[Going]:
        """Count, batch by batch, what a run would delete; the last that is given is all of it."""
        going = Going(before=self._clock() - timedelta(days=self._days))
        for stretch in self._stretches(going):
            with self._open(read_only=True) as work:
                self._count(going, stretch, _old(work, stretch, going.before, self._clock()))
            yield going
        if not going.ids:
            yield going

    def run(self) -> Iterator[Going]:
        """Delete what is to go, batch by batch, after it was counted; done again after a kill, it goes on."""
        going = None
        for going in self.would_go():
            yield going
        if going is None or not going.rows:
            return
        found = Going(before=going.before, exposures=going.exposures, events=going.events)
        for stretch in self._stretches(found):
            with self._open(read_only=True) as work:
                is_empty = not _old(work, stretch, going.before, self._clock())
            if not is_empty:
                self._delete(stretch, found)
            self._look(found, stretch)
            yield found

    def _stretches(self, going: Going) -> list[_Stretch]:
        with self._open(read_only=True) as work:
            mark = work.log.watermark(now=self._clock())
        going.ids = mark.exposure_id + mark.event_id
        return [
            _Stretch(is_events=is_events, above=above, upto=min(above + self._ids_at_once, top))
            for is_events, top in ((False, mark.exposure_id), (True, mark.event_id))
            for above in range(0, top, self._ids_at_once)
        ]

    def _count(self, going: Going, stretch: _Stretch, rows: list[tuple[int, str]]) -> None:
        (going.events if stretch.is_events else going.exposures).update(name for _, name in rows)
        self._look(going, stretch)

    def _look(self, going: Going, stretch: _Stretch) -> None:
        going.looked += stretch.upto - stretch.above

    def _delete(self, stretch: _Stretch, going: Going) -> None:
        now = self._clock()
        with self._open() as work:
            ids = tuple(number for number, _ in _old(work, stretch, going.before, now))
            if not ids:
                return
            work.log.erase(
                UnitRows(exposures=() if stretch.is_events else ids, events=ids if stretch.is_events else ())
            )
            if not going.deleted:
                work.audit.append(self._entry(going, now))
            work.commit()
            work.scrub()
        going.deleted += len(ids)

    def _entry(self, going: Going, now: datetime) -> AuditEntry:
        detail = {
            "days": self._days,
            "before": going.before.isoformat(),
            "exposures": dict(sorted(going.exposures.items())),
            "events": dict(sorted(going.events.items())),
        }
        return AuditEntry(at=now, actor=self._actor, action=ACTION, subject=SUBJECT, detail=detail)


def _old(work: UnitOfWork, stretch: _Stretch, before: datetime, now: datetime) -> list[tuple[int, str]]:
    """Return what may go; what those who follow the log have not yet counted stays until they have."""
    needed = _needed(work, now)
    if not stretch.is_events:
        return list(work.aged.exposures(before, needed, above=stretch.above, upto=stretch.upto))
    places: tuple[Place, ...] = (work.behaviour.followed(), work.activity.followed())
    return [
        (number, name)
        for number, name in work.aged.events(before, needed, above=stretch.above, upto=stretch.upto)
        if all(number <= place.event_id or name not in place.names for place in places)
    ]


def _needed(work: UnitOfWork, now: datetime) -> Needed:
    measured = []
    for one in work.experiments.with_status(_STARTED):
        has_live_winner = any(
            promotion.is_live and promotion.is_open for promotion in work.promotions.standing(one.key)
        )
        if is_measured(one, now, has_live_winner=has_live_winner):
            measured.append((one, work.experiments.versions(one.key)))
    return needed_by(measured)


def expired_runs(
    work: UnitOfWork, experiment: Experiment, versions: Sequence[Version], *, since: datetime | None = None
) -> int:
    """Return how many runs took rows that a stopped experiment would need, all of them or those since an instant."""
    if experiment.stopped_at is None:
        return 0
    free_from = experiment.stopped_at + timedelta(seconds=AFTER_STOP_SECONDS)
    needed = needed_by([(experiment, versions)])
    return sum(_took(detail, needed) for detail in _runs(work, max(free_from, since or free_from)))


def refuse_expired(work: UnitOfWork, experiment: Experiment, versions: Sequence[Version]) -> None:
    """Raise InvalidInput where what is left of an experiment would say something else than the results it has."""
    if expired_runs(work, experiment, versions):
        raise InvalidInput(
            "rows_expired", f"Rows of experiment {experiment.key!r} are gone by retention; its last results stay."
        )


def _took(detail: Mapping[str, Any], needed: Needed) -> bool:
    before = datetime.fromisoformat(detail["before"])
    of_names = {name for name, since in needed.names.items() if since is None or since < before}
    return not (needed.experiments.isdisjoint(detail["exposures"]) and of_names.isdisjoint(detail["events"]))


def _runs(work: UnitOfWork, since: datetime) -> Iterator[Mapping[str, Any]]:
    after, more = None, True
    while more:
        page = work.audit.page(subject=SUBJECT, after=after, limit=_PAGE)
        for entry in page.items:
            if entry.action == ACTION:
                if entry.at < since:
                    return
                yield entry.detail
        after, more = page.next_after, page.next_after is not None
