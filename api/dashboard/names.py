"""What people call variants, segments and metrics; a key stands in for what the experiment does not know any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from experiments.domain.experiment import Experiment
from experiments.domain.segment import EVERYONE

ALL_TOGETHER = "All segments together"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    variants: Mapping[str, str]
    segments: Mapping[str, str]
    metrics: Mapping[str, str]
    unit: str

    def variant(self, key: str) -> str:
        return self.variants.get(key, key)

    def segment(self, key: str | None) -> str:
        return ALL_TOGETHER if key is None else self.segments.get(key, key)

    def metric(self, key: str) -> str:
        return self.metrics.get(key, key)


def names_of(experiment: Experiment) -> Names:
    """Read the names off the current definition."""
    definition = experiment.definition
    segments = {plan.segment.key: plan.segment.name for plan in definition.segments}
    if len(segments) == 1:
        segments = {EVERYONE: "Everyone"}
    return Names(
        variants={variant.key: variant.name for variant in definition.variants},
        segments=segments,
        metrics={use.metric.key: use.metric.name for use in definition.metrics},
        unit=definition.unit_type,
    )
