"""Whose events they are, and of whom they may be counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, TypeVar

from experiments.services.ports import UnitOfWork

Row = TypeVar("Row")
Named: TypeAlias = Sequence[tuple[int, str, float | None, datetime]]
"""(id, unit_id, value, occurred_at) of events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Events as columns of equal length."""

    unit_ids: Sequence[str]
    values: Sequence[float | None]
    instants: Sequence[datetime]


def of_persons(rows: Named, work: UnitOfWork) -> Happened:
    """By person, as an event belongs to who did it, whatever the id; nothing of who does not consent."""
    unit_ids, values, instants = [row[1] for row in rows], [row[2] for row in rows], [row[3] for row in rows]
    if work.identities.revision():
        known = work.identities.some(set(unit_ids))
        unit_ids = [known[unit_id].person_id if unit_id in known else unit_id for unit_id in unit_ids]
    if lacking := work.consents.lacking(set(unit_ids)):
        kept = [place for place, unit_id in enumerate(unit_ids) if unit_id not in lacking]
        unit_ids, values = [unit_ids[place] for place in kept], [values[place] for place in kept]
        instants = [instants[place] for place in kept]
    return Happened(unit_ids=unit_ids, values=values, instants=instants)


def consenting(found: Mapping[str, Row], work: UnitOfWork) -> Mapping[str, Row]:
    lacking = work.consents.lacking(found.keys())
    return {unit_id: one for unit_id, one in found.items() if unit_id not in lacking} if lacking else found
