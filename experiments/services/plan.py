"""Experiment -> analysis plan: what the versions say, in the words of the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime

from analysis.plan import Cell, MetricPlan, Plan
from experiments.domain.canonical import canonical_json
from experiments.domain.epoch import Version, follow_up_end
from experiments.domain.metric import MetricUse
from experiments.domain.names import plural
from experiments.domain.segment import EVERYONE


def plan_of(versions: Sequence[Version], stopped_at: datetime | None, watermark_at: datetime) -> Plan:
    """Return the plan of the last of the versions (oldest first), with a cell for every segment of every epoch.

    A stop moves units as a new split does: `stopped_at` ends every follow-up, if the data reach that far.
    """
    definition = versions[-1].definition
    ended_at = stopped_at if stopped_at is not None and stopped_at <= watermark_at else None
    cells = tuple(_cells(versions, ended_at))
    segments = dict.fromkeys([plan.segment.key for plan in definition.segments] + [cell.segment for cell in cells])
    rules = definition.analysis
    return Plan(
        variants=tuple(variant.key for variant in definition.variants),
        control=definition.control.key,
        segments=tuple(segments),
        metrics=tuple(_metric(use) for use in definition.metrics),
        cells=cells,
        alpha=rules.alpha,
        stopping_rule=rules.stopping_rule.value,
        family=rules.family.value,
        tuned_for_units=rules.tuned_for_units,
        min_units=rules.minimum_units,
        min_conversions=rules.minimum_conversions,
        units_name=plural(definition.unit_type),
        variant_names={variant.key: variant.name for variant in definition.variants},
        segment_names=_segment_names(versions),
        watermark_at=watermark_at,
    )


def canonical(plan: Plan) -> str:
    """Return the one JSON text of a plan."""
    return canonical_json(asdict(plan))


def _segment_names(versions: Sequence[Version]) -> dict[str, str]:
    """Names for people; where nobody else was ever asked for, everyone else is everyone."""
    names = {plan.segment.key: plan.segment.name for version in versions for plan in version.definition.segments}
    return {EVERYONE: "Everyone"} if set(names) == {EVERYONE} else names


def _cells(versions: Sequence[Version], ended_at: datetime | None) -> Iterator[Cell]:
    """The splits of an epoch are those of its first version; later ones of the same epoch have the same.

    While it is paused, nobody is in the experiment: such an epoch has no cells.
    """
    for epoch, version in {version.epoch: version for version in reversed(versions)}.items():
        for segment in () if version.paused else version.definition.segments:
            yield Cell(
                epoch=epoch,
                segment=segment.segment.key,
                weights={key: float(share) for key, share in version.definition.intended_shares(segment).items()},
                follow_up_ends_at=_earlier(follow_up_end(versions, epoch, segment.segment.key), ended_at),
            )


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((instant for instant in (one, other) if instant is not None), default=None)


def _metric(use: MetricUse) -> MetricPlan:
    metric = use.metric
    return MetricPlan(
        key=metric.key,
        kind=metric.kind.value,
        role=use.role.value,
        event_name=metric.event_name,
        denominator_event_name=metric.denominator_event_name,
        numerator_counts_events=metric.numerator_counts_events,
        denominator_counts_events=metric.denominator_counts_events,
        direction=metric.direction.value,
        window_seconds=metric.window_seconds,
        cap=metric.cap,
        margin_lift=use.margin_lift,
        name=metric.name,
    )
