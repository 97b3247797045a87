"""The versions of live experiments, in memory: exposures are checked while the database is away."""

from __future__ import annotations

from collections.abc import Iterable

from experiments.domain.epoch import Version
from experiments.domain.experiment import Experiment, Status
from experiments.services.ports import UnitOfWork


class Versions:
    """A version of an experiment that has started never changes, so what was read once stays right."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], Version] = {}

    def get(self, key: str, number: int) -> Version | None:
        """Return a version that is in memory."""
        return self._held.get((key, number))

    def hold(self, key: str, version: Version) -> None:
        """Keep a version of a started experiment."""
        self._held[key, version.number] = version

    def learn(self, work: UnitOfWork, live: Iterable[Experiment]) -> None:
        """Hold the present version of each, and the earlier ones of those that have not stopped.

        Of stopped ones there are ever more; claims that come so late are looked up when one comes.
        """
        for experiment in live:
            key, current = experiment.key, experiment.current
            if experiment.status is not Status.STOPPED and self._lacks(key, current.number):
                for version in work.experiments.versions(key):
                    self.hold(key, version)
            self.hold(key, current)

    def _lacks(self, key: str, present: int) -> bool:
        return any((key, number) not in self._held for number in range(1, present))
