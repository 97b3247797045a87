"""Short ways to build domain values; every test says only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from experiments.domain.allocation import Allocation
from experiments.domain.definition import Definition, SegmentPlan, Variant
from experiments.domain.experiment import Experiment, draft
from experiments.domain.metric import Metric, MetricKind, MetricRole, MetricUse
from experiments.domain.segment import Segment, everyone

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)

VISIT = Metric(key="visit", name="Visits", kind=MetricKind.CONVERSION, event_name="visit")
SPEND = Metric(key="spend", name="Spend", kind=MetricKind.MEAN, event_name="purchase")


def plan(segment: Segment | None = None, **changes: Any) -> SegmentPlan:
    weights = changes.pop("weights", {"a": 1, "b": 1})
    allocation = changes.pop("allocation", None) or Allocation.from_weights(weights)
    return SegmentPlan(segment=segment or everyone(), weights=weights, allocation=allocation, **changes)


def definition(**changes: Any) -> Definition:
    """Two variants a (control) and b, everyone, visits."""
    parts: dict[str, Any] = {
        "key": "banner",
        "name": "Banner",
        "salt": "banner",
        "variants": (Variant(key="a", name="A", content={"text": "old"}, is_control=True), Variant(key="b", name="B")),
        "segments": (plan(),),
        "metrics": (MetricUse(metric=VISIT, role=MetricRole.PRIMARY),),
    }
    return Definition(**{**parts, **changes})


def running(**changes: Any) -> Experiment:
    return draft(definition(**changes), by="test", now=NOW).start(NOW)
