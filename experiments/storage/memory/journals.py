"""Snapshots, the audit log, and the log of exposures and events in memory."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any, TypeVar

from experiments.domain.errors import NotFound
from experiments.domain.event import Event, Exposure
from experiments.services.analysing.ports import NewSnapshot, Snapshot
from experiments.services.paging import Page
from experiments.services.ports import AuditEntry
from experiments.services.profiles.ports import UnitRows
from experiments.services.recording.erased_lines import units_in, without
from experiments.services.recording.lines import (
    EventValues,
    ExposureValues,
    Lines,
    event_values,
    exposure_values,
    instant_of,
    rows_in,
)
from experiments.services.recording.ports import InstantRow, Watermark
from experiments.storage.log.event_log import BATCH_ROWS, channel_name
from experiments.storage.memory.consents import MemoryConsentStore
from experiments.storage.memory.erasures import MemoryErasureStore
from experiments.storage.memory.identities import MemoryIdentityStore
from experiments.storage.memory.state import EventRow, ExposureRow, Log, Row, State
from experiments.storage.memory.stores import page_newest_first
from experiments.storage.results.snapshot_store import numbered

Item = TypeVar("Item", Event, Exposure)
_NO_EXPOSURE: ExposureRow = ("", "", "", "", 0, datetime(1970, 1, 1, tzinfo=UTC), True, None)
_NO_EVENT: EventRow = ("", "", None, datetime(1970, 1, 1, tzinfo=UTC), None)
"""Of no experiment and of no name, so nobody counts them."""


def as_stored(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of its own, as JSON would bring it back; refuse what is no JSON."""
    stored: dict[str, Any] = json.loads(json.dumps(dict(document), allow_nan=False))
    return stored


class MemorySnapshotStore:
    def __init__(self, state: State) -> None:
        self._rows = state.snapshots

    def add(self, snapshot: NewSnapshot) -> Snapshot:
        row_id = len(self._rows) + 1
        documents: dict[str, Any] = {
            name: as_stored(getattr(snapshot, name)) for name in ("moments", "report", "realised", "supplement")
        }
        kept = replace(snapshot, **documents)
        self._rows[row_id] = numbered(kept, row_id)
        return self._rows[row_id]

    def get(self, experiment: str, snapshot_id: int) -> Snapshot:
        found = self._rows.get(snapshot_id)
        if found is None or found.experiment != experiment:
            raise NotFound("snapshot", str(snapshot_id))
        return found

    def latest(self, experiment: str) -> Snapshot | None:
        return next(iter(self.page(experiment, after=None, limit=1).items), None)

    def page(self, experiment: str, *, after: str | None, limit: int) -> Page[Snapshot]:
        return page_newest_first(self._rows, after, limit, lambda row: row.experiment == experiment)

    def reports(self, experiment: str, *, below: int | None = None) -> Iterator[Mapping[str, Any]]:
        for row_id, row in list(self._rows.items()):
            if row.experiment == experiment and (below is None or row_id < below):
                yield row.report


class MemoryAuditLog:
    def __init__(self, state: State) -> None:
        self._rows = state.audit

    def append(self, entry: AuditEntry) -> None:
        row_id = len(self._rows) + 1
        self._rows[row_id] = replace(entry, id=row_id, detail=as_stored(entry.detail))

    def page(self, *, subject: str | None, after: str | None, limit: int) -> Page[AuditEntry]:
        return page_newest_first(self._rows, after, limit, lambda row: subject in (None, row.subject))


