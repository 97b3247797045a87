"""Definitions as documents: whole, with their frozen copies of segments and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.domain.adaptive import AdaptivePolicy
from experiments.domain.allocation import Allocation, BucketRange
from experiments.domain.definition import Definition, ExposurePolicy, Randomisation, SegmentPlan, Variant
from experiments.domain.layer import LayerClaim
from experiments.domain.metric import MetricRole, MetricUse
from experiments.domain.policy import (
    AnalysisPlan,
    Family,
    LiftPrior,
    Spending,
    StoppingRule,
)
from experiments.storage.documents.library import (
    metric_from_document,
    metric_to_document,
    segment_from_document,
    segment_to_document,
)
from experiments.storage.documents.promotion_policy import policy_from_document, policy_to_document
from experiments.storage.documents.versioned import Document, refuse_other_schema

DEFINITION_SCHEMA = 3
"""1: an analysis without what follows `tuned_for_units`. 2: a promotion policy of five fields, nothing adaptive."""


def definition_to_document(definition: Definition) -> Document:
    return {
        "schema": DEFINITION_SCHEMA,
        "key": definition.key,
        "name": definition.name,
        "salt": definition.salt,
        "variants": [_variant_to(variant) for variant in definition.variants],
        "segments": [_plan_to(plan) for plan in definition.segments],
        "metrics": [_use_to(use) for use in definition.metrics],
        "hypothesis": definition.hypothesis,
        "owner": definition.owner,
        "tags": list(definition.tags),
        "unit_type": definition.unit_type,
        "layer": _claim_to(definition.layer),
        "analysis": _analysis_to(definition.analysis),
        "promotion": policy_to_document(definition.promotion),
        "exposure_policy": definition.exposure_policy,
        "randomisation": definition.randomisation,
        "forced": dict(definition.forced),
        "adaptive": _adaptive_to(definition.adaptive),
        "bucketing": definition.bucketing,
    }


def definition_from_document(document: Mapping[str, Any]) -> Definition:
    refuse_other_schema(document, "definition", DEFINITION_SCHEMA)
    return Definition(
        key=document["key"],
        name=document["name"],
        salt=document["salt"],
        variants=tuple(_variant_from(variant) for variant in document["variants"]),
        segments=tuple(_plan_from(plan) for plan in document["segments"]),
        metrics=tuple(_use_from(use) for use in document["metrics"]),
        hypothesis=document["hypothesis"],
        owner=document["owner"],
        tags=tuple(document["tags"]),
        unit_type=document["unit_type"],
        layer=_claim_from(document["layer"]),
        analysis=_analysis_from(document["analysis"]),
        promotion=policy_from_document(document["promotion"]),
        exposure_policy=ExposurePolicy(document["exposure_policy"]),
        randomisation=Randomisation(document["randomisation"]),
        forced=document["forced"],
        adaptive=_adaptive_from(document.get("adaptive")),
        bucketing=document.get("bucketing", 1),
    )


def _variant_to(variant: Variant) -> Document:
    return {"key": variant.key, "name": variant.name, "content": variant.content, "is_control": variant.is_control}


def _variant_from(document: Document) -> Variant:
    return Variant(
        key=document["key"], name=document["name"], content=document["content"], is_control=document["is_control"]
    )


def _plan_to(plan: SegmentPlan) -> Document:
    return {
        "segment": segment_to_document(plan.segment),
        "weights": dict(plan.weights),
        "allocation": [[piece.start, piece.end, piece.variant] for piece in plan.allocation.ranges],
        "traffic_bp": plan.traffic_bp,
        "since_epoch": plan.since_epoch,
        "promoted": plan.promoted,
        "promotion": plan.promotion,
        "declined": plan.declined,
    }


def _plan_from(document: Document) -> SegmentPlan:
    return SegmentPlan(
        segment=segment_from_document(document["segment"]),
        weights=document["weights"],
        allocation=_allocation_from(document["allocation"]),
        traffic_bp=document["traffic_bp"],
        since_epoch=document["since_epoch"],
        promoted=document["promoted"],
        promotion=document["promotion"],
        declined=document["declined"],
    )


def _allocation_from(ranges: list[tuple[int, int, str]]) -> Allocation:
    return Allocation(
        ranges=tuple(BucketRange(start=start, end=end, variant=variant) for start, end, variant in ranges)
    )


def _use_to(use: MetricUse) -> Document:
    return {"metric": metric_to_document(use.metric), "role": use.role, "margin_lift": use.margin_lift}


def _use_from(document: Document) -> MetricUse:
    return MetricUse(
        metric=metric_from_document(document["metric"]),
        role=MetricRole(document["role"]),
        margin_lift=document["margin_lift"],
    )


def _claim_to(claim: LayerClaim | None) -> Document | None:
    return None if claim is None else {"layer": claim.layer, "share_bp": claim.share_bp}


def _claim_from(document: Document | None) -> LayerClaim | None:
    return None if document is None else LayerClaim(layer=document["layer"], share_bp=document["share_bp"])


def _analysis_to(plan: AnalysisPlan) -> Document:
    return {
        "alpha": plan.alpha,
        "stopping_rule": plan.stopping_rule,
        "family": plan.family,
        "minimum_duration_seconds": plan.minimum_duration_seconds,
        "minimum_units": plan.minimum_units,
        "minimum_conversions": plan.minimum_conversions,
        "tuned_for_units": plan.tuned_for_units,
        "planned_units": plan.planned_units,
        "spending": plan.spending,
        "minimum_lift": plan.minimum_lift,
        "novelty_days": plan.novelty_days,
        "post_stratified": plan.post_stratified,
        "lift_prior": _prior_to(plan.lift_prior),
    }


def _analysis_from(document: Document) -> AnalysisPlan:
    return AnalysisPlan(
        alpha=document["alpha"],
        stopping_rule=StoppingRule(document["stopping_rule"]),
        family=Family(document["family"]),
        minimum_duration_seconds=document["minimum_duration_seconds"],
        minimum_units=document["minimum_units"],
        minimum_conversions=document["minimum_conversions"],
        tuned_for_units=document["tuned_for_units"],
        **({} if "planned_units" not in document else _rules_from(document)),
    )


def _rules_from(document: Document) -> dict[str, Any]:
    """What schema 2 brought; an older document has the values that authors get who ask for nothing."""
    return {
        "planned_units": document["planned_units"],
        "spending": Spending(document["spending"]),
        "minimum_lift": document["minimum_lift"],
        "novelty_days": document["novelty_days"],
        "post_stratified": document["post_stratified"],
        "lift_prior": _prior_from(document["lift_prior"]),
    }


def _prior_to(prior: LiftPrior | None) -> Document | None:
    return None if prior is None else {"mean": prior.mean, "std_dev": prior.std_dev}


def _prior_from(document: Document | None) -> LiftPrior | None:
    return None if document is None else LiftPrior(mean=document["mean"], std_dev=document["std_dev"])


def _adaptive_to(policy: AdaptivePolicy | None) -> Document | None:
    if policy is None:
        return None
    return {
        "batch_seconds": policy.batch_seconds,
        "floor_bp": policy.floor_bp,
        "draws": policy.draws,
        "seed": policy.seed,
        "warm_up_units": policy.warm_up_units,
    }


def _adaptive_from(document: Document | None) -> AdaptivePolicy | None:
    if document is None:
        return None
    return AdaptivePolicy(
        batch_seconds=document["batch_seconds"],
        floor_bp=document["floor_bp"],
        draws=document["draws"],
        seed=document["seed"],
        warm_up_units=document["warm_up_units"],
    )
