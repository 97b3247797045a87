"""A stored report (JSON) read into values: the only module that knows its field names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Doc = Mapping[str, Any]

_NOT_COMPUTED: Doc = {"undefined": "not_computed", "message": "Not computed at the time of this snapshot."}


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A statistic; where `value` is None, `missing` says why in a sentence."""

    value: float | None
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    low: float
    high: float
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """An interval; where there is none, `missing` says why in a sentence."""

    interval: Interval | None
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    value: Number
    fixed: Interval | None
    always_valid: Interval | None
    missing: str


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    variant: str
    units: int
    value: Number


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    code: str
    severity: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One segment, or all of them together (`segment` None)."""

    segment: str | None
    units: int
    outcome: str
    variant: str | None
    leaders: tuple[str, ...]
    sentence: str
    metrics: tuple[MetricReport, ...]
    findings: tuple[Finding, ...]

    def metric(self, key: str) -> MetricReport | None:
        return next((metric for metric in self.metrics if metric.metric == key), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReport:
    control: str
    variants: tuple[str, ...]
    alpha: float
    stopping_rule: str
    family: str
    units: int
    overall: Scope
    segments: tuple[Scope, ...]
    findings: tuple[Finding, ...]

    @property
    def always_valid(self) -> bool:
        return self.stopping_rule == "always_valid"

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What a reader compares: every segment, and all together where that is something else."""
        return (*self.segments, self.overall) if len(self.segments) > 1 else self.segments

    def scope_of(self, segment: str) -> Scope | None:
        return next((scope for scope in self.segments if scope.segment == segment), None)

    def shown(self, metric: MetricReport, comparison: Comparison) -> Bounds:
        """The interval of the lift that may be read: on the metric that decides, the one its verdicts rest on."""
        if metric.role == "primary":
            return comparison.lift_in_family
        return self._alone(comparison.lift)

    def _alone(self, estimate: Estimate) -> Bounds:
        return Bounds(interval=estimate.always_valid if self.always_valid else estimate.fixed, missing=estimate.missing)


def read_report(doc: Doc) -> StoredReport:
    """Raise KeyError where the document is no report."""
    return StoredReport(
        control=doc["control"],
        variants=tuple(doc["variants"]),
        alpha=doc["alpha"],
        stopping_rule=doc["stopping_rule"],
        family=doc["family"],
        units=doc["units"],
        overall=_scope(doc["overall"]),
        segments=tuple(map(_scope, doc["segments"])),
        findings=tuple(_findings(doc)),
    )


def _scope(doc: Doc) -> Scope:
    verdict = doc["verdict"]
    return Scope(
        segment=doc["segment"],
        units=doc["units"],
        outcome=verdict["outcome"],
        variant=verdict["variant"],
        leaders=tuple(verdict["leaders"]),
        sentence=verdict["sentence"],
        metrics=tuple(map(_metric, doc["metrics"])),
        findings=tuple(_findings(doc)),
    )


def _findings(doc: Doc) -> Iterator[Finding]:
    for finding in doc["findings"]:
        yield Finding(code=finding["code"], severity=finding["severity"], message=finding["message"])


def _metric(doc: Doc) -> MetricReport:
    return MetricReport(
        metric=doc["metric"],
        kind=doc["kind"],
        role=doc["role"],
        direction=doc["direction"],
        arms=tuple(Arm(variant=arm["variant"], units=arm["units"], value=_number(arm["value"])) for arm in doc["arms"]),
        comparisons=tuple(map(_comparison, doc["comparisons"])),
    )


def _comparison(doc: Doc) -> Comparison:
    return Comparison(
        treatment=doc["treatment"],
        baseline=doc["baseline"],
        difference=_estimate(doc["difference"]),
        lift=_estimate(doc["lift"]),
        p_value=_number(doc["p_value"]),
        p_value_always_valid=_number(doc["p_value_always_valid"]),
        p_value_adjusted=_number(doc["p_value_adjusted"]),
        difference_in_family=_bounds(doc.get("difference_in_family", _NOT_COMPUTED)),
        lift_in_family=_bounds(doc.get("lift_in_family", _NOT_COMPUTED)),
        guardrail=doc.get("guardrail"),
    )


def _estimate(doc: Doc) -> Estimate:
    value = _number(doc["value"])
    gaps = (value.missing, _number(doc["always_valid"]).missing, _number(doc["fixed"]).missing)
    return Estimate(
        value=value,
        fixed=_interval(doc["fixed"]),
        always_valid=_interval(doc["always_valid"]),
        missing=next((gap for gap in gaps if gap), ""),
    )


def _bounds(doc: Doc) -> Bounds:
    return Bounds(interval=_interval(doc), missing=_number(doc).missing)


def _interval(doc: Doc) -> Interval | None:
    ends = _number(doc.get("low")).value, _number(doc.get("high")).value
    if ends[0] is None or ends[1] is None:
        return None
    return Interval(low=ends[0], high=ends[1], level=doc["level"])


def _number(value: Any) -> Number:
    if isinstance(value, int | float):
        return Number(value=float(value))
    if isinstance(value, Mapping) and "undefined" in value:
        return Number(value=None, missing=value.get("message") or value["undefined"])
    return Number(value=None)
