"""The immutable in-memory picture of all live experiments, swapped whole."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from experiments.domain.assignment import Assign, Assignment, compile_experiment, without_consent
from experiments.domain.condition import attributes_of
from experiments.domain.errors import Unavailable
from experiments.domain.experiment import Experiment, Status
from experiments.domain.layer import Layer
from experiments.domain.profile import Registry
from experiments.services.assigning.versions import Versions
from experiments.services.ports import OpenUnitOfWork, UnitOfWork
from experiments.services.profiles.registry_read import read_registry

_LIVE = (Status.RUNNING, Status.PAUSED, Status.STOPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveExperiment:
    """An experiment, the layer it shares with others, and its compiled assignment."""

    experiment: Experiment
    layer: Layer | None
    assign: Assign[Assignment]

    @property
    def withheld(self) -> Assignment:
        """What units see that do not consent."""
        return without_consent(self.experiment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """`version` is the stored catalog version that this is a picture of; -1 before the first look.

    `registry` has the registered attributes that live conditions name; None where there is none, so that nobody's
    profile makes a difference.
    """

    version: int
    live: Mapping[str, LiveExperiment]
    running: tuple[LiveExperiment, ...]
    registry: Registry | None = None


EMPTY = Catalog(version=-1, live=MappingProxyType({}), running=())


class CatalogHolder:
    """Holds the present catalog; `refresh` swaps it when the stored one is newer."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork) -> None:
        self._open = open_unit_of_work
        self._refreshing = threading.Lock()
        self.current = EMPTY
        self.versions = Versions()

    def loaded(self) -> Catalog:
        """Return the present catalog. Raises Unavailable before it was read for the first time."""
        if self.current is EMPTY:
            raise Unavailable("catalog_not_loaded", "This process has not read the experiments yet.")
        return self.current

    def catch_up(self) -> None:
        """Refresh after a change of our own: it is stored already, so trouble now is the next refresh's business."""
        with contextlib.suppress(Unavailable):
            self.refresh()

    def refresh(self) -> Catalog:
        """Read the stored version and, where it moved, the experiments. The last good catalog stays if this fails."""
        with self._refreshing, self._open(read_only=True) as unit:
            version = unit.catalog_version()
            if version != self.current.version:
                catalog = _build(unit, version, self.current.registry)
                self.versions.learn(unit, (entry.experiment for entry in catalog.live.values()))
                self.current = catalog
        return self.current


def _build(unit: UnitOfWork, version: int, registry: Registry | None) -> Catalog:
    live = {}
    for experiment in unit.experiments.with_status(_LIVE):
        claim = experiment.definition.layer
        layer = unit.layers.get(claim.layer).value if claim else None
        live[experiment.key] = LiveExperiment(
            experiment=experiment, layer=layer, assign=compile_experiment(experiment, layer)
        )
    running = tuple(entry for entry in live.values() if entry.experiment.status is Status.RUNNING)
    named = _named(unit, live.values())
    return Catalog(
        version=version,
        live=MappingProxyType(live),
        running=running,
        registry=registry if named == registry else named,  # the same one as long as it can be: caches hang on it
    )


def _named(unit: UnitOfWork, live: Iterable[LiveExperiment]) -> Registry | None:
    names = {
        name
        for entry in live
        for plan in entry.experiment.definition.segments
        for name in attributes_of(plan.segment.condition)
    }
    named = read_registry(unit).only(names) if names else None
    return named if named is not None and named.attributes else None
