"""A winner that is live: give it its next share, leave it, or take it back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain

from experiments.domain.candidacy import harmed, not_running, stale
from experiments.domain.decision import HOLD_OVER, Action, Decision, DecisionReason
from experiments.domain.evidence import Evidence, GuardrailState, Live
from experiments.domain.experiment import Status
from experiments.domain.promotion_policy import PromotionPolicy
from experiments.domain.wording import percent

Reasons = Iterator[DecisionReason]


def judge_live(evidence: Evidence, live: Live, policy: PromotionPolicy, now: datetime, *, unattended: bool) -> Decision:
    """Roll back on harm that is shown; ramp when the step has soaked and nothing speaks against it; hold otherwise.

    Numbers that cannot be trusted neither ramp nor roll back: they say nothing of the variant.
    """
    objections = (*not_running(evidence), *stale(evidence, policy, now), *_not_trustworthy(live))
    # What has been stopped goes on showing its winner: it is taken back for harm like any other.
    if {reason.code for reason in objections} - ({"not_running"} if evidence.status is Status.STOPPED else set()):
        return Decision(action=Action.HOLD, variant=live.variant, reasons=objections)
    harm = (*_broken(live), *_lost(live, policy))
    if harm:
        return Decision(action=Action.ROLL_BACK, variant=live.variant, reasons=harm)
    if objections:
        return Decision(action=Action.HOLD, variant=live.variant, reasons=objections)
    if live.is_final:
        return Decision(action=Action.HOLD, variant=live.variant, reasons=(_holding(evidence, live, policy),))
    waiting = (
        *(_quiet(policy, now) if unattended else ()),
        *_soaking(evidence, live, policy),
        *_suspect(live),
        *_out_of_favour(evidence, live),
    )
    if waiting:
        return Decision(action=Action.HOLD, variant=live.variant, reasons=waiting)
    share = policy.next_share_bp(live.share_bp)
    goes = "goes" if share > live.share_bp else "has had more than the policy allows now, and goes back"
    sentence = f"No harm of {live.variant} is shown at {live.share_bp / 100:g}%: it {goes} to {share / 100:g}%."
    return Decision(
        action=Action.RAMP, variant=live.variant, reasons=(DecisionReason(code="soaked", message=sentence),)
    )


def _quiet(policy: PromotionPolicy, now: datetime) -> Reasons:
    """Hours in which nothing but a roll-back is done without a person."""
    hours = policy.quiet_hours
    if hours is not None and hours.contain(now):
        yield DecisionReason(
            code="quiet_hours",
            message=f"Quiet hours, {hours.start:%H:%M} to {hours.end:%H:%M} {hours.timezone}: nothing goes live.",
        )


def _not_trustworthy(live: Live) -> Reasons:
    for sentence in live.critical:
        yield DecisionReason(code="untrustworthy", message=sentence)


def _broken(live: Live) -> Reasons:
    for guardrail in live.guardrails:
        if guardrail.variant == live.variant and guardrail.state is GuardrailState.HARMED:
            yield DecisionReason(
                code="guardrail_harmed",
                message=f"Since it went live, {live.variant} harms {guardrail.metric} beyond its margin.",
            )


def _lost(live: Live, policy: PromotionPolicy) -> Reasons:
    if live.gain_high is not None and live.gain_high < policy.revert_below_lift:
        yield DecisionReason(
            code="lift_lost",
            message=f"Since it went live, the gain is surely below {percent(live.gain_high, 1, sign=True)}; "
            f"the policy takes back below {percent(policy.revert_below_lift, 1)}.",
        )


def _suspect(live: Live) -> Reasons:
    for guardrail in live.guardrails:
        if guardrail.variant == live.variant and guardrail.state is GuardrailState.WORSE:
            yield DecisionReason(
                code="guardrail_worse",
                message=f"{live.variant} does harm to {guardrail.metric}, perhaps within its margin.",
            )


def _out_of_favour(evidence: Evidence, live: Live) -> Reasons:
    """What the report on everybody says now: on a ramp the realised numbers are few, and see little."""
    for sentence in evidence.critical:
        yield DecisionReason(code="untrustworthy", message=sentence)
    if "control_wins" in (evidence.outcome, evidence.segment_outcome):
        yield DecisionReason(
            code="control_wins", message=f"Of all who were counted, the control wins: {live.variant} goes no further."
        )
    for guardrail in evidence.guardrails:
        if guardrail.variant == live.variant:
            yield from harmed(guardrail)


def _soaking(evidence: Evidence, live: Live, policy: PromotionPolicy) -> Reasons:
    until = live.share_since + timedelta(seconds=policy.soak_seconds)
    if evidence.watermark_at < until:
        yield DecisionReason(
            code="soaking", message=f"{live.share_bp / 100:g}% are watched until {until:%Y-%m-%d %H:%M} UTC."
        )
    elif not live.units:
        yield DecisionReason(code="not_measured", message=f"Nobody has been counted at {live.share_bp / 100:g}% yet.")


def _holding(evidence: Evidence, live: Live, policy: PromotionPolicy) -> DecisionReason:
    """Nobody is kept for good who is behind at the end of the hold: who has not surely lost has not won yet.

    Nor is what a ramp would not go on with.
    """
    until = live.share_since + timedelta(seconds=policy.hold_seconds)
    if evidence.watermark_at < until:
        return DecisionReason(code="holding_back", message=f"The holdback measures until {until:%Y-%m-%d %H:%M} UTC.")
    if live.gain is None or live.gain_low is None or live.gain < policy.revert_below_lift:
        so_far = (
            "too few were counted"
            if live.gain is None or live.gain_low is None
            else f"the gain is {percent(live.gain, 1, sign=True)} so far"
        )
        return DecisionReason(
            code="not_confirmed", message=f"The hold is over, but {so_far}: the holdback goes on measuring."
        )
    doubt = next(chain(_suspect(live), _out_of_favour(evidence, live)), None)
    if doubt is not None:
        return DecisionReason(
            code="not_confirmed",
            message=f"The hold is over, but not all is well: {doubt.message} The holdback goes on measuring.",
        )
    return DecisionReason(
        code=HOLD_OVER,
        message=f"The holdback has measured until {until:%Y-%m-%d %H:%M} UTC; no loss has shown.",
    )
