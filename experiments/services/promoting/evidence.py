"""Snapshot -> evidence: what a promotion policy sees of one segment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from experiments.domain.bucketing import BUCKETS
from experiments.domain.definition import Definition, SegmentPlan
from experiments.domain.errors import InvalidInput
from experiments.domain.evidence import Basis, Evidence, Forecast, GuardrailEvidence, GuardrailState
from experiments.domain.experiment import Experiment
from experiments.domain.holdback import detectable_lift
from experiments.domain.metric import Direction, MetricRole
from experiments.domain.nearest import did_you_mean
from experiments.domain.policy import LiftPrior
from experiments.domain.predicted import expected_gain
from experiments.domain.promotion_policy import PromotionScope, WinnerRule
from experiments.services.promoting.live_evidence import live_evidence
from experiments.services.promoting.look import Look, paused_between
from experiments.services.promoting.stored_report import (
    Doc,
    against_control,
    beliefs_of,
    critical_of,
    gain_ends,
    gain_of,
    guardrails_of,
    metric_of,
    number,
    relative_spread,
    units_of,
)


def evidence_of(look: Look, segment: str) -> Evidence:
    """Return the evidence on one segment.

    Raises InvalidInput where the segment is not in the experiment, or was not when the snapshot was taken.
    """
    experiment, snapshot = look.experiment, look.snapshot
    seen = next(version for version in look.versions if version.number == snapshot.version)
    definition = experiment.definition
    plan, then = definition.plan_of(segment), seen.definition.plan_of(segment)
    own: Doc | None = next((scope for scope in snapshot.report["segments"] if scope["segment"] == segment), None)
    if plan is None or then is None or own is None:
        hint = did_you_mean(segment, [scope["segment"] for scope in snapshot.report["segments"]])
        message = f"The latest snapshot knows no segment {segment!r}.{hint}"
        raise InvalidInput("segment_unknown", message, path="/segment")
    basis, scope = _basis(experiment, snapshot.report, own)
    verdict, control = scope["verdict"], definition.control.key
    direction = definition.primary.metric.direction
    # Who is left out of the experiment is offered nothing, whatever wins elsewhere.
    offered = tuple(key for key, share in definition.intended_shares(plan).items() if share and plan.traffic_bp)
    beliefs = tuple(beliefs_of(scope, control))
    variant = verdict["variant"]
    if definition.promotion.winner is WinnerRule.EXPECTED_LOSS:
        losses = {one.variant: one.expected_loss for one in beliefs if one.expected_loss is not None}
        variant = min(losses, key=lambda key: losses[key]) if losses else None
    metric = metric_of(scope, MetricRole.PRIMARY)
    shown = against_control(metric, variant, control)
    low, high = gain_ends(shown, direction)
    since = _since(look, plan)
    promotion = look.open_in(segment)
    return Evidence(
        experiment=experiment.key,
        segment=segment,
        segment_name=plan.segment.name,
        status=experiment.status,
        snapshot_id=snapshot.id,
        version=snapshot.version,
        epoch=seen.epoch,
        watermark_at=snapshot.watermark.at,
        started_at=experiment.started_at,
        since_epoch=then.since_epoch,
        current_since_epoch=plan.since_epoch,
        segment_since=since,
        offered=offered,
        already_promoted=plan.promoted,
        declined=look.declined_in(segment),
        stopping_rule=definition.analysis.stopping_rule,
        control=control,
        basis=basis,
        outcome=verdict["outcome"],
        segment_outcome=_segment_outcome(own, variant, control, direction),
        variant=variant,
        leaders=tuple(verdict["leaders"]),
        verdict=verdict["sentence"],
        units=units_of(scope),
        gain=gain_of(shown, direction),
        predicted_gain=_predicted(shown, direction, definition.analysis.lift_prior),
        gain_low=low,
        gain_high=high,
        best_gain_high=_best_high(metric, offered, control, direction),
        p_value_adjusted=number(shown["p_value_adjusted"]) if shown else None,
        beliefs=beliefs,
        srm_p_value=number(scope["srm"]["p_value"]),
        critical=critical_of(snapshot.report, scope, own),
        guardrails=(*_guardrails(own, scope, control), *_not_looked_at(seen.definition, definition, variant)),
        holdback=_forecast(
            experiment,
            own,
            max(since, experiment.started_at or since),
            snapshot.watermark.at,
            offered=len(offered),
        ),
        live=None if promotion is None else live_evidence(promotion, look),
    )


def _basis(experiment: Experiment, report: Doc, own: Doc) -> tuple[Basis, Doc]:
    """One winner for all is read from all together, as long as segments are not shown to differ.

    Who wins over all although segments differ, or although one of them says otherwise, is advised to nobody yet
    ("wait"): then each segment speaks for itself. Who wins, but harms a guardrail ("none"), is judged over all.
    """
    if experiment.definition.promotion.scope is PromotionScope.PER_SEGMENT:
        return Basis.SEGMENT, own
    advice, overall = (report.get("recommendation") or {}).get("advice"), report["overall"]
    differs = advice == "per_segment" or (
        overall["verdict"]["outcome"] == "winner" and advice not in ("one_for_all", "none")
    )
    return (Basis.SEGMENT, own) if differs else (Basis.OVERALL, overall)


def _segment_outcome(own: Doc, variant: str | None, control: str, direction: Direction) -> str:
    """The segment's own outcome; as good as lost where the candidate is worse there, though others may not be."""
    outcome: str = own["verdict"]["outcome"]
    _, high = gain_ends(against_control(metric_of(own, MetricRole.PRIMARY), variant, control), direction)
    return "control_wins" if high is not None and high <= 0 else outcome


