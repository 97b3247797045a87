"""May the candidate of a segment go live? Every objection is said; one is enough."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from experiments.domain.decision import Action, Decision, DecisionReason
from experiments.domain.evidence import Basis, Evidence, GuardrailEvidence, GuardrailState
from experiments.domain.experiment import Status
from experiments.domain.policy import FAMILYWISE, AnalysisPlan, StoppingRule
from experiments.domain.promotion_policy import (
    RULE_OF_WINNER,
    WEEK_SECONDS,
    GuardrailRule,
    PromotionPolicy,
    WinnerRule,
)
from experiments.domain.wording import percent

Reasons = Iterator[DecisionReason]


def judge_candidate(
    evidence: Evidence, policy: PromotionPolicy, plan: AnalysisPlan, now: datetime, *, unattended: bool
) -> Decision:
    """Promote, hold, stop or say that nobody wins."""
    objections = (
        *(_unattended(evidence, policy, plan) if unattended else ()),
        *_not_current(evidence, policy, now),
        *_not_trustworthy(evidence),
        *_harmful(evidence, policy),
        *_too_early(evidence, policy, plan, now),
    )
    if objections:
        return Decision(action=Action.HOLD, variant=None, reasons=objections)
    if evidence.outcome == "control_wins":
        return _answer(Action.NO_WINNER, "control_wins", evidence.verdict)
    refusal = next(_not_won(evidence, policy), None)
    if refusal is None:
        return Decision(action=Action.PROMOTE, variant=evidence.variant, reasons=(_why(evidence, policy),))
    futile = next(_futile(evidence, policy, now), None)
    if futile is not None:
        return Decision(action=Action.STOP_FUTILE, variant=None, reasons=(futile, refusal))
    return Decision(action=Action.HOLD, variant=None, reasons=(refusal,))


def _answer(action: Action, code: str, message: str, variant: str | None = None) -> Decision:
    return Decision(action=action, variant=variant, reasons=(DecisionReason(code=code, message=message),))


def _why(evidence: Evidence, policy: PromotionPolicy) -> DecisionReason:
    """Under a rule that asks what being wrong may cost, that is the reason: the report's verdict may name no winner."""
    belief = evidence.belief_in(evidence.variant)
    if policy.winner is not WinnerRule.EXPECTED_LOSS or belief is None or belief.expected_loss is None:
        return DecisionReason(code="winner", message=evidence.verdict)
    return DecisionReason(
        code="expected_loss",
        message=f"{evidence.variant} is ahead of {evidence.control} by {percent(evidence.gain or 0, 1, sign=True)} so "
        f"far, and choosing it may cost {percent(belief.expected_loss, 2)} on average; the policy allows "
        f"{percent(policy.loss_tolerance or 0, 2)}.",
    )


def _unattended(evidence: Evidence, policy: PromotionPolicy, plan: AnalysisPlan) -> Reasons:
    if evidence.variant is not None and evidence.variant in evidence.declined:
        yield DecisionReason(
            code="taken_back",
            message=f"{evidence.variant} was rejected or taken back here; only a person may put it live again.",
        )
    if plan.family not in FAMILYWISE and policy.winner is not WinnerRule.EXPECTED_LOSS:
        yield DecisionReason(
            code="family_too_weak",
            message=f"Under {plan.family} most winners may be wrong; only a person may put one live.",
        )


def stale(evidence: Evidence, policy: PromotionPolicy, now: datetime) -> Reasons:
    """A snapshot that does not reach close enough to the present; or, with a clock that is wrong, beyond it."""
    if abs(now - evidence.watermark_at) > timedelta(seconds=policy.maximum_age_seconds):
        yield DecisionReason(
            code="stale", message=f"The snapshot reaches to {evidence.watermark_at:%Y-%m-%d %H:%M} UTC only."
        )


def not_running(evidence: Evidence) -> Reasons:
    if evidence.status is not Status.RUNNING:
        yield DecisionReason(code="not_running", message=f"The experiment is {evidence.status}.")


def _not_current(evidence: Evidence, policy: PromotionPolicy, now: datetime) -> Reasons:
    yield from not_running(evidence)
    wanted = RULE_OF_WINNER[policy.winner]
    if evidence.stopping_rule is not wanted:
        yield DecisionReason(
            code="not_always_valid" if wanted is StoppingRule.ALWAYS_VALID else "not_group_sequential",
            message=f"The policy promotes on evidence that is {wanted}; this plan is {evidence.stopping_rule}.",
        )
    if evidence.already_promoted is not None:
        yield DecisionReason(
            code="already_promoted", message=f"{evidence.already_promoted} is live in {evidence.segment} already."
        )
    elif evidence.since_epoch != evidence.current_since_epoch:
        yield DecisionReason(
            code="split_changed", message=f"The split of {evidence.segment} has changed since this snapshot."
        )
    if evidence.variant not in (*evidence.offered, None) and (
        evidence.outcome == "winner" or policy.winner is WinnerRule.EXPECTED_LOSS
    ):
        yield DecisionReason(code="not_offered", message=f"{evidence.variant} is not offered in {evidence.segment}.")
    yield from stale(evidence, policy, now)


def _not_trustworthy(evidence: Evidence) -> Reasons:
    for sentence in evidence.critical:
        yield DecisionReason(code="untrustworthy", message=sentence)


