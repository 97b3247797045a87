"""Snapshot -> what a promotion under way has come to: winner against holdback, since it went live."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.domain.bucketing import BUCKETS
from experiments.domain.evidence import GuardrailEvidence, GuardrailState, Live
from experiments.domain.few_events import Counted, highest_ratio_of_means, highest_ratio_of_rates
from experiments.domain.metric import Direction, MetricKind, MetricRole
from experiments.domain.policy import AnalysisPlan
from experiments.domain.promotion import Promotion, PromotionState, PromotionStep
from experiments.services.promoting.look import Look, paused_between
from experiments.services.promoting.stored_report import (
    Doc,
    against_control,
    arm_of,
    critical_of,
    gain_ends,
    gain_of,
    guardrails_of,
    metric_of,
    number,
    units_of,
)

FEW_EVENTS_SHARE = 0.1
"""Of the plan's alpha: what bounds of few events may err by, so that true winners are not taken back on their first
day. Against an arm in which nothing happens any more a tenth of the error costs one or two events more."""

LEAST_RATIO = 0.001
"""Nobody at all with the control says that the variant has more, not that it has infinitely more."""


def live_evidence(promotion: Promotion, look: Look) -> Live | None:
    """Return what has been measured of a promotion since it went live; None where it is not.

    A snapshot from before its latest share has measured nothing of that: it counts who came by other shares.
    """
    began = promotion.went_live
    if began is None or not promotion.is_live:
        return None
    last, control = promotion.shares[-1], look.experiment.definition.control.key
    direction = look.experiment.definition.primary.metric.direction
    is_seen = last.version_after is None or look.snapshot.version >= last.version_after
    realised: Doc = look.snapshot.realised.get(promotion.id, {}) if is_seen else {}
    report: Doc | None = realised.get("report")
    scope: Doc | None = report["segments"][0] if report else None
    shown = against_control(metric_of(scope, MetricRole.PRIMARY), promotion.variant, control) if scope else None
    low, high = gain_ends(shown, direction)
    if high is None and scope is not None:
        high = gain_of_few(metric_of(scope, MetricRole.PRIMARY), promotion, look)
    return Live(
        promotion=promotion.id,
        variant=promotion.variant,
        began_at=began.at,
        share_bp=last.share_bp or 0,
        share_since=last.at + paused_between(look.versions, last.at, look.snapshot.watermark.at),
        is_final=promotion.state is not PromotionState.RAMPING,
        predicted_gain=promotion.evidence.predicted_gain,
        # A share that nobody has seen yet has not been watched, whoever came before it.
        units=_counted(scope) if realised.get("units_at_share") != 0 else (),
        gain=gain_of(shown, direction),
        gain_low=low,
        gain_high=high,
        srm_p_value=number(scope["srm"]["p_value"]) if scope else None,
        critical=critical_of(report, scope) if report and scope else (),
        guardrails=tuple(_guardrails(scope, promotion, look)) if scope else (),
    )


def _counted(scope: Doc | None) -> tuple[tuple[str, int], ...]:
    units = units_of(scope) if scope else ()
    return units if any(count for _, count in units) else ()


def _guardrails(scope: Doc, promotion: Promotion, look: Look) -> Iterator[GuardrailEvidence]:
    """As the report says; where it cannot say, the bound of few events may still show harm beyond the margin."""
    definition = look.experiment.definition
    margins = {use.metric.key: use.margin_lift for use in definition.metrics if use.role is MetricRole.GUARDRAIL}
    metrics = {metric["metric"]: metric for metric in scope["metrics"] if metric["role"] == MetricRole.GUARDRAIL}
    for guardrail in guardrails_of(scope, definition.control.key):
        margin = margins.get(guardrail.metric)
        if guardrail.state is not GuardrailState.UNKNOWN or guardrail.variant != promotion.variant or margin is None:
            yield guardrail
            continue
        high = gain_of_few(metrics[guardrail.metric], promotion, look)
        harmed = high is not None and high < 0 - margin
        state = GuardrailState.HARMED if harmed else GuardrailState.UNKNOWN
        yield GuardrailEvidence(metric=guardrail.metric, variant=guardrail.variant, state=state)


def gain_of_few(metric: Doc, promotion: Promotion, look: Look) -> float | None:
    """Return the upper end of a live variant's gain where too little happens for an interval; None: not bounded.

    Who puts everybody off has to be found out too, and whoever has little to compare with in a small holdback. To be
    lowered, a metric's gain is bounded by how rarely the control has it: the harm is the variant's events.
    """
    control = look.experiment.definition.control.key
    live = promotion.shares if promotion.state is PromotionState.RAMPING else promotion.shares[-1:]
    shares = [_share_of_both(promotion, step, look) for step in live]
    increase = metric["direction"] == Direction.INCREASE
    few, others = (promotion.variant, control) if increase else (control, promotion.variant)
    ratio = _highest_ratio(
        metric, few, others, [share if increase else 1 - share for share in shares], look.experiment.definition.analysis
    )
    if ratio is None:
        return None
    return ratio - 1 if increase else 1 - 1 / max(ratio, LEAST_RATIO)


def _share_of_both(promotion: Promotion, step: PromotionStep, look: Look) -> float:
    """The winner's share of those who see it or the control: exploration gives both of them more, and others some."""
    then = next((one.definition for one in look.versions if one.number == step.version_after), None)
    plan = None if then is None else then.plan_of(promotion.segment)
    if plan is None or not step.exploration_bp:
        return (step.share_bp or 0) / BUCKETS
    weights = plan.allocation.weights_bp
    shown = weights.get(promotion.variant, 0)
    return shown / (shown + weights.get(look.experiment.definition.control.key, 0))


def _highest_ratio(metric: Doc, few: str, others: str, shares: list[float], plan: AnalysisPlan) -> float | None:
    """`shares`: those that the first of the two has had, one after the other."""
    alpha = plan.alpha * FEW_EVENTS_SHARE
    arm, other = arm_of(metric, few), arm_of(metric, others)
    if metric["kind"] == MetricKind.CONVERSION:
        converted = number(arm["total"]) or 0.0, number(other["total"]) or 0.0
        return highest_ratio_of_rates(*converted, share=min(shares), alpha=alpha)
    mean, value, spread = number(arm["value"]), number(other["value"]), number(other["std_dev"])
    small = min(arm["units"], other["units"]) < plan.minimum_units
    # Pooled over several splits, means differ by when the units came.
    if metric["kind"] == MetricKind.QUANTILE or len(shares) > 1 or small or mean is None or not value or spread is None:
        return None
    return highest_ratio_of_means(
        Counted(units=arm["units"], mean=mean),
        Counted(units=other["units"], mean=value),
        spread=abs(spread / value),
        alpha=alpha,
        tuned_for_units=plan.tuned_for_units,
        minimum_events=plan.minimum_conversions,
    )
