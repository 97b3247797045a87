"""What recording needs from outside: the log, and journals in front of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from experiments.domain.errors import DomainError
from experiments.domain.event import Event, Exposure
from experiments.services.profiles.ports import UnitRows
from experiments.services.recording.lines import Lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """A fixed set of rows: everything stored with an id up to these. What lies below never changes any more.

    `identity_revision`: who is who as of that revision; 0: every id is somebody of its own.
    """

    exposure_id: int
    event_id: int
    at: datetime
    identity_revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InstantRow:
    """A row of the log by its id: whose it is, and when it occurred."""

    id: int
    is_event: bool
    unit_id: str
    occurred_at: datetime


class EventLog(Protocol):
    """Append-only but for erasure and retention, idempotent on `event_id` (exposures and events apart).

    What was received of a unit before it was erased, or while it does not consent, is not stored, and nobody is told.
    """

    def withheld(self, unit_ids: Collection[str], *, received_at: datetime) -> frozenset[str]:
        """Those of whom what was received then is not stored; that holds until the end of the transaction."""

    def append_exposures(
        self, exposures: Sequence[Exposure], *, received_at: datetime, is_asked: bool = False
    ) -> frozenset[str]:
        """Store what is new and return the event ids that were there before. Ids within one call are distinct.

        `is_asked`: the caller has asked `withheld` already, by the ids that persons know.
        """

    def append_events(
        self, events: Sequence[Event], *, received_at: datetime, is_asked: bool = False
    ) -> frozenset[str]:
        """The same for events."""

    def load(self, lines: Lines) -> None:
        """Store what is new of rows that were accepted before; ids may repeat among them.

        Raise RowsRefused where a row can never be stored.
        """

    def rows_of(self, unit_id: str) -> UnitRows:
        """Look through all rows for those of a unit."""

    def instants_of(self, unit_ids: Collection[str]) -> Sequence[InstantRow]:
        """Look through all rows for those of these units, and when they occurred."""

    def erase(self, rows: UnitRows) -> None:
        """Delete these rows; the ids of all others stay."""

    def watermark(self, *, now: datetime) -> Watermark:
        """Return the highest ids below which no row can appear later, waiting for writers that are under way."""

    def exposures(
        self, experiment: str, watermark: Watermark
    ) -> Iterator[Sequence[tuple[str, str, str, int, datetime, str | None]]]:
        """Batches of (unit_id, variant, segment, epoch, occurred_at, channel), in order of id, forced ones left out."""

    def events(
        self, experiment: str, names: Collection[str], watermark: Watermark
    ) -> Iterator[Sequence[tuple[str, str, float | None, datetime]]]:
        """Batches of (unit_id, name, value, occurred_at) of the units exposed to the experiment, in order of id.

        An event of any id of a person counts where one of the person's ids was exposed.
        """

    def events_since(
        self, since: datetime, names: Collection[str], watermark: Watermark
    ) -> Iterator[Sequence[tuple[str, float | None]]]:
        """Batches of (unit_id, value) of everybody's events of these names, exposed or not, in order of id."""

    def exposed_since(self, since: datetime, watermark: Watermark) -> Iterator[Sequence[tuple[str, datetime]]]:
        """Batches of (unit_id, its first occurred_at since then), each unit once, whatever it was exposed to."""

    def contacts_since(self, since: datetime, watermark: Watermark) -> Iterator[Sequence[tuple[str, str]]]:
        """Batches of (unit_id, channel), each pair once: by which channels units were shown or did something since."""

    def named(
        self, names: Collection[str], *, above: int, upto: int, most: int
    ) -> Sequence[tuple[int, str, float | None, datetime]]:
        """(id, unit_id, value, occurred_at) of events so called with such ids, the lowest first; waits for nobody."""

    def has_rows_above(self, watermark: Watermark, experiment: str, names: Collection[str]) -> bool:
        """Say whether exposures of the experiment, or events of these names, have come in since; waits for nobody."""

    def counts(self, experiment: str, names: Collection[str], watermark: Watermark) -> tuple[int, int]:
        """How many rows `exposures` and `events` will give (for progress)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The event ids of a batch that a journal knows to have been there before."""

    events: frozenset[str] = frozenset()
    exposures: frozenset[str] = frozenset()


Told: TypeAlias = Callable[[DomainError | None], None]
"""Is called when rows are on disk, or with why nothing was stored."""


class Journal(Protocol):
    """Where accepted rows go."""

    def append_lines(self, lines: Lines) -> None:
        """Return when the rows are on disk, as `append`; raise Unavailable where nothing was stored."""

    def append(self, events: Sequence[Event], exposures: Sequence[Exposure], *, received_at: datetime) -> Known:
        """Return when the rows are on disk: then they are in the database, or will be, each id once.

        Ids within one call are distinct. A journal need not know what the database holds: a row that was there before
        may go untold. Raise Unavailable where nothing was stored.
        """
