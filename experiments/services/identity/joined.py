"""Whose an id is now, for files that name units."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from experiments.services.ports import UnitOfWork


def joined(work: UnitOfWork, unit_ids: Collection[str]) -> Mapping[str, str]:
    """Return the persons of those of the ids that were joined to another: their own profiles are not read any more."""
    if not work.identities.revision():
        return {}
    rows = work.identities.some(unit_ids)
    return {unit_id: one.person_id for unit_id, one in rows.items() if one.person_id != unit_id}
