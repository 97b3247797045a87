"""Experiment -> analysis plan: what the versions say, in the words of the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from analysis.plan import Cell, Covariate, EffectPrior, Looks, MetricPlan, Plan
from experiments.domain.canonical import canonical_json
from experiments.domain.definition import SegmentPlan
from experiments.domain.epoch import Version, follow_up_end
from experiments.domain.evidence import SRM_ALPHA
from experiments.domain.metric import MetricUse
from experiments.domain.policy import AnalysisPlan, LiftPrior
from experiments.domain.segment import EVERYONE
from experiments.domain.wording import plural
from experiments.services.analysing.looks import EarlierLooks

NO_LOOKS = EarlierLooks()


def plan_of(
    versions: Sequence[Version],
    stopped_at: datetime | None,
    watermark_at: datetime,
    earlier: EarlierLooks = NO_LOOKS,
) -> Plan:
    """Return the plan of the last of the versions (oldest first), with a cell for every segment of every epoch.

    A stop moves units as a new split does: `stopped_at` ends every follow-up, if the data reach that far. A
    group-sequential plan needs the looks before this one.
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
        srm_alpha=SRM_ALPHA,
        stopping_rule=rules.stopping_rule.value,
        family=rules.family.value,
        tuned_for_units=rules.tuned_for_units,
        min_units=rules.minimum_units,
        min_conversions=rules.minimum_conversions,
        units_name=plural(definition.unit_type),
        variant_names={variant.key: variant.name for variant in definition.variants},
        segment_names=_segment_names(versions),
        watermark_at=watermark_at,
        post_stratified=rules.post_stratified,
        looks=_looks(rules, earlier),
        lift_prior=_prior(rules.lift_prior),
        minimum_lift=rules.minimum_lift,
        novelty_days=rules.novelty_days,
    )


def canonical(plan: Plan) -> str:
    """Return the one JSON text of a plan."""
    document = asdict(plan)
    if plan.looks is not None:
        looks = document["looks"]
        looks["earlier_units"] = _by_segment(plan.looks.earlier_units)
        # Plans of earlier releases had none, nor has a first look.
        if looks.pop("standing"):
            looks["standing"] = _by_segment(
                {segment: tuple(map(asdict, found)) for segment, found in plan.looks.standing.items()}
            )
    return canonical_json(document)


def _by_segment(found: Mapping[str | None, tuple[Any, ...]]) -> dict[str, Any]:
    """All together have no key, which no JSON object can hold."""
    segments = {key: value for key, value in found.items() if key is not None}
    return {"segments": segments, "all_together": found.get(None, ())}


def _looks(rules: AnalysisPlan, earlier: EarlierLooks) -> Looks | None:
    if rules.planned_units is None:
        return None
    return Looks(
        planned_units=rules.planned_units,
        earlier_units=earlier.units,
        standing=earlier.standing,
        shape=rules.spending.value,
    )


def _prior(prior: LiftPrior | None) -> EffectPrior | None:
    return None if prior is None else EffectPrior(mean=prior.mean, std_dev=prior.std_dev)


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
                declared=_declared(version, segment),
            )


def _declared(version: Version, segment: SegmentPlan) -> dict[str, float] | None:
    """The split that would be in force were it not adaptive; what was promoted is not."""
    if version.definition.adaptive is None or segment.is_promoted:
        return None
    return {key: float(weight) for key, weight in segment.weights.items()}


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
        winsor_quantile=metric.winsor_quantile,
        quantile=metric.quantile,
        covariates=tuple(
            Covariate(
                key=covariate.key,
                event_name=covariate.event_name,
                lookback_seconds=covariate.lookback_seconds,
                counts_events=covariate.counts_events,
                cap=covariate.cap,
            )
            for covariate in metric.covariates
        ),
    )
