"""One metric in one scope: its arms, and the comparisons between them."""

from __future__ import annotations

from dataclasses import dataclass

from api.dashboard.stored.values import (
    NOT_COMPUTED,
    Bounds,
    Doc,
    Interval,
    Number,
    bounds_of,
    interval_of,
    is_defined,
    number_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    value: Number
    fixed: Interval | None
    always_valid: Interval | None
    missing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """How likely the treatment is the better of two, and what choosing either is expected to cost."""

    chance_to_beat: Number
    loss_if_treatment: Number
    loss_if_baseline: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What an open comparison may still come to."""

    power_left: Number
    detectable_lift: Number
    units_left: Number
    days_left: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    treatment: str
    baseline: str
    difference: Estimate
    lift: Estimate
    p_value: Number
    p_value_always_valid: Number
    p_value_adjusted: Number
    difference_in_family: Bounds
    lift_in_family: Bounds
    guardrail: str | None
    belief: Belief | None
    outlook: Outlook | None
    variance_kept: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """`chance_to_be_best` and `expected_loss` are among all arms that are still offered."""

    variant: str
    units: int
    value: Number
    chance_to_be_best: Number
    expected_loss: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricReport:
    metric: str
    kind: str
    role: str
    direction: str
    arms: tuple[Arm, ...]
    comparisons: tuple[Comparison, ...]

    def arm(self, variant: str) -> Arm | None:
        return next((arm for arm in self.arms if arm.variant == variant), None)

    @property
    def has_beliefs(self) -> bool:
        return any(arm.chance_to_be_best.value is not None for arm in self.arms)


def metric_of(doc: Doc) -> MetricReport:
    """Read one metric."""
    beliefs = {belief["variant"]: belief for belief in doc.get("beliefs", ())}
    return MetricReport(
        metric=doc["metric"],
        kind=doc["kind"],
        role=doc["role"],
        direction=doc["direction"],
        arms=tuple(_arm(arm, beliefs.get(arm["variant"], {})) for arm in doc["arms"]),
        comparisons=tuple(map(_comparison, doc["comparisons"])),
    )


def _arm(doc: Doc, belief: Doc) -> Arm:
    return Arm(
        variant=doc["variant"],
        units=doc["units"],
        value=number_of(doc["value"]),
        chance_to_be_best=number_of(belief.get("chance_to_be_best")),
        expected_loss=number_of(belief.get("expected_loss")),
    )


def _comparison(doc: Doc) -> Comparison:
    return Comparison(
        treatment=doc["treatment"],
        baseline=doc["baseline"],
        difference=estimate_of(doc["difference"]),
        lift=estimate_of(doc["lift"]),
        p_value=number_of(doc["p_value"]),
        p_value_always_valid=number_of(doc["p_value_always_valid"]),
        p_value_adjusted=number_of(doc["p_value_adjusted"]),
        difference_in_family=bounds_of(doc.get("difference_in_family", NOT_COMPUTED)),
        lift_in_family=bounds_of(doc.get("lift_in_family", NOT_COMPUTED)),
        guardrail=doc.get("guardrail"),
        belief=_belief(doc["belief"]) if is_defined(doc.get("belief")) else None,
        outlook=_outlook(doc["outlook"]) if is_defined(doc.get("outlook")) else None,
        variance_kept=number_of(doc.get("variance_kept")),
    )


def estimate_of(doc: Doc) -> Estimate:
    """Read an estimate with its two intervals."""
    value = number_of(doc["value"])
    gaps = (value.missing, number_of(doc["always_valid"]).missing, number_of(doc["fixed"]).missing)
    return Estimate(
        value=value,
        fixed=interval_of(doc["fixed"]),
        always_valid=interval_of(doc["always_valid"]),
        missing=next((gap for gap in gaps if gap), ""),
    )


def _belief(doc: Doc) -> Belief:
    return Belief(
        chance_to_beat=number_of(doc["chance_to_beat"]),
        loss_if_treatment=number_of(doc["loss_if_treatment"]),
        loss_if_baseline=number_of(doc["loss_if_baseline"]),
    )


def _outlook(doc: Doc) -> Outlook:
    return Outlook(
        power_left=number_of(doc["power_left"]),
        detectable_lift=number_of(doc["detectable_lift"]),
        units_left=number_of(doc["units_left"]),
        days_left=number_of(doc["days_left"]),
    )