def _predicted(shown: Doc | None, direction: Direction, prior: LiftPrior | None) -> float | None:
    """A prior is stated of lifts; of a metric to be lowered its mean is no gain."""
    gain, error = gain_of(shown, direction), number(shown["lift"]["std_error"]) if shown else None
    if gain is None or error is None:
        return gain
    if prior is not None and direction is Direction.DECREASE:
        prior = replace(prior, mean=0 - prior.mean)
    return expected_gain(gain, error, prior)


def _guardrails(own: Doc, scope: Doc, control: str) -> tuple[GuardrailEvidence, ...]:
    """Of all together, where these decide; harm that the segment alone shows counts as well."""
    found = tuple(guardrails_of(scope, control))
    if scope is own:
        return found
    return (*found, *(one for one in guardrails_of(own, control) if one.state in ("harmed", "worse")))


def _not_looked_at(then: Definition, now: Definition, variant: str | None) -> Iterator[GuardrailEvidence]:
    """Guardrails that came, or got another margin, after the snapshot: it knows nothing of them."""
    for use in now.metrics:
        if variant is not None and use.role is MetricRole.GUARDRAIL and use not in then.metrics:
            yield GuardrailEvidence(metric=use.metric.key, variant=variant, state=GuardrailState.UNKNOWN)


def _since(look: Look, plan: SegmentPlan) -> datetime:
    """A new split keeps the data of the old one, so it does not start anew; another condition means other people."""
    came = next(
        version.created_at
        for version in look.versions
        if (then := version.definition.plan_of(plan.segment.key)) is not None
        if then.segment.condition == plan.segment.condition
    )
    started = max(came, look.experiment.started_at or came)
    paused = paused_between(look.versions, started, look.snapshot.watermark.at)
    return started + paused if paused else came


def _best_high(metric: Doc, offered: Sequence[str], control: str, direction: Direction) -> float | None:
    """The highest of the treatments' upper ends; None where one of them is not known."""
    highs = [
        gain_ends(against_control(metric, variant, control), direction)[1] for variant in offered if variant != control
    ]
    known = [high for high in highs if high is not None]
    return max(known) if known and len(known) == len(highs) else None


def _forecast(experiment: Experiment, own: Doc, since: datetime, until: datetime, *, offered: int) -> Forecast | None:
    """At the segment's traffic so far, by the end of the hold; so many variants that are offered explore."""
    policy, plan = experiment.definition.promotion, experiment.definition.analysis
    spread = relative_spread(own, experiment.definition.control.key)
    seconds = (until - since).total_seconds()
    units = sum(units for _, units in units_of(own))
    if not spread or seconds <= 0 or not units or not policy.hold_seconds:
        return None
    coming = units / seconds * policy.hold_seconds
    part = policy.exploration_bp // max(offered, 2)
    held = coming * (policy.holdback_bp + part) / BUCKETS
    elsewhere = coming * (part * max(offered - 2, 0)) / BUCKETS
    lift = detectable_lift(
        relative_spread=spread,
        held_units=held,
        live_units=coming - held - elsewhere,
        alpha=plan.alpha,
        tuned_for_units=plan.tuned_for_units,
    )
    return Forecast(lift=lift, at=until + timedelta(seconds=policy.hold_seconds))