class MemoryEventLog:
    """Rows get their ids on commit, so what is committed lies below whatever comes later."""

    def __init__(
        self,
        exposures: Log[ExposureRow],
        events: Log[EventRow],
        erasures: MemoryErasureStore,
        consents: MemoryConsentStore,
    ) -> None:
        self._exposures = exposures
        self._events = events
        self.erasures = erasures
        self.consents = consents
        self.identities: MemoryIdentityStore | None = None
        self._to_erase = UnitRows(exposures=(), events=())
        self._new_exposures: dict[str, ExposureRow] = {}
        self._new_events: dict[str, EventRow] = {}

    def append_exposures(
        self, exposures: Sequence[Exposure], *, received_at: datetime, is_asked: bool = False
    ) -> frozenset[str]:
        kept = exposures if is_asked else self._kept(exposures, received_at)
        return _append(self._exposures, self._new_exposures, {one.event_id: _exposure_row(one) for one in kept})

    def append_events(
        self, events: Sequence[Event], *, received_at: datetime, is_asked: bool = False
    ) -> frozenset[str]:
        kept = events if is_asked else self._kept(events, received_at)
        return _append(self._events, self._new_events, {one.event_id: _event_row(one) for one in kept})

    def _kept(self, items: Sequence[Item], received_at: datetime) -> list[Item]:
        withheld = self.withheld({one.unit_id for one in items}, received_at=received_at)
        return [one for one in items if one.unit_id not in withheld]

    def withheld(self, unit_ids: Collection[str], *, received_at: datetime) -> frozenset[str]:
        unwanted = self.erasures.since(received_at), self.consents.said_by(unit_ids)
        return frozenset(one for one in unit_ids if any(some.covers(one, received_at) for some in unwanted))

    def load(self, lines: Lines) -> None:
        erased = self.erasures.since(None)
        if erased:
            lines = without(lines, erased)
        lines = without(lines, self.consents.said_by(units_in(lines)))
        _append(
            self._exposures,
            self._new_exposures,
            {row[0]: _loaded_exposure(row) for row in exposure_values(rows_in(lines.exposures))},
        )
        _append(
            self._events, self._new_events, {row[0]: _loaded_event(row) for row in event_values(rows_in(lines.events))}
        )

    def rows_of(self, unit_id: str) -> UnitRows:
        exposures = (place for place, row in enumerate(self._exposures.rows, 1) if row[1] == unit_id)
        events = (place for place, row in enumerate(self._events.rows, 1) if row[0] == unit_id)
        return UnitRows(exposures=tuple(exposures), events=tuple(events))

    def instants_of(self, unit_ids: Collection[str]) -> Sequence[InstantRow]:
        shown = ((place, False, row[1], row[5]) for place, row in enumerate(self._exposures.rows, 1))
        happened = ((place, True, row[0], row[3]) for place, row in enumerate(self._events.rows, 1))
        return [
            InstantRow(id=place, is_event=is_event, unit_id=unit_id, occurred_at=occurred_at)
            for place, is_event, unit_id, occurred_at in chain(shown, happened)
            if unit_id in unit_ids
        ]

    def erase(self, rows: UnitRows) -> None:
        self._to_erase = rows

    def commit(self) -> None:
        if self._to_erase.exposures or self._to_erase.events:
            self._exposures.erase(self._to_erase.exposures, _NO_EXPOSURE)
            self._events.erase(self._to_erase.events, _NO_EVENT)
            self._to_erase = UnitRows(exposures=(), events=())
        self._exposures.extend(self._new_exposures)
        self._events.extend(self._new_events)
        self._new_exposures, self._new_events = {}, {}

    def watermark(self, *, now: datetime) -> Watermark:
        if self._new_exposures or self._new_events:
            raise RuntimeError("a watermark is read in a transaction that has appended nothing")
        return Watermark(exposure_id=len(self._exposures.rows), event_id=len(self._events.rows), at=now)

    def exposures(
        self, experiment: str, watermark: Watermark
    ) -> Iterator[Sequence[tuple[str, str, str, int, datetime, str | None]]]:
        rows = iter(self._counted(experiment, watermark))
        while batch := [(*row[1:6], row[7]) for row in islice(rows, BATCH_ROWS)]:
            yield batch

    def events(
        self, experiment: str, names: Collection[str], watermark: Watermark
    ) -> Iterator[Sequence[tuple[str, str, float | None, datetime]]]:
        rows = (row[:4] for row in self._outcomes(experiment, names, watermark))
        while batch := list(islice(rows, BATCH_ROWS)):
            yield batch

    def events_since(
        self, since: datetime, names: Collection[str], watermark: Watermark
    ) -> Iterator[Sequence[tuple[str, float | None]]]:
        rows = self._events.rows[: watermark.event_id]
        found = (
            (unit_id, value) for unit_id, name, value, occurred_at, _ in rows if name in names and occurred_at >= since
        )
        while batch := list(islice(found, BATCH_ROWS)):
            yield batch

    def exposed_since(self, since: datetime, watermark: Watermark) -> Iterator[Sequence[tuple[str, datetime]]]:
        first: dict[str, datetime] = {}
        for _, unit_id, _, _, _, occurred_at, forced, _ in self._exposures.rows[: watermark.exposure_id]:
            if not forced and occurred_at >= since:
                first[unit_id] = min(occurred_at, first.get(unit_id, occurred_at))
        rows = iter(first.items())
        while batch := list(islice(rows, BATCH_ROWS)):
            yield batch

    def contacts_since(self, since: datetime, watermark: Watermark) -> Iterator[Sequence[tuple[str, str]]]:
        exposures = self._exposures.rows[: watermark.exposure_id]
        met = {(row[1], row[7]) for row in exposures if row[5] >= since and not row[6]}
        met |= {(row[0], row[4]) for row in self._events.rows[: watermark.event_id] if row[3] >= since}
        rows = iter([(unit_id, channel) for unit_id, channel in met if channel is not None])
        while batch := list(islice(rows, BATCH_ROWS)):
            yield batch

    def named(
        self, names: Collection[str], *, above: int, upto: int, most: int
    ) -> Sequence[tuple[int, str, float | None, datetime]]:
        rows = enumerate(self._events.rows[above:upto], above + 1)
        found = ((row_id, unit_id, value, at) for row_id, (unit_id, name, value, at, _) in rows if name in names)
        return list(islice(found, most))

    def has_rows_above(self, watermark: Watermark, experiment: str, names: Collection[str]) -> bool:
        shown = any(row[0] == experiment for row in self._exposures.rows[watermark.exposure_id :])
        return shown or any(row[1] in names for row in self._events.rows[watermark.event_id :])

    def counts(self, experiment: str, names: Collection[str], watermark: Watermark) -> tuple[int, int]:
        return len(self._counted(experiment, watermark)), len(self._outcomes(experiment, names, watermark))

    def _counted(self, experiment: str, watermark: Watermark) -> list[ExposureRow]:
        rows = self._exposures.rows[: watermark.exposure_id]
        return [row for row in rows if row[0] == experiment and not row[6]]

    def _outcomes(self, experiment: str, names: Collection[str], watermark: Watermark) -> list[EventRow]:
        exposed = {row[1] for row in self._counted(experiment, watermark)}
        if self.identities is not None and watermark.identity_revision:
            exposed |= self.identities.all_ids(exposed, watermark.identity_revision)
        return [row for row in self._events.rows[: watermark.event_id] if row[1] in names and row[0] in exposed]


def _append(log: Log[Row], pending: dict[str, Row], rows: dict[str, Row]) -> frozenset[str]:
    known = frozenset(event_id for event_id in rows if event_id in log.event_ids or event_id in pending)
    pending.update({event_id: row for event_id, row in rows.items() if event_id not in known})
    return known


def _exposure_row(one: Exposure) -> ExposureRow:
    return (
        one.experiment,
        one.unit_id,
        one.variant,
        one.segment,
        one.epoch,
        one.occurred_at.astimezone(UTC),
        one.forced,
        channel_name(one.channel),
    )


def _event_row(one: Event) -> EventRow:
    return (one.unit_id, one.name, one.value, one.occurred_at.astimezone(UTC), channel_name(one.channel))


def _loaded_exposure(row: ExposureValues) -> ExposureRow:
    _, unit_id, experiment, _, epoch, segment, variant, forced, channel, occurred_at, _ = row
    return experiment, unit_id, variant, segment, epoch, instant_of(occurred_at), forced, channel


def _loaded_event(row: EventValues) -> EventRow:
    _, unit_id, name, value, channel, occurred_at, _ = row
    return unit_id, name, value, instant_of(occurred_at), channel
