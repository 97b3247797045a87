"""Prior: what the lifts of past experiments say about the next one (empirical Bayes). Heavy to import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from analysis.estimate import Undefined
from analysis.inference.beliefs import learn_lift_prior
from experiments.domain.experiment import Status
from experiments.domain.policy import LiftPrior
from experiments.services.ports import OpenUnitOfWork, UnitOfWork

FINISHED = (Status.STOPPED, Status.ARCHIVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """`prior` None: they teach nothing, for the reason given. `experiments` are those that were looked at."""

    prior: LiftPrior | None
    reason: str
    experiments: tuple[str, ...]


class Learner:
    """Reads what has come of experiments that are over; what it finds an author writes into the next one."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork) -> None:
        self._open = open_unit_of_work

    def learn(self, metric: str) -> Learnt:
        """Learn from the last report of every finished experiment that this metric decided. Raises NotFound."""
        with self._open(read_only=True) as work:
            past = dict(_past(work, metric))
            if not past:
                work.metrics.get(metric)
        found = learn_lift_prior(list(past.values()))
        if isinstance(found, Undefined):
            few = "There are fewer than two lifts to learn from." if found.reason == "too_few_segments" else ""
            return Learnt(prior=None, reason=few or found.message, experiments=tuple(past))
        return Learnt(prior=LiftPrior(mean=found.mean, std_dev=found.std_dev), reason="", experiments=tuple(past))


def _past(work: UnitOfWork, metric: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for experiment in work.experiments.with_status(FINISHED):
        snapshot = work.snapshots.latest(experiment.key)
        if snapshot is not None and experiment.definition.primary.metric.key == metric:
            yield experiment.key, snapshot.report
