"""Segments, metrics and layers as documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.domain.covariate import Covariate
from experiments.domain.layer import Layer, Slot
from experiments.domain.metric import Direction, Metric, MetricKind
from experiments.domain.segment import Segment
from experiments.domain.segment_kind import SegmentKind
from experiments.storage.documents.versioned import Document, refuse_other_schema

SEGMENT_SCHEMA = LAYER_SCHEMA = 1
METRIC_SCHEMA = 2
"""1: without `quantile`, `winsor_quantile` and `covariates`."""


def segment_to_document(segment: Segment) -> Document:
    return {
        "schema": SEGMENT_SCHEMA,
        "key": segment.key,
        "name": segment.name,
        "condition": segment.condition,
        "description": segment.description,
        "kind": segment.kind,
    }


def segment_from_document(document: Mapping[str, Any]) -> Segment:
    """Read it; what was written before segments had kinds has none."""
    refuse_other_schema(document, "segment", SEGMENT_SCHEMA)
    return Segment(
        key=document["key"],
        name=document["name"],
        condition=document["condition"],
        description=document["description"],
        kind=None if document.get("kind") is None else SegmentKind(document["kind"]),
    )


def metric_to_document(metric: Metric) -> Document:
    return {
        "schema": METRIC_SCHEMA,
        "key": metric.key,
        "name": metric.name,
        "kind": metric.kind,
        "event_name": metric.event_name,
        "denominator_event_name": metric.denominator_event_name,
        "numerator_counts_events": metric.numerator_counts_events,
        "denominator_counts_events": metric.denominator_counts_events,
        "direction": metric.direction,
        "window_seconds": metric.window_seconds,
        "cap": metric.cap,
        "description": metric.description,
        "quantile": metric.quantile,
        "winsor_quantile": metric.winsor_quantile,
        "covariates": [_covariate_to(covariate) for covariate in metric.covariates],
    }


def metric_from_document(document: Mapping[str, Any]) -> Metric:
    refuse_other_schema(document, "metric", METRIC_SCHEMA)
    return Metric(
        key=document["key"],
        name=document["name"],
        kind=MetricKind(document["kind"]),
        event_name=document["event_name"],
        denominator_event_name=document["denominator_event_name"],
        numerator_counts_events=document["numerator_counts_events"],
        denominator_counts_events=document["denominator_counts_events"],
        direction=Direction(document["direction"]),
        window_seconds=document["window_seconds"],
        cap=document["cap"],
        description=document["description"],
        quantile=document.get("quantile"),
        winsor_quantile=document.get("winsor_quantile"),
        covariates=tuple(_covariate_from(covariate) for covariate in document.get("covariates", ())),
    )


def _covariate_to(covariate: Covariate) -> Document:
    return {
        "key": covariate.key,
        "event_name": covariate.event_name,
        "lookback_seconds": covariate.lookback_seconds,
        "counts_events": covariate.counts_events,
        "cap": covariate.cap,
    }


def _covariate_from(document: Mapping[str, Any]) -> Covariate:
    return Covariate(
        key=document["key"],
        event_name=document["event_name"],
        lookback_seconds=document["lookback_seconds"],
        counts_events=document["counts_events"],
        cap=document["cap"],
    )


def layer_to_document(layer: Layer) -> Document:
    return {
        "schema": LAYER_SCHEMA,
        "key": layer.key,
        "name": layer.name,
        "salt": layer.salt,
        "holdout_bp": layer.holdout_bp,
        "bucketing": layer.bucketing,
        "slots": [[slot.start, slot.end, slot.experiment] for slot in layer.slots],
    }


def layer_from_document(document: Mapping[str, Any]) -> Layer:
    refuse_other_schema(document, "layer", LAYER_SCHEMA)
    return Layer(
        key=document["key"],
        name=document["name"],
        salt=document["salt"],
        holdout_bp=document["holdout_bp"],
        bucketing=document.get("bucketing", 1),
        slots=tuple(Slot(start=start, end=end, experiment=key) for start, end, key in document["slots"]),
    )
