"""decide(): what it looks at, in which order, and what it says; and what a promotion does to a split."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from experiments.domain.errors import InvalidInput, PromotionRefused
from experiments.domain.experiment import Status
from experiments.domain.policy import AnalysisPlan, Family, GuardrailRule, PromotionPolicy, StoppingRule
from experiments.domain.promotion import (
    Action,
    Evidence,
    GuardrailEvidence,
    GuardrailState,
    Promotion,
    PromotionState,
    decide,
    promoted_plan,
    reverted_plan,
)
from tests.unit.builders import NOW, plan

LOOK = NOW + timedelta(days=15)
GOOD = Evidence(
    experiment="banner",
    segment="mens",
    status=Status.RUNNING,
    snapshot_id=7,
    version=1,
    watermark_at=LOOK,
    started_at=NOW,
    since_epoch=1,
    current_since_epoch=1,
    segment_since=NOW,
    offered=("a", "b", "c"),
    already_promoted=None,
    declined=None,
    stopping_rule=StoppingRule.ALWAYS_VALID,
    control="a",
    outcome="winner",
    variant="b",
    leaders=("b",),
    verdict="B wins for men.",
    units=(("a", 5_000), ("b", 5_000)),
    lift=0.3,
    gain_low=0.1,
    gain_high=0.5,
    p_value_adjusted=0.001,
    srm_p_value=0.4,
    critical=(),
    guardrails=(),
)
HARMED = GuardrailEvidence(metric="spend", variant="b", state=GuardrailState.HARMED)
WORSE = replace(HARMED, state=GuardrailState.WORSE)
UNKNOWN = replace(HARMED, state=GuardrailState.UNKNOWN)
OTHER = replace(HARMED, variant="c")


def codes(policy: PromotionPolicy | None = None, **changes: Any) -> tuple[Action, list[str]]:
    decision = decide(replace(GOOD, **changes), policy or PromotionPolicy(), AnalysisPlan(), LOOK)
    return decision.action, [reason.code for reason in decision.reasons]


def test_a_sound_winner_is_promoted() -> None:
    decision = decide(GOOD, PromotionPolicy(), AnalysisPlan(), LOOK)
    assert (decision.action, decision.variant, decision.reasons[0].message) == (Action.PROMOTE, "b", "B wins for men.")


@pytest.mark.parametrize(
    ("changes", "action", "first"),
    [
        ({"status": Status.PAUSED}, Action.HOLD, "not_running"),
        ({"stopping_rule": StoppingRule.FIXED_HORIZON}, Action.HOLD, "not_always_valid"),
        ({"stopping_rule": StoppingRule.GROUP_SEQUENTIAL}, Action.HOLD, "not_always_valid"),
        ({"already_promoted": "b"}, Action.HOLD, "already_promoted"),
        ({"current_since_epoch": 2}, Action.HOLD, "split_changed"),
        ({"watermark_at": LOOK - timedelta(days=1, seconds=1)}, Action.HOLD, "stale"),
        ({"critical": ("SRM in segment mens",)}, Action.HOLD, "untrustworthy"),
        ({"guardrails": (HARMED,)}, Action.HOLD, "guardrail_harmed"),
        ({"guardrails": (WORSE,)}, Action.HOLD, "guardrail_worse"),
        ({"guardrails": (UNKNOWN,)}, Action.PROMOTE, "winner"),
        ({"guardrails": (OTHER,)}, Action.PROMOTE, "winner"),
        ({"started_at": LOOK - timedelta(days=14) + timedelta(seconds=1)}, Action.HOLD, "minimum_duration"),
        ({"started_at": LOOK - timedelta(days=14)}, Action.PROMOTE, "winner"),
        ({"segment_since": LOOK - timedelta(days=14) + timedelta(seconds=1)}, Action.HOLD, "minimum_duration"),
        ({"segment_since": NOW - timedelta(days=3)}, Action.PROMOTE, "winner"),
        ({"units": (("a", 99), ("b", 5_000))}, Action.HOLD, "minimum_units"),
        ({"units": (("a", 5_000), ("b", 99))}, Action.HOLD, "minimum_units"),
        ({"units": (("a", 5_000), ("b", 5_000), ("c", 0), ("d", 0))}, Action.PROMOTE, "winner"),
        ({"outcome": "undecided", "variant": None, "units": (("c", 99), ("d", 0))}, Action.HOLD, "minimum_units"),
        ({"outcome": "undecided", "variant": None, "units": (("d", 0),)}, Action.HOLD, "undecided"),
        ({"offered": ("a", "c")}, Action.HOLD, "not_offered"),
        ({"outcome": "control_wins", "variant": "a"}, Action.NO_WINNER, "control_wins"),
        ({"outcome": "tied", "variant": None}, Action.HOLD, "tied"),
        ({"outcome": "undecided", "variant": None}, Action.HOLD, "undecided"),
        ({"variant": "a"}, Action.HOLD, "winner"),
        ({"gain_low": None}, Action.HOLD, "below_minimum_lift"),
        # An interval that ends at 0 leaves it out: Holm has rejected what Bonferroni alone does not.
        ({"gain_low": 0.0}, Action.PROMOTE, "winner"),
        ({"gain_low": -1e-9}, Action.HOLD, "below_minimum_lift"),
        ({"gain_low": -0.1, "lift": 0.3}, Action.HOLD, "below_minimum_lift"),
    ],
)
def test_each_objection(changes: dict[str, Any], action: Action, first: str) -> None:
    got, reasons = codes(**changes)
    assert (got, reasons[0]) == (action, first)


def test_the_practical_threshold_is_passed_by_the_lower_bound_not_by_the_lift() -> None:
    policy = PromotionPolicy(minimum_lift=0.2)
    assert codes(policy, lift=0.3, gain_low=0.1) == (Action.HOLD, ["below_minimum_lift"])
    assert codes(policy, lift=0.3, gain_low=0.21) == (Action.PROMOTE, ["winner"])


@pytest.mark.parametrize(
    ("family", "unattended", "action", "first"),
    [
        (Family.HOLM, True, Action.PROMOTE, "winner"),
        (Family.HOCHBERG, True, Action.PROMOTE, "winner"),
        (Family.BONFERRONI, True, Action.PROMOTE, "winner"),
        (Family.BENJAMINI_HOCHBERG, False, Action.PROMOTE, "winner"),
        (Family.BENJAMINI_YEKUTIELI, True, Action.HOLD, "family_too_weak"),
        (Family.E_BENJAMINI_HOCHBERG, True, Action.HOLD, "family_too_weak"),
        (Family.BENJAMINI_HOCHBERG, True, Action.HOLD, "family_too_weak"),
    ],
)
def test_without_a_person_only_a_family_that_limits_wrong_winners_acts(
    family: Family, unattended: bool, action: Action, first: str
) -> None:
    decision = decide(GOOD, PromotionPolicy(), AnalysisPlan(family=family), LOOK, unattended=unattended)
    assert (decision.action, decision.reasons[0].code) == (action, first)


@pytest.mark.parametrize(("name", "least"), [("minimum_units", 20), ("tuned_for_units", 100)])
def test_a_plan_waits_until_standard_errors_have_settled(name: str, least: int) -> None:
    assert getattr(AnalysisPlan(**{name: least}), name) == least
    with pytest.raises(InvalidInput) as refusal:
        AnalysisPlan(**{name: least - 1})
    assert refusal.value.code == "minimum_invalid"


def test_a_strict_policy_wants_guardrails_proven() -> None:
    policy = PromotionPolicy(guardrails=GuardrailRule.PROVEN_SAFE)
    assert codes(policy, guardrails=(UNKNOWN,)) == (Action.HOLD, ["guardrail_unproven"])
    assert codes(policy, guardrails=(WORSE,)) == (Action.HOLD, ["guardrail_worse"])
    assert codes(policy, guardrails=(replace(HARMED, state=GuardrailState.SAFE),)) == (Action.PROMOTE, ["winner"])


def test_trust_and_guardrails_come_before_lift() -> None:
    action, reasons = codes(critical=("SRM",), guardrails=(HARMED,), outcome="undecided", units=(("a", 1),))
    assert (action, reasons) == (Action.HOLD, ["untrustworthy", "guardrail_harmed", "minimum_units"])


def test_what_a_person_took_back_only_a_person_puts_live_again() -> None:
    declined = replace(GOOD, declined="b")
    alone = decide(declined, PromotionPolicy(), AnalysisPlan(), LOOK, unattended=True)
    assert (alone.action, alone.reasons[0].code) == (Action.HOLD, "taken_back")
    assert decide(declined, PromotionPolicy(), AnalysisPlan(), LOOK).action is Action.PROMOTE
    other = decide(replace(GOOD, declined="c"), PromotionPolicy(), AnalysisPlan(), LOOK, unattended=True)
    assert other.action is Action.PROMOTE


def test_evidence_has_one_hash() -> None:
    """sha256 of the canonical text: any change of any field changes it, building it again does not."""
    assert replace(GOOD).sha256() == GOOD.sha256()
    assert replace(GOOD, gain_low=0.1000001).sha256() != GOOD.sha256()
    assert '"watermark_at":"2026-01-20T09:00:00+00:00"' in GOOD.canonical()


def promotion(state: PromotionState = PromotionState.APPLIED) -> Promotion:
    return Promotion(
        id="p1",
        experiment="banner",
        segment="everyone",
        variant="b",
        state=state,
        evidence=GOOD,
        evidence_sha256=GOOD.sha256(),
        reasons=(),
        version_before=1,
        version_after=2,
        applied_at=LOOK,
        applied_by="ann",
    )


def test_the_winner_goes_live_for_all_but_the_holdback_and_comes_back_bucket_for_bucket() -> None:
    before = plan(weights={"a": 1, "b": 1, "c": 1})
    after = promoted_plan(before, "b", "a", PromotionPolicy(holdback_bp=500), promotion="p1")
    assert after.allocation.weights_bp == {"a": 500, "b": 9_500}
    assert after.promoted == "b"
    kept = [after.allocation.variant_at(n) for n in range(10_000) if before.allocation.variant_at(n) == "b"]
    assert kept == ["b"] * 3_333
    back = reverted_plan(replace(after, traffic_bp=1_000), before, promotion())
    assert (back.allocation, back.weights) == (before.allocation, before.weights)
    assert (back.promoted, back.promotion, back.declined) == (None, None, "b")
    assert back.traffic_bp == 1_000


def test_what_was_replaced_or_reverted_is_not_reverted_again() -> None:
    with pytest.raises(PromotionRefused) as refusal:
        promotion(PromotionState.REVERTED).revert(by="ann", reason="again", now=LOOK)
    assert refusal.value.code == "already_reverted"
    with pytest.raises(PromotionRefused) as refusal:
        reverted_plan(replace(plan(), promoted="b", promotion="p2"), plan(), promotion())
    assert refusal.value.code == "superseded"
