"""What replays call units.

All rows of a file happen at once, so units are told apart by the experiment's key: what the same customer does in
another experiment, replayed or live, says nothing about this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from experiments.domain.definition import Randomisation
from experiments.services.ports import AuditEntry, UnitOfWork
from experiments.services.replaying.plan import BEFORE_SECONDS

ACTION = "experiment.replay"
HAS_IDS = "has_ids"
"""Whether the file named its units, in the detail of an audit entry; those of earlier releases do not say it."""
_PAGE = 200


def name_of(experiment: str, unit: str) -> str:
    """Return the id of a unit, or of a row by its number, that a replay of the experiment stores."""
    return f"{experiment}-{unit}"


def names_of(work: UnitOfWork, unit_id: str) -> Mapping[str, frozenset[datetime]]:
    """Return what replays may have called a unit, and at which instants its rows of them occurred."""
    names: dict[str, frozenset[datetime]] = {}
    for entry in _replays(work):
        if entry.detail.get(HAS_IDS, True):
            name = name_of(entry.subject, unit_id)
            instants = {entry.at, entry.at - timedelta(seconds=BEFORE_SECONDS)}
            names[name] = names.get(name, frozenset()) | instants
    return names


def entry_of(work: UnitOfWork, experiment: str) -> AuditEntry | None:
    """Return the audit entry of the experiment's replay; None where it was not replayed."""
    after: str | None = None
    while True:
        page = work.audit.page(subject=experiment, after=after, limit=_PAGE)
        for entry in page.items:
            if entry.action == ACTION:
                return entry
        if page.next_after is None:
            return None
        after = page.next_after


def _replays(work: UnitOfWork) -> Iterator[AuditEntry]:
    after, more = None, True
    while more:
        page = work.experiments.page(after=after, limit=_PAGE)
        for experiment in page.items:
            is_external = experiment.definition.randomisation is Randomisation.EXTERNAL
            if is_external and (entry := entry_of(work, experiment.key)):
                yield entry
        after, more = page.next_after, page.next_after is not None
