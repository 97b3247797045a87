"""Documents of older releases mean what they meant, and those of today are written as they always were."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.decision import DecisionReason
from experiments.domain.evidence import (
    Basis,
    GuardrailEvidence,
    GuardrailState,
)
from experiments.domain.metric import Metric, MetricKind
from experiments.domain.policy import AnalysisPlan, Family, LiftPrior, StoppingRule
from experiments.domain.profile import Profile, Statement
from experiments.domain.promotion import Promotion, PromotionState, PromotionStep
from experiments.domain.promotion_policy import (
    GuardrailRule,
    PromotionPolicy,
    PromotionScope,
    WinnerRule,
)
from experiments.domain.source import Source, SourceKind
from experiments.storage.documents import definition as definitions
from experiments.storage.documents import evidence as evidences
from experiments.storage.documents import library, promotion_policy, registry
from experiments.storage.documents import promotion as promotions
from tests.stores import promotions as built
from tests.stores.drawn_promotions import NIGHT
from tests.stores.frozen_documents import (
    APPLIED_1,
    ATTRIBUTE_1,
    DEFINITION_1,
    DEFINITION_2,
    EVIDENCE_1,
    METRIC_1,
    POLICY_OF_DEFINITION_3,
    RAMPING_2,
    REVERTED_1,
    SAID_1,
    SOURCE_1,
    SUPERSEDED_1,
)


def test_a_metric_of_the_first_release_is_one_that_asks_for_nothing_new():
    assert library.metric_from_document(METRIC_1) == Metric(
        key="spend", name="Spend", kind=MetricKind.MEAN, event_name="purchase", window_seconds=604_800, cap=500.0
    )


def test_a_definition_of_the_first_release_is_one_whose_author_asks_for_nothing_new():
    definition = definitions.definition_from_document(DEFINITION_1)
    assert definition.analysis == AnalysisPlan(
        alpha=0.1,
        stopping_rule=StoppingRule.FIXED_HORIZON,
        family=Family.BENJAMINI_HOCHBERG,
        minimum_duration_seconds=0,
        minimum_units=50,
        minimum_conversions=5,
        tuned_for_units=1_000,
    )
    assert definition.analysis.novelty_days == 14
    assert definition.metrics[0].metric.covariates == ()
    again = json.loads(json.dumps(definitions.definition_to_document(definition)))
    assert definitions.definition_from_document(again) == definition


def test_a_definition_of_the_second_release_keeps_its_policy_and_gets_what_nobody_asked_for():
    definition = definitions.definition_from_document(DEFINITION_2)
    assert definition.promotion == PromotionPolicy(
        automatic=True,
        minimum_lift=0.02,
        holdback_bp=200,
        guardrails=GuardrailRule.NOT_HARMED,
        maximum_age_seconds=3_600,
    )
    assert definition.promotion.ramp_bp == ()
    assert definition.analysis == AnalysisPlan(
        minimum_units=50, novelty_days=7, lift_prior=LiftPrior(mean=0.0, std_dev=0.1)
    )
    (plan,) = definition.segments
    assert (plan.promoted, plan.promotion, plan.weights) == ("b", "p1", {"b": 9_800, "a": 200})
    again = json.loads(json.dumps(definitions.definition_to_document(definition)))
    assert again["schema"] == 3
    assert definitions.definition_from_document(again) == definition


def test_policies_are_written_as_they_always_were_and_say_who_explores():
    policy = PromotionPolicy(
        automatic=True,
        winner=WinnerRule.EXPECTED_LOSS,
        scope=PromotionScope.ONE_FOR_ALL,
        minimum_lift=0.02,
        loss_tolerance=0.001,
        guardrails=GuardrailRule.NOT_HARMED,
        minimum_weeks=2,
        minimum_units=1_000,
        maximum_weeks=8,
        ramp_bp=(500, 2_500),
        soak_seconds=43_200,
        holdback_bp=200,
        hold_seconds=604_800,
        revert_below_lift=-0.01,
        quiet_hours=NIGHT,
        expires_after_seconds=172_800,
        maximum_age_seconds=3_600,
    )
    assert promotion_policy.policy_to_document(policy) == POLICY_OF_DEFINITION_3 | {"exploration_bp": 0}
    assert promotion_policy.policy_from_document(POLICY_OF_DEFINITION_3) == policy


def test_promotions_are_written_as_they_always_were_and_say_who_explores():
    ramping = built.promotion("p1", PromotionState.RAMPING)
    steps = [step | {"exploration_bp": 0} for step in RAMPING_2["steps"]]
    assert promotions.promotion_to_document(ramping) == RAMPING_2 | {"steps": steps}
    assert promotions.promotion_from_document(RAMPING_2) == ramping


def test_evidence_of_the_first_release_says_what_it_said():
    evidence = evidences.evidence_from_document(EVIDENCE_1)
    assert (evidence.gain, evidence.predicted_gain) == (0.0312345678901234, 0.0312345678901234)
    assert (evidence.gain_low, evidence.gain_high, evidence.best_gain_high) == (0.001, 0.06, None)
    assert (evidence.outcome, evidence.segment_outcome, evidence.basis) == ("winner", "winner", Basis.SEGMENT)
    assert (evidence.segment_name, evidence.epoch, evidence.declined) == ("everyone", 1, ("b",))
    assert (evidence.beliefs, evidence.holdback, evidence.live) == ((), None, None)
    assert evidence.watermark_at == built.NOW - timedelta(hours=1)
    assert evidence.units == (("a", 1_000), ("b", 1_010))
    assert evidence.guardrails == (GuardrailEvidence(metric="returns", variant="b", state=GuardrailState.SAFE),)
    again = json.loads(json.dumps(evidences.evidence_to_document(evidence)))
    assert again["schema"] == 2
    assert evidences.evidence_from_document(again) == evidence


@pytest.mark.parametrize(
    ("lift", "gain_low", "gain"),
    [(0.03, 0.001, 0.03), (-0.03, 0.001, 0.03), (0.03, None, 0.03), (None, None, None)],
    ids=["rises", "falls as it should", "no bound", "no lift"],
)
def test_a_lift_of_the_first_release_is_a_gain(lift, gain_low, gain):
    old = EVIDENCE_1 | {"lift": lift, "gain_low": gain_low, "declined": None}
    evidence = evidences.evidence_from_document(old)
    assert (evidence.gain, evidence.predicted_gain, evidence.declined) == (gain, gain, ())


def test_a_promotion_of_the_first_release_went_live_in_one_act():
    promotion = promotions.promotion_from_document(APPLIED_1)
    evidence = evidences.evidence_from_document(EVIDENCE_1)
    shared = {"at": built.NOW, "by": "worker", "version": 3, "unattended": True}
    assert promotion == Promotion(
        id="p1",
        experiment="sale",
        segment="everyone",
        variant="b",
        steps=(
            PromotionStep(
                state=PromotionState.PROPOSED,
                reasons=(DecisionReason(code="winner", message="b wins"),),
                evidence=evidence,
                evidence_sha256=APPLIED_1["evidence_sha256"],
                **shared,
            ),
            PromotionStep(state=PromotionState.APPROVED, **shared),
            PromotionStep(state=PromotionState.HELD, share_bp=9_500, version_after=4, **shared),
        ),
    )
    again = json.loads(json.dumps(promotions.promotion_to_document(promotion)))
    assert promotions.promotion_from_document(again) == promotion


def test_a_promotion_of_the_first_release_has_the_share_that_the_migration_found():
    held = promotions.promotion_from_document(APPLIED_1 | {"share_bp": 9_800}).steps[-1]
    assert (held.state, held.share_bp) == (PromotionState.HELD, 9_800)


def test_what_a_person_did_in_the_first_release_was_not_unattended():
    promotion = promotions.promotion_from_document(APPLIED_1 | {"applied_by": "key:ada"})
    assert {(step.by, step.unattended) for step in promotion.steps} == {("key:ada", False)}


@pytest.mark.parametrize(
    ("document", "end"),
    [
        (REVERTED_1, (PromotionState.REVERTED, 1, "key:bob", "returns rose")),
        (SUPERSEDED_1, (PromotionState.SUPERSEDED, 2, "key:ada", "")),
    ],
    ids=["reverted", "superseded"],
)
def test_a_promotion_of_the_first_release_has_its_end(document, end):
    promotion = promotions.promotion_from_document(document)
    before = promotions.promotion_from_document(APPLIED_1)
    state, days, by, note = end
    ended = PromotionStep(state=state, at=built.NOW + timedelta(days=days), by=by, version=4, note=note)
    assert promotion == before.step(ended)


def test_the_registry_is_read_as_the_first_release_wrote_it():
    attribute = Attribute(
        key="stage",
        name="Stage",
        type=AttributeType.TEXT,
        personal=True,
        sources=("crm",),
        allowed=("new", "loyal"),
        fresh_days=30,
    )
    assert registry.attribute_from_document(ATTRIBUTE_1) == attribute
    source = Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=20)
    assert registry.source_from_document(SOURCE_1) == source
    said = {
        "crm": {
            "city": Statement(value="Bonn", at=datetime(2026, 1, 5, 9, tzinfo=UTC)),
            "vip": Statement(value=None, at=datetime(2026, 1, 5, 9, 0, 0, 7, tzinfo=UTC)),
        }
    }
    assert registry.profile_from("u1", SAID_1) == Profile(unit_id="u1", said=said)
