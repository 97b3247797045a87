"""Snapshot -> evidence: what a promotion policy sees of one segment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from experiments.domain.epoch import Version
from experiments.domain.errors import InvalidInput
from experiments.domain.experiment import Experiment
from experiments.domain.metric import Direction, MetricRole
from experiments.domain.promotion import Evidence, GuardrailEvidence, GuardrailState
from experiments.services.ports import Snapshot

Doc = Mapping[str, Any]


def evidence_of(experiment: Experiment, seen: Version, snapshot: Snapshot, segment: str) -> Evidence:
    """Return the evidence on one segment; `seen` is the version that the snapshot was computed with.

    Raises InvalidInput where the segment is not in the experiment, or was not when the snapshot was taken.
    """
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


def _metric(scope: Doc, role: MetricRole) -> Doc:
    found: Doc = next(metric for metric in scope["metrics"] if metric["role"] == role)
    return found


def _against_control(metric: Doc, variant: str | None, control: str) -> Doc | None:
    found: Doc | None = next(
        (c for c in metric["comparisons"] if c["treatment"] == variant and c["baseline"] == control), None
    )
    return found


def _gain(comparison: Doc | None, direction: Direction) -> tuple[float | None, float | None]:
    interval = comparison["lift"]["always_valid"] if comparison else {}
    if "low" not in interval:
        return None, None
    if direction is Direction.INCREASE:
        return interval["low"], interval["high"]
    return -interval["high"], -interval["low"]


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