def _harmful(evidence: Evidence, policy: PromotionPolicy) -> Reasons:
    for guardrail in evidence.guardrails:
        if guardrail.variant == evidence.variant:
            yield from harmed(guardrail)
            if guardrail.state is GuardrailState.UNKNOWN and policy.guardrails is GuardrailRule.PROVEN_SAFE:
                yield DecisionReason(
                    code="guardrail_unproven",
                    message=f"Harm of {guardrail.variant} to {guardrail.metric} is not ruled out yet.",
                )


def harmed(guardrail: GuardrailEvidence) -> Reasons:
    """Harm that is shown, beyond the margin or not."""
    if guardrail.state is GuardrailState.HARMED:
        yield DecisionReason(
            code="guardrail_harmed", message=f"{guardrail.variant} harms {guardrail.metric} beyond its margin."
        )
    elif guardrail.state is GuardrailState.WORSE:
        yield DecisionReason(
            code="guardrail_worse",
            message=f"{guardrail.variant} does harm to {guardrail.metric}, perhaps beyond its margin.",
        )


def _too_early(evidence: Evidence, policy: PromotionPolicy, plan: AnalysisPlan, now: datetime) -> Reasons:
    started = max(evidence.started_at or now, evidence.segment_since)
    wait = timedelta(seconds=max(plan.minimum_duration_seconds, policy.minimum_weeks * WEEK_SECONDS))
    # The data have to span it, not only the clock: what came after the watermark was not looked at.
    if min(now, evidence.watermark_at) - started < wait:
        yield DecisionReason(
            code="minimum_duration", message=f"The plan wants data until {started + wait:%Y-%m-%d %H:%M} UTC."
        )
    least = max(plan.minimum_units, policy.minimum_units)
    judged = (evidence.control, evidence.variant) if evidence.variant is not None else evidence.offered
    for variant, units in evidence.units:
        if variant in judged and units < least:
            where = evidence.segment if evidence.basis is Basis.SEGMENT else "all segments together"
            told = "1 unit" if units == 1 else f"{units} units"
            yield DecisionReason(
                code="minimum_units", message=f"{variant} has {told} in {where}; the plan wants {least}."
            )


def _not_won(evidence: Evidence, policy: PromotionPolicy) -> Reasons:
    if policy.winner is WinnerRule.EXPECTED_LOSS:
        yield from _too_risky(evidence, policy)
        return
    if evidence.outcome != "winner" or evidence.variant is None or evidence.variant == evidence.control:
        yield DecisionReason(code=evidence.outcome, message=evidence.verdict)
        return
    yield from _disagreeing(evidence)
    if evidence.gain_low is None or evidence.gain_low < policy.minimum_lift:
        low = "unknown" if evidence.gain_low is None else f"{percent(evidence.gain_low, 1, sign=True)}"
        yield DecisionReason(
            code="below_minimum_lift",
            message=f"The gain is only sure to be above {low}; the policy wants more than {_wanted(policy)}.",
        )


def _disagreeing(evidence: Evidence) -> Reasons:
    if evidence.basis is Basis.OVERALL and evidence.segment_outcome == "control_wins":
        yield DecisionReason(
            code="segment_disagrees",
            message=f"{evidence.variant} wins in all segments together, but it is worse in {evidence.segment}.",
        )


def _too_risky(evidence: Evidence, policy: PromotionPolicy) -> Reasons:
    """Of the candidate with the smallest expected loss. It must not be behind the control, whatever its loss.

    Where the plan's minimum is not reached, nothing is believed yet: of few events the prior says more than they do.
    """
    if evidence.outcome == "too_early":
        yield DecisionReason(code="too_early", message=evidence.verdict)
        return
    belief = evidence.belief_in(evidence.variant)
    if belief is None or belief.expected_loss is None or evidence.variant == evidence.control:
        yield DecisionReason(code="no_better_arm", message="No treatment is expected to be better than the control.")
        return
    if evidence.gain is None or evidence.gain <= 0 or (evidence.gain_high is not None and evidence.gain_high <= 0):
        yield DecisionReason(code="not_better", message=f"{evidence.variant} is not ahead of {evidence.control}.")
    elif evidence.gain < policy.minimum_lift:
        yield DecisionReason(
            code="below_minimum_lift",
            message=f"The gain is {percent(evidence.gain, 1, sign=True)} so far; the policy wants {_wanted(policy)}.",
        )
    yield from _disagreeing(evidence)
    if policy.loss_tolerance is None or belief.expected_loss > policy.loss_tolerance:
        yield DecisionReason(
            code="loss_too_high",
            message=f"Choosing {evidence.variant} may cost {percent(belief.expected_loss, 2)} on average; "
            f"the policy allows {percent(policy.loss_tolerance or 0, 2)}.",
        )


def _futile(evidence: Evidence, policy: PromotionPolicy, now: datetime) -> Reasons:
    if evidence.best_gain_high is not None and evidence.best_gain_high < policy.minimum_lift:
        yield DecisionReason(
            code="below_threshold_for_sure",
            message=f"No treatment is better by more than {percent(evidence.best_gain_high, 1, sign=True)}; "
            f"the policy wants {_wanted(policy)}.",
        )
    if policy.maximum_weeks is not None:
        started = max(evidence.started_at or now, evidence.segment_since)
        if min(now, evidence.watermark_at) - started >= timedelta(weeks=policy.maximum_weeks):
            yield DecisionReason(
                code="time_is_up", message=f"No winner after {policy.maximum_weeks} weeks, the most the policy gives."
            )


def _wanted(policy: PromotionPolicy) -> str:
    return percent(policy.minimum_lift, 1, sign=True)
