"""Retention: how long rows of the log are kept, and which of them experiments still need, however old they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from experiments.domain.definition import Randomisation
from experiments.domain.epoch import Version
from experiments.domain.experiment import Experiment, Status

AFTER_STOP_SECONDS = 7 * 86_400
"""How long late events of a stopped experiment are still counted."""
AHEAD = timedelta(seconds=300)
"""An exposure may be reported as of so long before its version was live: frontends' clocks differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """Exposures of these experiments, and events of these names since then (None: all there are)."""

    experiments: frozenset[str]
    names: Mapping[str, datetime | None]


def is_measured(experiment: Experiment, now: datetime, *, has_live_winner: bool) -> bool:
    """Say whether results of the experiment may still be computed: never of a draft, always until after its stop."""
    if experiment.status is Status.DRAFT:
        return False
    if experiment.stopped_at is None or has_live_winner:
        return True
    return now <= experiment.stopped_at + timedelta(seconds=AFTER_STOP_SECONDS)


def needed_by(measured: Iterable[tuple[Experiment, Sequence[Version]]]) -> Needed:
    """Return what experiments need, each given with all of its versions."""
    names: dict[str, datetime | None] = {}
    keys = set()
    for experiment, versions in measured:
        keys.add(experiment.key)
        for name, since in _names(experiment, versions):
            earlier = names.get(name, since)
            names[name] = None if since is None or earlier is None else min(since, earlier)
    return Needed(experiments=frozenset(keys), names=names)


def _names(experiment: Experiment, versions: Sequence[Version]) -> Iterable[tuple[str, datetime | None]]:
    """An experiment that somebody else splits takes exposures of any time; ours begin with its start."""
    for version in versions:
        is_external = version.definition.randomisation is Randomisation.EXTERNAL
        began = None if is_external or experiment.started_at is None else experiment.started_at - AHEAD
        for use in version.definition.metrics:
            yield from ((name, began) for name in use.metric.event_names)
            for covariate in use.metric.covariates:
                back = timedelta(seconds=covariate.lookback_seconds)
                yield covariate.event_name, None if began is None else began - back
