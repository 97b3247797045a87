"""Replay: make an experiment that ran elsewhere one of ours, from a file with its results."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from experiments.domain.epoch import Version
from experiments.domain.errors import AlreadyExists, InvalidInput, NotFound
from experiments.domain.event import Event, Exposure
from experiments.domain.experiment import draft
from experiments.domain.metric import Metric
from experiments.domain.segment import Segment
from experiments.services.assigning.catalog import CatalogHolder
from experiments.services.authoring.wishes import resolve
from experiments.services.ports import AuditEntry, Clock, Library, OpenUnitOfWork, UnitOfWork
from experiments.services.replaying.file import BadRow, Row
from experiments.services.replaying.names import ACTION, HAS_IDS, entry_of
from experiments.services.replaying.plan import BEFORE_SECONDS, ReplayPlan

BATCH = 5_000
Progress = Callable[[str, int, int | None], None]
"""Called with the step (`check` or `load`), the rows done, and the rows in all where they are known."""
L = TypeVar("L", Segment, Metric)


class Source(Protocol):
    """A file that can be read again; after a whole reading `sha256` is that of its content."""

    sha256: str | None

    def rows(self) -> Iterator[Row | BadRow]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """`already`: the same file was loaded by the same plan before, and nothing was stored now.

    `without_consent`: how many more units the file has, of which nothing may be stored.
    """

    experiment: str
    units: int
    events: int
    already: bool
    without_consent: int = 0


class BadRows(InvalidInput):
    """Rows that cannot be read; `rows` are the first of them, `count` is how many there are."""

    def __init__(self, rows: Sequence[BadRow], count: int) -> None:
        first = rows[0]
        told = f"Bad rows: {count}; the first on line {first.line}: {first.message} Nothing was loaded."
        super().__init__("rows_invalid", told)
        self.rows = tuple(rows)
        self.count = count


class Replayer:
    """All rows are checked before any is stored, and all are stored in one transaction: a file is in, or it is not."""

    def __init__(self, catalog: CatalogHolder, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._catalog = catalog
        self._open = open_unit_of_work
        self._clock = clock

    def replay(
        self,
        plan: ReplayPlan,
        source: Source,
        *,
        actor: str,
        progress: Progress | None = None,
        most_bad_rows: int = 100,
    ) -> Replayed:
        """Load the file; a second time says so and stores nothing.

        Raises BadRows; AlreadyExists where the key belongs to something else; InvalidInput where the plan is refused,
        or nobody in the file consents.
        """
        tell = progress or (lambda step, done, total: None)
        rows = check_rows(source, tell, most_bad_rows)
        checked = source.sha256
        earlier = self._earlier(plan, checked)
        if earlier is not None:
            return earlier
        now = self._clock()
        with self._open() as work:
            version = _start(work, plan, actor, now)
            units, events = _load(work, source, _Stamp(version=version, file_sha256=checked or "", at=now), tell, rows)
            if source.sha256 != checked:
                raise InvalidInput("file_changed", "The file changed while it was read; nothing was loaded.")
            if not units:
                raise InvalidInput("nobody_consents", "No unit of the file consents; nothing was loaded.")
            detail = {
                "file_sha256": checked,
                "plan_sha256": plan.sha256,
                "units": units,
                "events": events,
                HAS_IDS: plan.unit_column is not None,
            }
            work.audit.append(AuditEntry(at=now, actor=actor, action=ACTION, subject=plan.wish.key, detail=detail))
            work.commit()
        self._catalog.catch_up()
        return Replayed(
            experiment=plan.wish.key, units=units, events=events, already=False, without_consent=rows - units
        )

    def _earlier(self, plan: ReplayPlan, file_sha256: str | None) -> Replayed | None:
        key = plan.wish.key
        with self._open(read_only=True) as work:
            try:
                work.experiments.get(key)
            except NotFound:
                return None
            entry = entry_of(work, key)
        if entry is None or (entry.detail["file_sha256"], entry.detail["plan_sha256"]) != (file_sha256, plan.sha256):
            raise AlreadyExists("experiment", key)
        return Replayed(experiment=key, units=entry.detail["units"], events=entry.detail["events"], already=True)


def check_rows(source: Source, tell: Progress, most: int) -> int:
    """Read everything once and return how many rows there are. Raises BadRows, InvalidInput for an empty file."""
    bad: list[BadRow] = []
    good = count = 0
    for row in source.rows():
        if isinstance(row, Row):
            good += 1
        else:
            count += 1
            if len(bad) < most:
                bad.append(row)
        if (good + count) % BATCH == 0:
            tell("check", good + count, None)
    if bad:
        raise BadRows(bad, count)
    if not good:
        raise InvalidInput("file_empty", "The file holds no rows.")
    tell("check", good, good)
    return good


def _start(work: UnitOfWork, plan: ReplayPlan, actor: str, now: datetime) -> Version:
    for segment in plan.segments:
        _keep("segment", work.segments, segment, now)
    for metric in plan.metrics:
        _keep("metric", work.metrics, metric, now)
    experiment = draft(resolve(work, plan.wish), by=actor, now=now)
    work.experiments.add(experiment)
    started = experiment.start(now)
    work.experiments.save(started, expected_revision=experiment.revision)
    return started.current


def _keep(kind: str, library: Library[L], value: L, now: datetime) -> None:
    """Put a value into the library, where it may stand already, but not as something else."""
    try:
        present = library.get(value.key).value
    except NotFound:
        library.add(value, now=now)
        return
    if present != value:
        raise InvalidInput(
            f"{kind}_differs", f"There is another {kind} {value.key!r} in the library; the plan's needs another key."
        )


def _load(work: UnitOfWork, source: Source, stamp: _Stamp, tell: Progress, total: int) -> tuple[int, int]:
    """Return of how many units something was stored, and how many events."""
    batch: list[Row] = []
    done = units = events = 0
    for row in source.rows():
        if isinstance(row, BadRow):
            raise BadRows([row], 1)
        batch.append(row)
        done += 1
        if len(batch) == BATCH:
            stored = _store(work, batch, stamp)
            units, events = units + stored[0], events + stored[1]
            batch.clear()
            tell("load", done, total)
    stored = _store(work, batch, stamp)
    tell("load", done, total)
    return units + stored[0], events + stored[1]


def _store(work: UnitOfWork, batch: Sequence[Row], stamp: _Stamp) -> tuple[int, int]:
    asked = {row.id_in_file for row in batch if row.id_in_file is not None}
    withheld = work.log.withheld(asked, received_at=stamp.at)
    rows = [row for row in batch if row.id_in_file not in withheld]
    events = [stamp.event(row, name, value) for row in rows for name, value in row.outcomes]
    events += [stamp.event(row, name, value, before=True) for row in rows for name, value in row.known]
    work.log.append_exposures([stamp.exposure(row) for row in rows], received_at=stamp.at, is_asked=True)
    work.log.append_events(events, received_at=stamp.at, is_asked=True)
    return len(rows), len(events)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stamp:
    """Makes rows what we store; ids follow from the file and the row, so that nothing is stored twice."""

    version: Version
    file_sha256: str
    at: datetime

    def exposure(self, row: Row) -> Exposure:
        key = self.version.definition.key
        return Exposure(
            event_id=self._id(row, key),
            unit_id=row.unit_id,
            experiment=key,
            version=self.version.number,
            epoch=self.version.epoch,
            segment=row.segment,
            variant=row.variant,
            occurred_at=self.at,
        )

    def event(self, row: Row, name: str, value: float, *, before: bool = False) -> Event:
        at = self.at - timedelta(seconds=BEFORE_SECONDS) if before else self.at
        return Event(event_id=self._id(row, name), unit_id=row.unit_id, name=name, value=value, occurred_at=at)

    def _id(self, row: Row, name: str) -> str:
        parts = (self.file_sha256, str(row.number), row.unit_id, name)
        return "replay-" + hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
