"""A journal that writes straight into the database: for commands, replays, and services without a spool."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from experiments.domain.event import Event, Exposure
from experiments.services.ports import OpenUnitOfWork
from experiments.services.recording.lines import Lines
from experiments.services.recording.ports import Known


class DirectJournal:
    """One transaction per batch, so it knows what was there before."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork) -> None:
        self._open = open_unit_of_work

    def append(self, events: Sequence[Event], exposures: Sequence[Exposure], *, received_at: datetime) -> Known:
        """Store what is new; see `ports.Journal`."""
        if not events and not exposures:
            return Known()
        with self._open() as work:
            known = Known(
                events=work.log.append_events(events, received_at=received_at),
                exposures=work.log.append_exposures(exposures, received_at=received_at),
            )
            work.commit()
        return known

    def append_lines(self, lines: Lines) -> None:
        """Store what is new of rows in the form in which they rest; see `ports.Journal`."""
        with self._open() as work:
            work.log.load(lines)
            work.commit()
