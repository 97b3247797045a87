"""Assign: which variant does this unit see? Answered from memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from experiments.domain.assignment import Assignment, Reason
from experiments.domain.definition import ExposurePolicy
from experiments.domain.errors import NotFound
from experiments.domain.event import Exposure
from experiments.domain.names import check_id
from experiments.services.catalog import Catalog, CatalogHolder, LiveExperiment
from experiments.services.ports import Clock, OpenUnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Who asks; the attributes decide the segment."""

    unit_id: str
    attributes: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_id(self.unit_id, "/unit_id")


class Assigner:
    """Reads the catalog only; where asking is showing, the exposures are stored before the answer is given."""

    def __init__(self, catalog: CatalogHolder, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._catalog = catalog
        self._open = open_unit_of_work
        self._clock = clock

    def assign(self, units: Sequence[Unit], experiment: str | None = None) -> list[list[Assignment]]:
        """Return per unit the answers of one live experiment, or of all running ones in order of key.

        Raises NotFound where the named experiment is not live, Unavailable before the catalog was first loaded.
        """
        catalog = self._catalog.loaded()
        asked = catalog.running if experiment is None else (_live(catalog, experiment),)
        answers = [[entry.assign(unit.unit_id, unit.attributes) for entry in asked] for unit in units]
        self._expose(asked, units, answers)
        return answers

    def evaluate(self, unit: Unit, experiment: str | None = None) -> list[tuple[LiveExperiment, Assignment]]:
        """Return the answers of one live experiment, or of all live ones (paused and stopped too), with where from.

        Raises NotFound and Unavailable as `assign` does.
        """
        catalog = self._catalog.loaded()
        asked = tuple(catalog.live.values()) if experiment is None else (_live(catalog, experiment),)
        answers = [entry.assign(unit.unit_id, unit.attributes) for entry in asked]
        self._expose(asked, [unit], [answers])
        return list(zip(asked, answers, strict=True))

    def _expose(
        self, asked: Sequence[LiveExperiment], units: Sequence[Unit], answers: Sequence[Sequence[Assignment]]
    ) -> None:
        showing = {
            entry.experiment.key
            for entry in asked
            if entry.experiment.definition.exposure_policy is ExposurePolicy.ON_ASSIGNMENT
        }
        if not showing:
            return
        now = self._clock()
        exposures = {
            exposure.event_id: exposure
            for unit, given in zip(units, answers, strict=True)
            for answer in given
            if answer.experiment in showing and answer.reason is Reason.ASSIGNED
            for exposure in (_exposure(unit.unit_id, answer, now),)
        }
        if exposures:
            with self._open() as work:
                work.log.append_exposures(list(exposures.values()), received_at=now)
                work.commit()


def _live(catalog: Catalog, key: str) -> LiveExperiment:
    entry = catalog.live.get(key)
    if entry is None:
        raise NotFound("experiment", key)
    return entry


def _exposure(unit_id: str, answer: Assignment, now: datetime) -> Exposure:
    """Return the exposure that the answer implies; asking again gives the same `event_id`, so it is stored once."""
    parts = (answer.experiment, str(answer.epoch), answer.segment or "", answer.variant, unit_id)
    return Exposure(
        event_id="assigned-" + hashlib.sha256("\x1f".join(parts).encode()).hexdigest(),
        unit_id=unit_id,
        experiment=answer.experiment,
        version=answer.version,
        epoch=answer.epoch,
        segment=answer.segment or "",
        variant=answer.variant,
        occurred_at=now,
    )
