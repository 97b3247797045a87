"""Rows of the log as rows of persons, before anything is counted: several ids are one unit. Heavy to import."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analysis.plan import Plan
from experiments.services.ports import UnitOfWork
from experiments.services.recording.ports import Watermark

_Shown = tuple[datetime, int, str, str, str]
"""(exposed_at, epoch, segment, variant, id): in the order in which the analysis looks for who was exposed first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Persons:
    """Whose the ids are that were joined, one place per id."""

    ids: pa.Array
    persons: pa.Array

    def own(self, table: pa.Table) -> pa.Table:
        """Return the table with the person in place of each of its ids; nobody else changes."""
        places = pc.index_in(table["unit_id"], value_set=self.ids)
        units = pc.coalesce(pc.take(self.persons, places), table["unit_id"])
        return table.set_column(table.schema.get_field_index("unit_id"), table.schema.field("unit_id"), units)


def persons_of(work: UnitOfWork, experiment: str, watermark: Watermark) -> Persons | None:
    """Read who is who among the exposed, as of the watermark; None where nobody has several ids."""
    if not watermark.identity_revision:
        return None
    batches = work.identities.exposed(
        experiment, exposure_id=watermark.exposure_id, revision=watermark.identity_revision
    )
    rows = [row for batch in batches for row in batch]
    if not rows:
        return None
    ids, persons = zip(*rows, strict=True)
    return Persons(ids=pa.array(ids, pa.string()), persons=pa.array(persons, pa.string()))


def told(exposures: pa.Table, persons: Persons, plan: Plan) -> dict[str, Any]:
    """What is told of them beside a report. `exposures`: as they were recorded, by id.

    `contradictions` are persons who are left out because their ids saw different variants of one segment in one epoch,
    while no id by itself did: those among the mixed units that would count if the ids had not been joined.
    """
    whose = dict(zip(persons.ids.to_pylist(), persons.persons.to_pylist(), strict=True))
    known = exposures.filter(pc.is_in(exposures["unit_id"], value_set=persons.ids))
    columns = [known[name].to_pylist() for name in ("exposed_at", "epoch", "segment", "variant", "unit_id")]
    shown, ends = defaultdict[str, list[_Shown]](list), _ends(plan)
    for row in zip(*columns, strict=True):
        shown[whose[row[-1]]].append(row)
    return {
        "persons": len(shown),
        "several_ids_exposed": sum(len({row[-1] for row in rows}) > 1 for rows in shown.values()),
        "contradictions": sum(_contradicts(rows, ends) for rows in shown.values()),
    }


def _ends(plan: Plan) -> Mapping[tuple[int, str], datetime | None]:
    return {(cell.epoch, cell.segment): cell.follow_up_ends_at for cell in plan.cells}


def _contradicts(rows: Iterable[_Shown], ends: Mapping[tuple[int, str], datetime | None]) -> bool:
    exposed_at, epoch, segment, _, _ = first = min(rows)
    ends_at = ends.get((epoch, segment))
    if (epoch, segment) not in ends or (ends_at is not None and exposed_at >= ends_at):
        return False
    seen = defaultdict[str, set[str]](set)
    for _, _, _, variant, unit_id in _same_cell(rows, first):
        seen[unit_id].add(variant)
    return len(set().union(*seen.values())) > 1 and all(len(variants) == 1 for variants in seen.values())


def _same_cell(rows: Iterable[_Shown], first: _Shown) -> Iterator[_Shown]:
    return (row for row in rows if row[1:3] == first[1:3])
