"""Which experiments use a segment, and what won for it there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from api.dashboard.heading import State, state_of
from experiments.domain.experiment import Experiment
from experiments.domain.segment import Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """`note` says where the experiment keeps another form of the segment than the present one."""

    key: str
    name: str
    state: State
    note: str


def uses_of(segment: Segment, experiments: Iterable[Experiment]) -> tuple[Use, ...]:
    """The experiments that have the segment, the live ones first."""
    found = sorted(_found(segment, experiments), key=lambda pair: (not pair[0].is_live, pair[0].key))
    return tuple(
        Use(
            key=experiment.key,
            name=experiment.definition.name,
            state=state_of(experiment),
            note="" if condition == segment.condition else "with an earlier form of the segment",
        )
        for experiment, condition in found
    )


def _found(segment: Segment, experiments: Iterable[Experiment]) -> Iterator[tuple[Experiment, Mapping[str, Any]]]:
    for experiment in experiments:
        for plan in experiment.definition.segments:
            if plan.segment.key == segment.key:
                yield experiment, plan.segment.condition
