"""The log of exposures and events in SQL: what both databases have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CompoundSelect, Connection, Select, Table, Text, delete, exists, func, or_, select, type_coerce

from experiments.domain.erasure import Erased
from experiments.domain.event import Channel, Event, Exposure
from experiments.services.consent.picture import NotStored
from experiments.services.profiles.ports import UnitRows
from experiments.services.recording.erased_lines import oldest_received, units_in, without
from experiments.services.recording.lines import EVENT_COLUMNS, EXPOSURE_COLUMNS, Lines
from experiments.services.recording.ports import InstantRow, Watermark
from experiments.storage.columns import instant_of
from experiments.storage.customers.consent_store import SqlConsentStore
from experiments.storage.customers.erasure_store import SqlErasureStore
from experiments.storage.customers.identity_store import all_ids
from experiments.storage.log import tables
from experiments.storage.statements import take_time

BATCH_ROWS = 10_000
ERASED_AT_ONCE = 500
"""Rows named in one statement."""


class SqlEventLog(ABC):
    """`appended`: this transaction holds rows of its own, so that no watermark can be read in it."""

    def __init__(self, connection: Connection, consents: SqlConsentStore) -> None:
        self._connection = connection
        self._consents = consents
        self._erasures = SqlErasureStore(connection)
        self.appended = False

    def append_exposures(
        self, exposures: Sequence[Exposure], *, received_at: datetime, is_asked: bool = False
    ) -> frozenset[str]:
        rows = [_exposure_values(exposure, received_at) for exposure in exposures]
        return self._append(tables.exposures, rows if is_asked else self._kept(rows, received_at))

    def append_events(
        self, events: Sequence[Event], *, received_at: datetime, is_asked: bool = False
    ) -> frozenset[str]:
        rows = [_event_values(event, received_at) for event in events]
        return self._append(tables.events, rows if is_asked else self._kept(rows, received_at))

    def _append(self, table: Table, rows: list[dict[str, Any]]) -> frozenset[str]:
        if not rows:
            return frozenset()
        self.appended = True
        self._join_writers()  # `withheld` has not, where nobody was to be asked for
        return frozenset(row["event_id"] for row in rows) - self._insert_new(table, rows)

    def _kept(self, rows: list[dict[str, Any]], received_at: datetime) -> list[dict[str, Any]]:
        withheld = self.withheld({row["unit_id"] for row in rows}, received_at=received_at)
        return [row for row in rows if row["unit_id"] not in withheld] if withheld else rows

    def withheld(self, unit_ids: Collection[str], *, received_at: datetime) -> frozenset[str]:
        """Look as one who may append: so nothing slips through."""
        if not unit_ids:
            return frozenset()
        self._join_writers()
        unwanted = self._erased_since(received_at), self._not_consenting(unit_ids, received_at)
        return frozenset(one for one in unit_ids if any(some.covers(one, received_at) for some in unwanted if some))

    def _erased_since(self, received_at: datetime) -> Erased | None:
        latest = self._erasures.latest()
        return None if latest is None or latest < received_at else self._erasures.since(received_at)

    def _not_consenting(self, unit_ids: Collection[str], received_at: datetime) -> NotStored | None:
        return self._consents.not_stored(unit_ids, received_at) if self._consents.asks() else None

    def load(self, lines: Lines) -> None:
        self._join_writers()
        latest = self._erasures.latest()
        oldest = None if latest is None else oldest_received(lines)
        if latest is not None and oldest is not None and oldest <= latest:
            lines = without(lines, self._erasures.since(oldest))
        if self._consents.asks():
            lines = self._consented_lines(lines)
        self._load_all(lines)

    def _consented_lines(self, lines: Lines) -> Lines:
        oldest = oldest_received(lines)
        dropped = None if oldest is None else self._consents.not_stored(units_in(lines), oldest)
        return without(lines, dropped) if dropped else lines

    def _load_all(self, lines: Lines) -> None:
        for table, columns, data in (
            (tables.exposures, EXPOSURE_COLUMNS, lines.exposures),
            (tables.events, EVENT_COLUMNS, lines.events),
        ):
            if data:
                self.appended = True
                self._load(table, columns, data)

    @abstractmethod
    def _load(self, table: Table, columns: Sequence[str], data: bytes) -> None:
        """Insert the rows whose event id is not there yet; raise RowsRefused where one can never be stored."""

    @abstractmethod
    def _insert_new(self, table: Table, rows: list[dict[str, Any]]) -> frozenset[str]:
        """Insert the rows whose event id is not there yet, and return the ids of those."""

    @abstractmethod
    def _join_writers(self) -> None:
        """Append from here on: whoever has to know that nobody does waits for the end of the transaction."""

    def rows_of(self, unit_id: str) -> UnitRows:
        take_time(self._connection)
        exposures, events = (
            tuple(self._connection.execute(select(table.c.id).where(table.c.unit_id == unit_id)).scalars())
            for table in (tables.exposures, tables.events)
        )
        return UnitRows(exposures=exposures, events=events)

    def instants_of(self, unit_ids: Collection[str]) -> Sequence[InstantRow]:
        take_time(self._connection)
        return [
            InstantRow(id=row_id, is_event=table is tables.events, unit_id=unit_id, occurred_at=occurred_at)
            for table in (tables.exposures, tables.events)
            for row_id, unit_id, occurred_at in self._connection.execute(
                select(table.c.id, table.c.unit_id, table.c.occurred_at).where(table.c.unit_id.in_(unit_ids))
            )
        ]

    def erase(self, rows: UnitRows) -> None:
        for table, ids in ((tables.exposures, rows.exposures), (tables.events, rows.events)):
            for start in range(0, len(ids), ERASED_AT_ONCE):
                self._connection.execute(delete(table).where(table.c.id.in_(ids[start : start + ERASED_AT_ONCE])))

    def watermark(self, *, now: datetime) -> Watermark:
        if self.appended:
            raise RuntimeError("a watermark is read in a transaction that has appended nothing")
        exposure_id, event_id = self._settled_ids()
        return Watermark(exposure_id=exposure_id, event_id=event_id, at=now)

    @abstractmethod
    def _settled_ids(self) -> tuple[int, int]:
        """Return the highest ids below which no row can appear any more, in a state that this transaction sees."""

    def exposures(
        self, experiment: str, watermark: Watermark
    ) -> Iterator[Sequence[tuple[str, str, str, int, datetime, str | None]]]:
        rows = tables.exposures.c
        columns = (rows.unit_id, rows.variant, rows.segment, rows.epoch, rows.occurred_at, rows.channel)
        return self._batches(_counted(experiment, watermark, *columns).order_by(rows.id))

    def events(
        self, experiment: str, names: Collection[str], watermark: Watermark
    ) -> Iterator[Sequence[tuple[str, str, float | None, datetime]]]:
        rows = tables.events.c
        return self._batches(
            _outcomes(experiment, names, watermark, rows.unit_id, rows.name, rows.value, rows.occurred_at).order_by(
                rows.id
            )
        )

    def events_since(
        self, since: datetime, names: Collection[str], watermark: Watermark
    ) -> Iterator[Sequence[tuple[str, float | None]]]:
        rows = tables.events.c
        happened = select(rows.unit_id, rows.value).where(
            rows.name.in_(sorted(names)), rows.id <= watermark.event_id, rows.occurred_at >= since
        )
        return self._batches(happened.order_by(rows.id))

    def exposed_since(self, since: datetime, watermark: Watermark) -> Iterator[Sequence[tuple[str, datetime]]]:
        rows = tables.exposures.c
        shown = select(rows.unit_id, func.min(rows.occurred_at)).where(
            rows.id <= watermark.exposure_id, rows.occurred_at >= since, rows.forced.is_(False)
        )
        return self._batches(shown.group_by(rows.unit_id))

    def contacts_since(self, since: datetime, watermark: Watermark) -> Iterator[Sequence[tuple[str, str]]]:
        shown, happened = tables.exposures.c, tables.events.c
        by_exposure = select(shown.unit_id, shown.channel).where(
            shown.id <= watermark.exposure_id,
            shown.occurred_at >= since,
            shown.channel.is_not(None),
            shown.forced.is_(False),
        )
        by_event = select(happened.unit_id, happened.channel).where(
            happened.id <= watermark.event_id, happened.occurred_at >= since, happened.channel.is_not(None)
        )
        return self._batches(by_exposure.union(by_event))

    def named(
        self, names: Collection[str], *, above: int, upto: int, most: int
    ) -> Sequence[tuple[int, str, float | None, datetime]]:
        rows = tables.events.c
        happened_at = type_coerce(rows.occurred_at, Text)  # as the driver has it: there are many
        wanted = select(rows.id, type_coerce(rows.unit_id, Text), rows.value, happened_at).where(
            rows.name.in_(sorted(names)), rows.id > above, rows.id <= upto
        )
        found = self._connection.execute(wanted.order_by(rows.id).limit(most)).all()
        return [(row_id, unit_id, value, instant_of(at)) for row_id, unit_id, value, at in found]

    def has_rows_above(self, watermark: Watermark, experiment: str, names: Collection[str]) -> bool:
        shown, happened = tables.exposures.c, tables.events.c
        newer = or_(
            exists().where(shown.experiment_key == experiment, shown.id > watermark.exposure_id),
            exists().where(happened.name.in_(sorted(names)), happened.id > watermark.event_id),
        )
        return bool(self._connection.execute(select(newer)).scalar_one())

    def counts(self, experiment: str, names: Collection[str], watermark: Watermark) -> tuple[int, int]:
        take_time(self._connection)
        counted = select(
            _counted(experiment, watermark, func.count()).scalar_subquery(),
            _outcomes(experiment, names, watermark, func.count()).scalar_subquery(),
        )
        exposed, happened = self._connection.execute(counted).one()
        return exposed, happened

    def _batches(self, wanted: Select[Any] | CompoundSelect[Any]) -> Iterator[list[tuple[Any, ...]]]:
        take_time(self._connection)
        result = self._connection.execute(wanted, execution_options={"yield_per": BATCH_ROWS})
        for batch in result.partitions():
            yield [tuple(row) for row in batch]


def newest_ids(connection: Connection) -> tuple[int, int]:
    """Return the highest ids that are visible, 0 where there are none."""
    exposure_id, event_id = connection.execute(
        select(
            select(func.coalesce(func.max(tables.exposures.c.id), 0)).scalar_subquery(),
            select(func.coalesce(func.max(tables.events.c.id), 0)).scalar_subquery(),
        )
    ).one()
    return exposure_id, event_id


def _counted(experiment: str, watermark: Watermark, *columns: Any) -> Select[Any]:
    """Select from the experiment's exposures up to the watermark, forced ones left out."""
    rows = tables.exposures.c
    return select(*columns).where(
        rows.experiment_key == experiment, rows.id <= watermark.exposure_id, rows.forced.is_(False)
    )


