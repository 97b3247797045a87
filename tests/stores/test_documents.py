"""Documents lose nothing, through real JSON text, and refuse what another release wrote."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.domain.allocation import Allocation
from experiments.domain.covariate import Covariate
from experiments.domain.definition import Definition, ExposurePolicy, Randomisation, SegmentPlan, Variant
from experiments.domain.errors import Unavailable
from experiments.domain.experiment import Status
from experiments.domain.layer import Layer, LayerClaim
from experiments.domain.metric import Direction, Metric, MetricKind, MetricRole, MetricUse
from experiments.domain.policy import (
    AnalysisPlan,
    Family,
    GuardrailRule,
    LiftPrior,
    PromotionPolicy,
    Spending,
    StoppingRule,
)
from experiments.domain.promotion import (
    DecisionReason,
    Evidence,
    GuardrailEvidence,
    GuardrailState,
    Promotion,
    PromotionState,
)
from experiments.domain.segment import EVERYONE, Segment, everyone
from experiments.storage.documents import definition as definitions
from experiments.storage.documents import library, promotion

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
    return Segment(key=key or draw(KEYS), name=draw(NAMES), condition=draw(CONDITIONS), description=draw(TEXTS))


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
def policies(draw):
    return PromotionPolicy(
        automatic=draw(st.booleans()),
        minimum_lift=draw(st.floats(0, 10)),
        holdback_bp=draw(st.integers(1, 9_999)),
        guardrails=draw(st.sampled_from(GuardrailRule)),
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


NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
EVIDENCE = st.builds(
    Evidence,
    experiment=KEYS,
    segment=KEYS,
    status=st.sampled_from(Status),
    snapshot_id=st.integers(1, 2**62),
    version=st.integers(1, 99),
    watermark_at=INSTANTS,
    segment_since=INSTANTS,
    started_at=st.none() | INSTANTS,
    since_epoch=st.integers(1, 9),
    current_since_epoch=st.integers(1, 9),
    already_promoted=st.none() | KEYS,
    declined=st.none() | KEYS,
    stopping_rule=st.sampled_from(StoppingRule),
    control=KEYS,
    outcome=KEYS,
    variant=st.none() | KEYS,
    leaders=st.lists(KEYS, max_size=3).map(tuple),
    verdict=TEXTS,
    units=st.lists(st.tuples(KEYS, st.integers(0, 10**12)), max_size=3).map(tuple),
    lift=NUMBERS,
    gain_low=NUMBERS,
    gain_high=NUMBERS,
    p_value_adjusted=NUMBERS,
    srm_p_value=NUMBERS,
    critical=st.lists(TEXTS, max_size=2).map(tuple),
    guardrails=st.lists(
        st.builds(GuardrailEvidence, metric=KEYS, variant=KEYS, state=st.sampled_from(GuardrailState)), max_size=2
    ).map(tuple),
)
PROMOTIONS = st.builds(
    Promotion,
    id=KEYS,
    experiment=KEYS,
    segment=KEYS,
    variant=KEYS,
    state=st.sampled_from(PromotionState),
    evidence=EVIDENCE,
    evidence_sha256=st.just("0" * 64),
    reasons=st.lists(st.builds(DecisionReason, code=KEYS, message=TEXTS), max_size=2).map(tuple),
    version_before=st.integers(1, 99),
    version_after=st.integers(1, 99),
    applied_at=INSTANTS,
    applied_by=TEXTS,
    reverted_at=st.none() | INSTANTS,
    reverted_by=st.none() | TEXTS,
    revert_reason=st.none() | TEXTS,
)

KINDS = {
    "definition": (built_definitions(), definitions.definition_to_document, definitions.definition_from_document),
    "segment": (segments(), library.segment_to_document, library.segment_from_document),
    "metric": (metrics(), library.metric_to_document, library.metric_from_document),
    "layer": (layers(), library.layer_to_document, library.layer_from_document),
    "evidence": (EVIDENCE, promotion.evidence_to_document, promotion.evidence_from_document),
    "promotion": (PROMOTIONS, promotion.promotion_to_document, promotion.promotion_from_document),
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
    assert set(to_document(value)) == {"schema", *(field.name for field in fields(value))}


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


OLD_METRIC = {
    "schema": 1,
    "key": "spend",
    "name": "Spend",
    "kind": "mean",
    "event_name": "purchase",
    "denominator_event_name": None,
    "numerator_counts_events": False,
    "denominator_counts_events": False,
    "direction": "increase",
    "window_seconds": 604_800,
    "cap": 500.0,
    "description": "",
}
OLD_DEFINITION = {
    "schema": 1,
    "key": "sale",
    "name": "Sale",
    "salt": "sale",
    "variants": [
        {"key": "a", "name": "A", "content": None, "is_control": True},
        {"key": "b", "name": "B", "content": {"text": "new"}, "is_control": False},
    ],
    "segments": [
        {
            "segment": {"schema": 1, "key": "everyone", "name": "Everyone else", "condition": {}, "description": ""},
            "weights": {"a": 1, "b": 1},
            "allocation": [[0, 5000, "a"], [5000, 10000, "b"]],
            "traffic_bp": 10_000,
            "since_epoch": 1,
            "promoted": None,
            "promotion": None,
            "declined": None,
        }
    ],
    "metrics": [{"metric": OLD_METRIC, "role": "primary", "margin_lift": None}],
    "hypothesis": "",
    "owner": "",
    "tags": [],
    "unit_type": "customer",
    "layer": None,
    "analysis": {
        "alpha": 0.1,
        "stopping_rule": "fixed_horizon",
        "family": "benjamini_hochberg",
        "minimum_duration_seconds": 0,
        "minimum_units": 50,
        "minimum_conversions": 5,
        "tuned_for_units": 1_000,
    },
    "promotion": {
        "automatic": False,
        "minimum_lift": 0.0,
        "holdback_bp": 500,
        "guardrails": "not_harmed",
        "maximum_age_seconds": 86_400,
    },
    "exposure_policy": "on_event",
    "randomisation": "winnow",
    "forced": {},
}


def test_a_metric_of_the_first_release_is_one_that_asks_for_nothing_new():
    assert library.metric_from_document(OLD_METRIC) == Metric(
        key="spend", name="Spend", kind=MetricKind.MEAN, event_name="purchase", window_seconds=604_800, cap=500.0
    )


def test_a_definition_of_the_first_release_is_one_whose_author_asks_for_nothing_new():
    definition = definitions.definition_from_document(OLD_DEFINITION)
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


def test_a_document_without_schema_is_refused():
    with pytest.raises(Unavailable, match="schema None"):
        library.segment_from_document({"key": "a"})


def test_the_hash_of_evidence_survives(promotion):
    evidence = replace(
        promotion().evidence, watermark_at=promotion().evidence.watermark_at.astimezone(timezone(timedelta(hours=2)))
    )
    document = json.loads(json.dumps(KINDS["evidence"][1](evidence)))
    assert KINDS["evidence"][2](document).sha256() == evidence.sha256()
