"""What replays stored of a unit, under names of their own."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.services.following.saying import SOURCE
from experiments.services.ports import UnitOfWork
from experiments.services.profiles.ports import UnitRows
from experiments.services.replaying.names import names_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """`rows` are the unit's by name and by instant: a unit whose own id happens to be such a name keeps its own.

    `names` are nobody else's, so that what was counted and said of them goes as well.
    """

    rows: UnitRows
    names: frozenset[str]


def replayed(work: UnitOfWork, unit_id: str) -> Replayed:
    """Look through the log for what replays stored of a unit, where there were any."""
    names = names_of(work, unit_id)
    rows = work.log.instants_of(names.keys()) if names else ()
    ours = [row for row in rows if row.occurred_at in names[row.unit_id]]
    others = {row.unit_id for row in rows if row.occurred_at not in names[row.unit_id]}
    others |= {
        name for name, stored in work.profiles.some(names.keys()).items() if stored.profile.said.keys() - {SOURCE}
    }
    return Replayed(
        rows=UnitRows(
            exposures=tuple(row.id for row in ours if not row.is_event),
            events=tuple(row.id for row in ours if row.is_event),
        ),
        names=frozenset(names.keys() - others),
    )
