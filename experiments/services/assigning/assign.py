"""Assign: which variant does this unit see? Answered from memory, but for a profile that is not there yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.domain.assignment import Assignment, Reason
from experiments.domain.definition import ExposurePolicy
from experiments.domain.errors import NotFound
from experiments.domain.event import Channel
from experiments.domain.names import check_id
from experiments.services.assigning.catalog import Catalog, LiveExperiment
from experiments.services.assigning.implied import Implied, ImpliedExposures, implied_by
from experiments.services.assigning.sight import Sight
from experiments.services.caches import Caches
from experiments.services.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Who asks; the attributes decide the segment, over those of the unit's profile."""

    unit_id: str
    attributes: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_id(self.unit_id, "/unit_id")


class Assigner:
    """Reads catalog and profiles; where asking is showing, the exposures are stored before the answer is given.

    Of who does not consent no profile is read and no exposure stored.
    """

    def __init__(
        self,
        seen: Sight[Catalog],
        exposures: ImpliedExposures,
        clock: Clock,
        caches: Caches,
    ) -> None:
        self._seen = seen
        self.exposures = exposures
        self._clock = clock
        self.caches = caches

    def assign(
        self,
        units: Sequence[Unit],
        experiment: str | None = None,
        *,
        tags: frozenset[str] = frozenset(),
        channel: Channel | None = None,
    ) -> list[list[Assignment]]:
        """Return per unit the answers of one live experiment, or of all running ones in order of key.

        With `tags`, experiments that have none of them do not exist. `channel`: of exposures that this makes.
        Raises NotFound where the named experiment is not live, Unavailable before the catalog was first loaded.
        """
        catalog = self._seen.of(tags)
        return self._ask(catalog.running if experiment is None else (_live(catalog, experiment),), units, channel)

    def evaluate(
        self,
        unit: Unit,
        experiment: str | None = None,
        *,
        tags: frozenset[str] = frozenset(),
        leaving_out: Collection[str] = (),
    ) -> list[tuple[LiveExperiment, Assignment]]:
        """Return the answers of one live experiment, or of all live ones (paused and stopped too), with where from.

        Those that are left out are not asked. Raises NotFound and Unavailable as `assign` does.
        """
        catalog = self._seen.of(tags)
        asked = catalog.live.values() if experiment is None else (_live(catalog, experiment),)
        wanted = [entry for entry in asked if entry.experiment.key not in leaving_out]
        (answers,) = self._ask(wanted, [unit])
        return list(zip(wanted, answers, strict=True))

    def _ask(
        self, asked: Sequence[LiveExperiment], units: Sequence[Unit], channel: Channel | None = None
    ) -> list[list[Assignment]]:
        consents, who = self.caches.consents, self.caches.identities.of
        lacking = {unit.unit_id for unit in units if consents.lacks(unit.unit_id)} if consents.is_asked else ()
        if len(units) > 1:
            cold = [unit for unit in units if unit.unit_id not in lacking]
            self.caches.identities.warm([unit.unit_id for unit in cold])
            self.caches.profiles.warm((who(unit.unit_id).person_id, unit.attributes) for unit in cold)
        withheld = [entry.withheld for entry in asked] if lacking else []
        answers = []
        for unit in units:
            if unit.unit_id in lacking:
                answers.append(withheld)
                continue
            person_id, bucketed_as = who(unit.unit_id)
            attributes = self.caches.profiles.merged(person_id, unit.attributes)
            answers.append([entry.assign(bucketed_as, attributes) for entry in asked])
        showing = {
            entry.experiment.key
            for entry in asked
            if entry.experiment.definition.exposure_policy is ExposurePolicy.ON_ASSIGNMENT
        }
        self.expose(
            [
                (unit.unit_id, implied_by(answer))
                for unit, given in zip(units, answers, strict=True)
                for answer in given
                if answer.experiment in showing and answer.reason is Reason.ASSIGNED
            ],
            channel,
        )
        return answers

    def bucketed(self, unit_ids: Sequence[str]) -> list[str]:
        """Return for each unit the id that decides what it sees. Raises Unavailable."""
        return self.caches.identities.bucketed(unit_ids)

    def expose(self, shown: Sequence[tuple[str, Implied]], channel: Channel | None = None) -> None:
        """Store that units were shown what implies these. Raises Unavailable: then nothing was stored."""
        if shown:
            self.exposures.store(shown, now=self._clock(), channel=channel)


def _live(catalog: Catalog, key: str) -> LiveExperiment:
    entry = catalog.live.get(key)
    if entry is None:
        raise NotFound("experiment", key)
    return entry
