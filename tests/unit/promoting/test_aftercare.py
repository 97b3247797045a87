"""decide() on a winner that is live: the next share, patience, or the way back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import pytest

from experiments.domain.decide import decide
from experiments.domain.decision import HOLD_OVER, Action
from experiments.domain.evidence import Evidence
from experiments.domain.experiment import Status
from experiments.domain.policy import DAY_SECONDS, AnalysisPlan
from experiments.domain.promotion_policy import PromotionPolicy, QuietHours
from tests.unit.builders import NOW
from tests.unit.promoting.promotions import GOOD, HARMED, LIVE, LOOK, SAFE, WORSE, live_evidence

JUST_SHORT = LOOK - timedelta(days=5) + timedelta(seconds=1)
LOST: dict[str, Any] = {"gain_high": -0.1}
BOTH = ["guardrail_harmed", "lift_lost"]
RAMP = PromotionPolicy(automatic=True, ramp_bp=(5_000, 9_000), soak_seconds=5 * DAY_SECONDS)


def said(
    evidence: Evidence, policy: PromotionPolicy = RAMP, now: datetime = LOOK, *, unattended: bool = True
) -> tuple[Action, list[str]]:
    decision = decide(evidence, policy, AnalysisPlan(), now, unattended=unattended)
    assert decision.variant == "b"
    return decision.action, [reason.code for reason in decision.reasons]


@pytest.mark.parametrize(
    ("changes", "action", "codes"),
    [
        pytest.param({}, Action.RAMP, ["soaked"], id="five days are enough"),
        pytest.param({"share_since": JUST_SHORT}, Action.HOLD, ["soaking"], id="a second short"),
        pytest.param({"units": ()}, Action.HOLD, ["not_measured"], id="nobody counted"),
        pytest.param({"guardrails": (SAFE,)}, Action.RAMP, ["soaked"], id="safe"),
        pytest.param({"guardrails": (WORSE,)}, Action.HOLD, ["guardrail_worse"], id="some harm"),
        pytest.param({"guardrails": (HARMED,)}, Action.ROLL_BACK, ["guardrail_harmed"], id="harm"),
        pytest.param({"guardrails": (replace(HARMED, variant="c"),)}, Action.RAMP, ["soaked"], id="another's harm"),
        pytest.param({"gain_high": -0.0001}, Action.ROLL_BACK, ["lift_lost"], id="lost"),
        pytest.param({"gain_high": 0.0}, Action.RAMP, ["soaked"], id="not lost yet"),
        pytest.param({"gain_high": None}, Action.RAMP, ["soaked"], id="not known"),
        pytest.param(LOST | {"guardrails": (HARMED,)}, Action.ROLL_BACK, BOTH, id="both"),
        pytest.param(LOST | {"critical": ("SRM",)}, Action.HOLD, ["untrustworthy"], id="no trust"),
        pytest.param({"gain_high": -0.1, "units": ()}, Action.ROLL_BACK, ["lift_lost"], id="harm needs no soak"),
    ],
)
def test_each_case_on_a_ramp(changes: dict[str, Any], action: Action, codes: list[str]) -> None:
    assert said(live_evidence(**changes)) == (action, codes)


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"status": Status.PAUSED}, ["not_running"]),
        ({"watermark_at": LOOK - timedelta(days=2)}, ["stale"]),
        ({"watermark_at": LOOK + timedelta(days=2)}, ["stale"]),
    ],
)
def test_old_evidence_moves_nothing_not_even_back(changes: dict[str, Any], codes: list[str]) -> None:
    lost = replace(GOOD, live=replace(LIVE, gain_high=-0.1), **changes)
    assert said(lost) == (Action.HOLD, codes)


def test_quiet_hours_keep_from_ramping_and_from_nothing_else() -> None:
    """LOOK is at nine in the morning."""
    quiet = replace(RAMP, quiet_hours=QuietHours(start=time(8), end=time(10)))
    assert said(live_evidence(), quiet) == (Action.HOLD, ["quiet_hours"])
    assert said(live_evidence(), quiet, unattended=False) == (Action.RAMP, ["soaked"])
    assert said(live_evidence(gain_high=-0.1), quiet) == (Action.ROLL_BACK, ["lift_lost"])


def test_the_threshold_below_which_it_is_taken_back_is_the_policys() -> None:
    policy = replace(RAMP, minimum_lift=0.05, revert_below_lift=0.02)
    assert said(live_evidence(gain_high=0.019), policy) == (Action.ROLL_BACK, ["lift_lost"])
    assert said(live_evidence(gain_high=0.02), policy) == (Action.RAMP, ["soaked"])


def test_the_holdback_measures_for_as_long_as_the_policy_says() -> None:
    policy = PromotionPolicy(hold_seconds=5 * DAY_SECONDS)
    held = {"is_final": True, "share_bp": 9_500}
    assert said(live_evidence(**held, share_since=NOW + timedelta(days=10, seconds=1)), policy)[1] == ["holding_back"]
    assert said(live_evidence(**held), policy) == (Action.HOLD, [HOLD_OVER])
    assert said(live_evidence(**held, gain_high=-0.1), policy) == (Action.ROLL_BACK, ["lift_lost"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"gain": 0.0}, HOLD_OVER, id="not behind"),
        pytest.param({"gain": -0.001}, "not_confirmed", id="behind, if not surely"),
        pytest.param({"gain": None, "gain_low": None, "gain_high": None}, "not_confirmed", id="not measured"),
        pytest.param({"gain": 0.5, "gain_low": None, "gain_high": None}, "not_confirmed", id="too few for an interval"),
    ],
)
def test_at_the_end_of_the_hold_only_who_is_not_behind_is_kept(changes: dict[str, Any], code: str) -> None:
    policy = PromotionPolicy(hold_seconds=5 * DAY_SECONDS)
    assert said(live_evidence(is_final=True, share_bp=9_500, **changes), policy) == (Action.HOLD, [code])


@pytest.mark.parametrize(
    ("realised", "report"),
    [
        pytest.param({"guardrails": (WORSE,)}, {}, id="harm, perhaps within the margin"),
        pytest.param({}, {"segment_outcome": "control_wins"}, id="of all who were counted the control wins"),
        pytest.param({}, {"critical": ("SRM.",)}, id="broken data"),
    ],
)
def test_nobody_is_kept_for_good_with_whom_a_ramp_would_not_go_on(
    realised: dict[str, Any], report: dict[str, Any]
) -> None:
    policy = PromotionPolicy(hold_seconds=5 * DAY_SECONDS)
    found = replace(live_evidence(is_final=True, share_bp=9_500, **realised), **report)
    assert said(found, policy) == (Action.HOLD, ["not_confirmed"])


def test_the_sentence_names_the_shares() -> None:
    decision = decide(live_evidence(), RAMP, AnalysisPlan(), LOOK)
    assert decision.reasons[0].message == "No harm of b is shown at 50%: it goes to 90%."


def test_a_larger_holdback_takes_a_share_back() -> None:
    policy = replace(RAMP, ramp_bp=(), holdback_bp=6_000)
    decision = decide(live_evidence(share_bp=5_000), policy, AnalysisPlan(), LOOK, unattended=True)
    assert decision.reasons[0].message == (
        "No harm of b is shown at 50%: it has had more than the policy allows now, and goes back to 40%."
    )


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        pytest.param({"outcome": "control_wins"}, ["control_wins"], id="the control wins"),
        pytest.param({"segment_outcome": "control_wins"}, ["control_wins"], id="in this segment"),
        pytest.param({"critical": ("SRM.",)}, ["untrustworthy"], id="broken data"),
        pytest.param({"guardrails": (HARMED,)}, ["guardrail_harmed"], id="harm"),
        pytest.param({"guardrails": (replace(HARMED, variant="c"),)}, ["soaked"], id="harm of another one"),
    ],
)
def test_a_ramp_goes_no_further_against_the_report_on_everybody(changes: dict[str, Any], codes: list[str]) -> None:
    assert said(replace(live_evidence(), **changes))[1] == codes


@pytest.mark.parametrize(("status", "action"), [(Status.STOPPED, Action.ROLL_BACK), (Status.PAUSED, Action.HOLD)])
def test_what_is_stopped_can_still_be_taken_back(status: Status, action: Action) -> None:
    assert said(replace(live_evidence(**LOST), status=status))[0] is action
    assert said(replace(live_evidence(), status=status)) == (Action.HOLD, ["not_running"])
