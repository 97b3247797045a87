"""Strategies for all that is stored as a document."""

from __future__ import annotations

from hypothesis import strategies as st

from experiments.domain.allocation import Allocation
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.covariate import Covariate
from experiments.domain.definition import Definition, ExposurePolicy, Randomisation, SegmentPlan, Variant
from experiments.domain.layer import Layer, LayerClaim
from experiments.domain.metric import Direction, Metric, MetricKind, MetricRole, MetricUse
from experiments.domain.policy import AnalysisPlan, Family, LiftPrior, Spending, StoppingRule
from experiments.domain.segment import EVERYONE, Segment, everyone
from experiments.domain.segment_kind import SegmentKind
from experiments.domain.source import Source, SourceKind
from experiments.storage.documents import definition as definitions
from experiments.storage.documents import evidence as evidences
from experiments.storage.documents import library, registry
from experiments.storage.documents import promotion as promotions
from tests.stores.drawn_parts import CONTENT, FRACTIONS, KEYS, NAMES, TEXTS
from tests.stores.drawn_promotions import EVIDENCE, PROMOTIONS, policies

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
