"""Snapshot -> evidence: what a promotion policy sees of one segment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from experiments.domain.definition import SegmentPlan
from experiments.domain.epoch import Version
from experiments.domain.errors import InvalidInput
from experiments.domain.experiment import Experiment
from experiments.domain.metric import Direction, MetricRole
from experiments.domain.promotion import Evidence, GuardrailEvidence, GuardrailState
from experiments.services.ports import Snapshot

Doc = Mapping[str, Any]


def evidence_of(experiment: Experiment, versions: Sequence[Version], snapshot: Snapshot, segment: str) -> Evidence:
    """Return the evidence on one segment; `versions` are all of the experiment's, oldest first.

    Raises InvalidInput where the segment is not in the experiment, or was not when the snapshot was taken.
    """
    seen = next(version for version in versions if version.number == snapshot.version)
    plan, then = experiment.definition.plan_of(segment), seen.definition.plan_of(segment)
    scope: Doc | None = next((scope for scope in snapshot.report["segments"] if scope["segment"] == segment), None)
    if plan is None or then is None or scope is None:
        raise InvalidInput("segment_unknown", f"The latest snapshot knows no segment {segment!r}.", path="/segment")
    verdict = scope["verdict"]
    control = experiment.definition.control.key
    shown = _against_control(_metric(scope, MetricRole.PRIMARY), verdict["variant"], control)
    low, high = _gain(shown, experiment.definition.primary.metric.direction)
    return Evidence(
        experiment=experiment.key,
        segment=segment,
        status=experiment.status,
        snapshot_id=snapshot.id,
        version=snapshot.version,
        watermark_at=snapshot.watermark.at,
        started_at=experiment.started_at,
        since_epoch=then.since_epoch,
        current_since_epoch=plan.since_epoch,
        segment_since=_since(versions, plan),
        offered=tuple(key for key, share in experiment.definition.intended_shares(plan).items() if share),
        already_promoted=plan.promoted,
        declined=plan.declined,
        stopping_rule=experiment.definition.analysis.stopping_rule,
        control=control,
        outcome=verdict["outcome"],
        variant=verdict["variant"],
        leaders=tuple(verdict["leaders"]),
        verdict=verdict["sentence"],
        units=tuple((arm["variant"], arm["units"]) for arm in _metric(scope, MetricRole.PRIMARY)["arms"]),
        lift=_number(shown["lift"]["value"]) if shown else None,
        gain_low=low,
        gain_high=high,
        p_value_adjusted=_number(shown["p_value_adjusted"]) if shown else None,
        srm_p_value=_number(scope["srm"]["p_value"]),
        critical=tuple(
            finding["message"]
            for finding in (*snapshot.report["findings"], *scope["findings"])
            if finding["severity"] == "critical"
        ),
        guardrails=tuple(_guardrails(scope, control)),
    )


def _since(versions: Sequence[Version], plan: SegmentPlan) -> datetime:
    """A new split keeps the data of the old one, so it does not start anew; another condition means other people."""
    return next(
        version.created_at
        for version in versions
        if (then := version.definition.plan_of(plan.segment.key)) is not None
        if then.segment.condition == plan.segment.condition
    )


def _metric(scope: Doc, role: MetricRole) -> Doc:
    found: Doc = next(metric for metric in scope["metrics"] if metric["role"] == role)
    return found


def _against_control(metric: Doc, variant: str | None, control: str) -> Doc | None:
    found: Doc | None = next(
        (c for c in metric["comparisons"] if c["treatment"] == variant and c["baseline"] == control), None
    )
    return found


def _gain(comparison: Doc | None, direction: Direction) -> tuple[float | None, float | None]:
    """Both ends of the interval that holds for the whole family; an end that is no number is not known."""
    interval = comparison.get("lift_in_family", {}) if comparison else {}
    low, high = _number(interval.get("low")), _number(interval.get("high"))
    if direction is Direction.INCREASE:
        return low, high
    return None if high is None else 0 - high, None if low is None else 0 - low


def _guardrails(scope: Doc, control: str) -> Iterator[GuardrailEvidence]:
    for metric in scope["metrics"]:
        for comparison in metric["comparisons"]:
            if metric["role"] == MetricRole.GUARDRAIL and comparison["baseline"] == control:
                yield GuardrailEvidence(
                    metric=metric["metric"],
                    variant=comparison["treatment"],
                    state=GuardrailState(comparison["guardrail"] or "unknown"),
                )


def _number(value: Any) -> float | None:
    """A stored number, or None where the report says that it does not exist."""
    return value if isinstance(value, int | float) else None