def _outcomes(experiment: str, names: Collection[str], watermark: Watermark, *columns: Any) -> Select[Any]:
    """Select from the events of who was so exposed, by any id; the subquery stands alone, so it is worked out once."""
    rows = tables.events.c
    exposed = _counted(experiment, watermark, tables.exposures.c.unit_id)
    whose: CompoundSelect[Any] | Select[Any] = exposed
    if watermark.identity_revision:
        whose = exposed.union(all_ids(exposed, watermark.identity_revision))
    return select(*columns).where(rows.name.in_(sorted(names)), rows.id <= watermark.event_id, rows.unit_id.in_(whose))


def _exposure_values(exposure: Exposure, received_at: datetime) -> dict[str, Any]:
    return {
        "event_id": exposure.event_id,
        "unit_id": exposure.unit_id,
        "experiment_key": exposure.experiment,
        "version": exposure.version,
        "epoch": exposure.epoch,
        "segment": exposure.segment,
        "variant": exposure.variant,
        "forced": exposure.forced,
        "channel": channel_name(exposure.channel),
        "occurred_at": exposure.occurred_at,
        "received_at": received_at,
    }


def channel_name(channel: Channel | None) -> str | None:
    """Return what is stored of a channel."""
    return None if channel is None else channel.value


def _event_values(event: Event, received_at: datetime) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "unit_id": event.unit_id,
        "name": event.name,
        "value": event.value,
        "channel": channel_name(event.channel),
        "occurred_at": event.occurred_at,
        "received_at": received_at,
    }
