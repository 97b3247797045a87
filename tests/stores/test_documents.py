"""Documents lose nothing, through real JSON text, and refuse what another release wrote."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace
from datetime import UTC, datetime, time, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.domain.allocation import Allocation
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.canonical import canonical_json
from experiments.domain.covariate import Covariate
from experiments.domain.decision import DecisionReason
from experiments.domain.definition import Definition, ExposurePolicy, Randomisation, SegmentPlan, Variant
from experiments.domain.errors import Unavailable
from experiments.domain.evidence import (
    ArmBelief,
    Basis,
    Evidence,
    Forecast,
    GuardrailEvidence,
    GuardrailState,
    Live,
)
from experiments.domain.experiment import Status
from experiments.domain.layer import Layer, LayerClaim
from experiments.domain.metric import Direction, Metric, MetricKind, MetricRole, MetricUse
from experiments.domain.policy import AnalysisPlan, Family, LiftPrior, Spending, StoppingRule
from experiments.domain.profile import Profile, Statement
from experiments.domain.promotion import Promotion, PromotionState, PromotionStep
from experiments.domain.promotion_policy import (
    GuardrailRule,
    PromotionPolicy,
    PromotionScope,
    QuietHours,
    WinnerRule,
)
from experiments.domain.segment import EVERYONE, Segment, everyone
from experiments.domain.segment_kind import SegmentKind
from experiments.domain.source import Source, SourceKind
from experiments.storage.documents import definition as definitions
from experiments.storage.documents import evidence as evidences
from experiments.storage.documents import library, promotion_policy, registry
from experiments.storage.documents import promotion as promotions
from tests.stores import promotions as built
from tests.stores.frozen_documents import (
    APPLIED_1,
    ATTRIBUTE_1,
    DEFINITION_1,
    DEFINITION_2,
    EVIDENCE_1,
    EVIDENCE_2,
    EVIDENCE_2_SHA256,
    METRIC_1,
    POLICY_OF_DEFINITION_3,
    RAMPING_2,
    REVERTED_1,
    SAID_1,
    SOURCE_1,
    SUPERSEDED_1,
)

KEYS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,12}\Z")
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
NAMES = TEXTS.filter(bool)
FRACTIONS = st.floats(0, 1, exclude_min=True, exclude_max=True)
CONTENT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
INSTANTS = st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3, minutes=-30)), timezone(timedelta(hours=14))])
).map(lambda instant: instant.replace(fold=0))
RULES = {Family.DUNNETT: StoppingRule.FIXED_HORIZON, Family.E_BENJAMINI_HOCHBERG: StoppingRule.ALWAYS_VALID}
CONDITIONS = st.sampled_from([{}, {"country": "DE"}, {"country": {"$in": ["DE", "AT"]}}])


@st.composite
def segments(draw, key=None):
    return Segment(
        key=key or draw(KEYS),
        name=draw(NAMES),
        condition=draw(CONDITIONS),
        description=draw(TEXTS),
        kind=draw(st.none() | st.sampled_from(SegmentKind)),
    )


@st.composite
def covariates(draw, key):
    return Covariate(
        key=key,
        event_name=draw(KEYS),
        lookback_seconds=draw(st.integers(1, 10**9)),
        counts_events=draw(st.booleans()),
        cap=draw(st.none() | st.floats(0, 1e300, exclude_min=True)),
    )


@st.composite
def metrics(draw, key=None):
    kind = draw(st.sampled_from(MetricKind))
    ratio, quantile = kind is MetricKind.RATIO, kind is MetricKind.QUANTILE
    summed = kind not in (MetricKind.CONVERSION, MetricKind.QUANTILE)
    cap = None if kind is MetricKind.CONVERSION else draw(st.none() | st.floats(0, 1e300, exclude_min=True))
    known = [] if quantile else draw(st.lists(KEYS, max_size=2, unique=True))
    return Metric(
        key=key or draw(KEYS),
        name=draw(NAMES),
        kind=kind,
        event_name=draw(KEYS),
        denominator_event_name=draw(KEYS) if ratio else None,
        numerator_counts_events=ratio and draw(st.booleans()),
        denominator_counts_events=ratio and draw(st.booleans()),
        direction=draw(st.sampled_from(Direction)),
        window_seconds=draw(st.none() | st.integers(1, 10**9)),
        cap=cap,
        description=draw(TEXTS),
        quantile=draw(FRACTIONS) if quantile else None,
        winsor_quantile=draw(st.none() | st.floats(0.5, 0.999)) if summed and cap is None else None,
        covariates=tuple(draw(covariates(key)) for key in known),
    )


@st.composite
def layers(draw):
    layer = Layer(key=draw(KEYS), name=draw(NAMES), salt=draw(NAMES), holdout_bp=draw(st.integers(0, 2_000)))
    for experiment in draw(st.lists(KEYS, max_size=4)):
        layer = layer.claim(experiment, draw(st.integers(1, 2_000)))
    return layer


@st.composite
def _plans(draw, variants, segment):
    weights = dict.fromkeys(draw(st.permutations(variants)), 0) | {variants[0]: draw(st.integers(1, 7))}
    moved = {variant: draw(st.integers(1, 9)) for variant in draw(st.permutations(variants))}
    return SegmentPlan(
        segment=segment,
        weights=weights,
        allocation=Allocation.from_weights(weights).reweighted(moved),
        traffic_bp=draw(st.integers(0, 10_000)),
        since_epoch=draw(st.integers(1, 99)),
        promoted=draw(st.none() | st.sampled_from(variants)),
        promotion=draw(st.none() | NAMES),
        declined=draw(st.none() | st.sampled_from(variants)),
    )


@st.composite
def _uses(draw):
    keys = draw(st.lists(KEYS, min_size=1, max_size=3, unique=True))
    uses = [MetricUse(metric=draw(metrics(keys[0])), role=MetricRole.PRIMARY)]
    for key in keys[1:]:
        guard = draw(st.booleans())
        role = MetricRole.GUARDRAIL if guard else MetricRole.SECONDARY
        uses.append(MetricUse(metric=draw(metrics(key)), role=role, margin_lift=draw(FRACTIONS) if guard else None))
    return tuple(draw(st.permutations(uses)))


@st.composite
def analysis_plans(draw):
    rule = draw(st.sampled_from(StoppingRule))
    fits = [family for family in Family if RULES.get(family, rule) is rule]
    return AnalysisPlan(
        alpha=draw(st.floats(0.0001, 0.5)),
        stopping_rule=rule,
        family=draw(st.sampled_from(fits)),
        minimum_duration_seconds=draw(st.integers(0, 10**7)),
        minimum_units=draw(st.integers(20, 10**6)),
        minimum_conversions=draw(st.integers(0, 10**6)),
        tuned_for_units=draw(st.integers(100, 10**9)),
        planned_units=draw(st.integers(100, 10**9)) if rule is StoppingRule.GROUP_SEQUENTIAL else None,
        spending=draw(st.sampled_from(Spending)),
        minimum_lift=draw(st.none() | FRACTIONS),
        novelty_days=draw(st.integers(0, 90)),
        post_stratified=draw(st.booleans()),
        lift_prior=draw(st.none() | st.builds(LiftPrior, mean=FRACTIONS, std_dev=FRACTIONS)),
    )


@st.composite
def quiet_hours(draw):
    clocks = st.times().map(lambda clock: clock.replace(fold=0))
    start, end = draw(st.lists(clocks, min_size=2, max_size=2, unique=True))
    return QuietHours(start=start, end=end, timezone=draw(st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"])))


@st.composite
def policies(draw):
    winner = draw(st.sampled_from(WinnerRule))
    minimum_lift = draw(st.floats(0, 10))
    minimum_weeks = draw(st.integers(0, 52))
    holdback_bp = draw(st.integers(1, 9_999))
    exploration_bp = draw(st.just(0) | st.integers(8, 2_000)) if holdback_bp < 7_000 else 0
    most = 9_999 - holdback_bp - exploration_bp
    shares = st.lists(st.integers(1, max(1, most)), max_size=10, unique=True).map(sorted)
    return PromotionPolicy(
        automatic=draw(st.booleans()),
        winner=winner,
        scope=draw(st.sampled_from(PromotionScope)),
        minimum_lift=minimum_lift,
        loss_tolerance=draw(FRACTIONS) if winner is WinnerRule.EXPECTED_LOSS else None,
        guardrails=draw(st.sampled_from(GuardrailRule)),
        minimum_weeks=minimum_weeks,
        minimum_units=draw(st.integers(0, 10**9)),
        maximum_weeks=draw(st.none() | st.integers(minimum_weeks + 1, 99)),
        ramp_bp=tuple(draw(shares)) if holdback_bp < 9_999 else (),
        soak_seconds=draw(st.integers(0, 10**7)),
        holdback_bp=holdback_bp,
        exploration_bp=exploration_bp,
        hold_seconds=draw(st.integers(0, 10**8)),
        revert_below_lift=draw(st.floats(-1, minimum_lift, exclude_min=True)),
        quiet_hours=draw(st.none() | quiet_hours()),
        expires_after_seconds=draw(st.integers(1, 10**7)),
        maximum_age_seconds=draw(st.integers(1, 10**7)),
    )


@st.composite
def built_definitions(draw):
    keys = draw(st.lists(KEYS, min_size=2, max_size=4, unique=True))
    variants = [Variant(key=key, name=draw(NAMES), content=draw(CONTENT), is_control=key == keys[-1]) for key in keys]
    own = draw(st.lists(KEYS.filter(lambda key: key != EVERYONE), max_size=2, unique=True))
    audiences = [*(draw(segments(key)) for key in own), everyone()]
    return Definition(
        key=draw(KEYS),
        name=draw(NAMES),
        salt=draw(NAMES),
        variants=tuple(variants),
        segments=tuple(draw(_plans(keys, audience)) for audience in audiences),
        metrics=draw(_uses()),
        hypothesis=draw(TEXTS),
        owner=draw(TEXTS),
        tags=tuple(draw(st.lists(KEYS, max_size=3))),
        unit_type=draw(KEYS),
        layer=draw(st.none() | st.builds(LayerClaim, layer=KEYS, share_bp=st.integers(1, 10_000))),
        analysis=draw(analysis_plans()),
        promotion=draw(policies()),
        exposure_policy=draw(st.sampled_from(ExposurePolicy)),
        randomisation=draw(st.sampled_from(Randomisation)),
        forced=draw(st.dictionaries(KEYS, st.sampled_from(keys), max_size=3)),
    )


NIGHT = QuietHours(start=time(22, 30), end=time(6), timezone="Europe/Berlin")
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
NAMED = st.lists(KEYS, max_size=3).map(tuple)
SENTENCES = st.lists(TEXTS, max_size=2).map(tuple)
COUNTS = st.lists(st.tuples(KEYS, st.integers(0, 10**12)), max_size=3).map(tuple)
GUARDRAILS = st.lists(
    st.builds(GuardrailEvidence, metric=KEYS, variant=KEYS, state=st.sampled_from(GuardrailState)), max_size=2
).map(tuple)
BELIEFS = st.lists(
    st.builds(ArmBelief, variant=KEYS, chance_to_be_best=st.floats(0, 1), expected_loss=NUMBERS), max_size=3
).map(tuple)
LIVE = st.builds(
    Live,
    promotion=KEYS,
    variant=KEYS,
    began_at=INSTANTS,
    share_bp=st.integers(0, 10_000),
    share_since=INSTANTS,
    is_final=st.booleans(),
    predicted_gain=NUMBERS,
    units=COUNTS,
    gain=NUMBERS,
    gain_low=NUMBERS,
    gain_high=NUMBERS,
    srm_p_value=NUMBERS,
    critical=SENTENCES,
    guardrails=GUARDRAILS,
)
EVIDENCE = st.builds(
    Evidence,
    experiment=KEYS,
    segment=KEYS,
    segment_name=TEXTS,
    status=st.sampled_from(Status),
    snapshot_id=st.integers(1, 2**62),
    version=st.integers(1, 99),
    epoch=st.integers(1, 9),
    watermark_at=INSTANTS,
    started_at=st.none() | INSTANTS,
    since_epoch=st.integers(1, 9),
    current_since_epoch=st.integers(1, 9),
    segment_since=INSTANTS,
    offered=NAMED,
    already_promoted=st.none() | KEYS,
    declined=NAMED,
    stopping_rule=st.sampled_from(StoppingRule),
    control=KEYS,
    basis=st.sampled_from(Basis),
    outcome=KEYS,
    segment_outcome=KEYS,
    variant=st.none() | KEYS,
    leaders=NAMED,
    verdict=TEXTS,
    units=COUNTS,
    gain=NUMBERS,
    predicted_gain=NUMBERS,
    gain_low=NUMBERS,
    gain_high=NUMBERS,
    best_gain_high=NUMBERS,
    p_value_adjusted=NUMBERS,
    beliefs=BELIEFS,
    srm_p_value=NUMBERS,
    critical=SENTENCES,
    guardrails=GUARDRAILS,
    holdback=st.none() | st.builds(Forecast, lift=FRACTIONS, at=INSTANTS),
    live=st.none() | LIVE,
)


@st.composite
def steps(draw):
    seen = draw(
        st.none() | st.builds(built.evidence, verdict=TEXTS, gain=NUMBERS, live=st.none() | st.builds(built.live))
    )
    return PromotionStep(
        state=draw(st.sampled_from(PromotionState)),
        at=draw(INSTANTS),
        by=draw(TEXTS),
        version=draw(st.integers(1, 99)),
        unattended=draw(st.booleans()),
        reasons=tuple(draw(st.lists(st.builds(DecisionReason, code=KEYS, message=TEXTS), max_size=2))),
        note=draw(TEXTS),
        evidence=seen,
        evidence_sha256=None if seen is None else seen.sha256(),
        share_bp=draw(st.none() | st.integers(0, 10_000)),
        exploration_bp=draw(st.integers(0, 2_000)),
        version_after=draw(st.none() | st.integers(1, 99)),
    )


PROMOTIONS = st.builds(
    Promotion,
    id=KEYS,
    experiment=KEYS,
    segment=KEYS,
    variant=KEYS,
    steps=st.lists(steps(), min_size=1, max_size=4).map(tuple),
)

ALLOWED = {
    AttributeType.TEXT: TEXTS,
    AttributeType.TEXTS: TEXTS,
    AttributeType.NUMBER: st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63) + 1, 2**63 - 1),
    AttributeType.DATE: st.dates().map(lambda day: day.isoformat()),
}


@st.composite
def attributes(draw):
    kind = draw(st.sampled_from(AttributeType))
    return Attribute(
        key=draw(KEYS.filter(lambda key: "." not in key)),
        name=draw(NAMES),
        type=kind,
        description=draw(TEXTS),
        personal=draw(st.booleans()),
        sources=tuple(draw(st.lists(KEYS, max_size=3, unique=True))),
        allowed=tuple(draw(st.lists(ALLOWED[kind], max_size=3, unique=True))) if kind in ALLOWED else (),
        fresh_days=draw(st.none() | st.integers(1, 36_500)),
    )


SOURCES = st.builds(
    Source,
    key=KEYS,
    name=NAMES,
    kind=st.sampled_from(SourceKind),
    precedence=st.integers(0, 1_000_000),
    description=TEXTS,
)

KINDS = {
    "definition": (built_definitions(), definitions.definition_to_document, definitions.definition_from_document),
    "segment": (segments(), library.segment_to_document, library.segment_from_document),
    "metric": (metrics(), library.metric_to_document, library.metric_from_document),
    "layer": (layers(), library.layer_to_document, library.layer_from_document),
    "attribute": (attributes(), registry.attribute_to_document, registry.attribute_from_document),
    "source": (SOURCES, registry.source_to_document, registry.source_from_document),
    "evidence": (EVIDENCE, evidences.evidence_to_document, evidences.evidence_from_document),
    "promotion": (PROMOTIONS, promotions.promotion_to_document, promotions.promotion_from_document),
}
NEWEST = {
    "definition": 3,
    "segment": 1,
    "metric": 2,
    "layer": 1,
    "attribute": 1,
    "source": 1,
    "evidence": 2,
    "promotion": 2,
}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_nothing_is_lost(kind, data):
    values, to_document, from_document = KINDS[kind]
    value = data.draw(values)
    again = from_document(json.loads(json.dumps(to_document(value), allow_nan=False)))
    assert again == value
    assert repr(again) == repr(value)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=1, deadline=None)
def test_every_field_is_written(kind, data):
    values, to_document, _ = KINDS[kind]
    value = data.draw(values)
    assert set(to_document(value)) == {"schema", *_names(value)}
    assert to_document(value)["schema"] == NEWEST[kind]


def _names(value):
    return {field.name for field in fields(value)}


def test_every_field_inside_is_written():
    promotion = promotions.promotion_to_document(built.promotion())
    (first,) = promotion["steps"]
    policy = promotion_policy.policy_to_document(PromotionPolicy(quiet_hours=NIGHT))
    assert set(first) == _names(built.step(PromotionState.PROPOSED))
    assert set(first["evidence"]["live"]) == _names(built.live())
    assert set(first["evidence"]["holdback"]) == _names(built.evidence().holdback)
    assert set(first["evidence"]["beliefs"][0]) == _names(built.evidence().beliefs[0])
    assert set(policy) == _names(PromotionPolicy())
    assert set(policy["quiet_hours"]) == _names(NIGHT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("schema", [0, 4, "1", True, None])
@given(data=st.data())
@settings(max_examples=1, deadline=None)
def test_another_schema_is_refused(kind, schema, data):
    values, to_document, from_document = KINDS[kind]
    document = {**to_document(data.draw(values)), "schema": schema}
    with pytest.raises(Unavailable, match=rf"A stored {kind} has schema .*; this release reads schema") as refusal:
        from_document(document)
    assert refusal.value.code == "document_schema_unknown"


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


def test_a_document_without_schema_is_refused():
    with pytest.raises(Unavailable, match="schema None"):
        library.segment_from_document({"key": "a"})


@given(evidence=EVIDENCE)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_hash_of_evidence_survives(evidence):
    """Both ways to it: by reading the evidence, and by hashing the document's own text."""
    document = json.loads(json.dumps(evidences.evidence_to_document(evidence)))
    assert evidences.evidence_from_document(document).sha256() == evidence.sha256()
    text = {name: value for name, value in document.items() if name != "schema"}
    assert hashlib.sha256(canonical_json(text).encode()).hexdigest() == evidence.sha256()


def test_the_hash_of_evidence_is_that_of_its_text():
    assert evidences.evidence_from_document(EVIDENCE_2) == built.evidence()
    assert built.evidence().sha256() == EVIDENCE_2_SHA256
    assert replace(built.evidence(), gain=0.03).sha256() != EVIDENCE_2_SHA256


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
