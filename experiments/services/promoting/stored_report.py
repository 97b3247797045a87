"""Reading stored reports: the few numbers that a promotion looks at, by their names in the document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from experiments.domain.evidence import ArmBelief, GuardrailEvidence, GuardrailState
from experiments.domain.metric import Direction, MetricRole

Doc = Mapping[str, Any]


def number(value: Any) -> float | None:
    """A stored number, or None where the report says that it does not exist."""
    return value if isinstance(value, int | float) else None


def metric_of(scope: Doc, role: MetricRole) -> Doc:
    found: Doc = next(metric for metric in scope["metrics"] if metric["role"] == role)
    return found


def against_control(metric: Doc, variant: str | None, control: str) -> Doc | None:
    found: Doc | None = next(
        (c for c in metric["comparisons"] if c["treatment"] == variant and c["baseline"] == control), None
    )
    return found


def gain_of(comparison: Doc | None, direction: Direction) -> float | None:
    """The lift in the direction that is wished for."""
    value = number(comparison["lift"]["value"]) if comparison else None
    return value if value is None or direction is Direction.INCREASE else 0 - value


def gain_ends(comparison: Doc | None, direction: Direction) -> tuple[float | None, float | None]:
    """Both ends of the interval that holds for the whole family; an end that is no number is not known."""
    interval = comparison.get("lift_in_family", {}) if comparison else {}
    low, high = number(interval.get("low")), number(interval.get("high"))
    if direction is Direction.INCREASE:
        return low, high
    return None if high is None else 0 - high, None if low is None else 0 - low


def guardrails_of(scope: Doc, control: str) -> Iterator[GuardrailEvidence]:
    for metric in scope["metrics"]:
        for comparison in metric["comparisons"]:
            if metric["role"] == MetricRole.GUARDRAIL and comparison["baseline"] == control:
                yield GuardrailEvidence(
                    metric=metric["metric"],
                    variant=comparison["treatment"],
                    state=GuardrailState(comparison["guardrail"] or "unknown"),
                )


def units_of(scope: Doc) -> tuple[tuple[str, int], ...]:
    return tuple((arm["variant"], arm["units"]) for arm in metric_of(scope, MetricRole.PRIMARY)["arms"])


def beliefs_of(scope: Doc, control: str) -> Iterator[ArmBelief]:
    """Losses as fractions of the control's value."""
    metric = metric_of(scope, MetricRole.PRIMARY)
    value = number(arm_of(metric, control)["value"])
    for belief in metric.get("beliefs", ()):
        loss = number(belief["expected_loss"])
        yield ArmBelief(
            variant=belief["variant"],
            chance_to_be_best=belief["chance_to_be_best"],
            expected_loss=loss / abs(value) if loss is not None and value else None,
        )


def critical_of(*documents: Doc) -> tuple[str, ...]:
    """Sentences of findings that forbid any conclusion, each once: scopes repeat those of the whole report."""
    told = (
        finding["message"]
        for document in documents
        for finding in document["findings"]
        if finding["severity"] == "critical"
    )
    return tuple(dict.fromkeys(told))


def relative_spread(scope: Doc, control: str) -> float | None:
    """The control's standard deviation over its value."""
    arm = arm_of(metric_of(scope, MetricRole.PRIMARY), control)
    value, spread = number(arm["value"]), number(arm["std_dev"])
    return abs(spread / value) if value and spread is not None else None


def arm_of(metric: Doc, variant: str) -> Doc:
    found: Doc = next(arm for arm in metric["arms"] if arm["variant"] == variant)
    return found
