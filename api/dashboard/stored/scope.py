"""One segment, or all of them together: verdict, metrics, findings, shares, and the effect by day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from api.dashboard.stored.adaptive import Adaptive, adaptive_of
from api.dashboard.stored.comparison import MetricReport, metric_of
from api.dashboard.stored.values import Bounds, Doc, Number, bounds_of, is_defined, number_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    code: str
    severity: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatio:
    """Who was counted in each arm, and who should have been; `any_look` is the p-value that holds at every look."""

    observed: tuple[tuple[str, int], ...]
    expected: tuple[tuple[str, float], ...]
    one_look: Number
    any_look: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class DayEffect:
    day: int
    units: int
    difference: Number
    interval: Bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Novelty:
    treatment: str
    baseline: str
    days: tuple[DayEffect, ...]
    trend_p_value: Number


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
    ratio: SampleRatio
    novelty: tuple[Novelty, ...]
    adaptive: Adaptive | None = None

    def metric(self, key: str) -> MetricReport | None:
        return next((metric for metric in self.metrics if metric.metric == key), None)

    @property
    def primary(self) -> MetricReport | None:
        return next((metric for metric in self.metrics if metric.role == "primary"), None)


def scope_of(doc: Doc) -> Scope:
    """Read one scope."""
    verdict = doc["verdict"]
    return Scope(
        segment=doc["segment"],
        units=doc["units"],
        outcome=verdict["outcome"],
        variant=verdict["variant"],
        leaders=tuple(verdict["leaders"]),
        sentence=verdict["sentence"],
        metrics=tuple(map(metric_of, doc["metrics"])),
        findings=tuple(findings_of(doc)),
        ratio=_ratio(doc["srm"]),
        novelty=tuple(map(_novelty, doc.get("novelty", ()))),
        adaptive=adaptive_of(doc.get("adaptive")),
    )


def findings_of(doc: Doc) -> Iterator[Finding]:
    """Read the findings of a scope or of the whole report."""
    for finding in doc["findings"]:
        yield Finding(code=finding["code"], severity=finding["severity"], message=finding["message"])


def _ratio(doc: Doc) -> SampleRatio:
    sequential: Any = doc.get("sequential")
    return SampleRatio(
        observed=tuple((variant, units) for variant, units in doc["observed"]),
        expected=tuple((variant, units) for variant, units in doc["expected"]),
        one_look=number_of(doc["p_value"]),
        any_look=number_of(sequential["p_value"] if is_defined(sequential) else sequential),
    )


def _novelty(doc: Doc) -> Novelty:
    return Novelty(
        treatment=doc["treatment"],
        baseline=doc["baseline"],
        days=tuple(map(_day, doc["days"])),
        trend_p_value=number_of(doc["trend_p_value"]),
    )


def _day(doc: Doc) -> DayEffect:
    return DayEffect(
        day=doc["day"],
        units=doc["units"],
        difference=number_of(doc["difference"]),
        interval=bounds_of(doc["interval"]),
    )
