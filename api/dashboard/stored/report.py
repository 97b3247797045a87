"""The report as a whole."""

from __future__ import annotations

from dataclasses import dataclass

from api.dashboard.stored.comparison import Comparison, Estimate, MetricReport
from api.dashboard.stored.scope import Finding, Scope, findings_of, scope_of
from api.dashboard.stored.segments import SegmentComparison, segment_comparison_of
from api.dashboard.stored.values import Bounds, Doc

# Families whose intervals keep the chance of any wrong one; the others keep a share of those with a conclusion.
_ALL_TOGETHER = frozenset({"holm", "hochberg", "bonferroni", "dunnett"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """`advice` is one_for_all, per_segment, wait or none; `winners` are (segment, variant).

    `waits_for` is units, time or nothing, and empty in reports that do not say so.
    """

    advice: str
    variant: str | None
    winners: tuple[tuple[str, str], ...]
    sentence: str
    waits_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReport:
    """What a report of an earlier release does not have is None or empty."""

    control: str
    variants: tuple[str, ...]
    alpha: float
    stopping_rule: str
    family: str
    units: int
    tuned_for_units: int
    overall: Scope
    segments: tuple[Scope, ...]
    findings: tuple[Finding, ...]
    segment_comparisons: tuple[SegmentComparison, ...]
    recommendation: Recommendation | None

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Of the whole report, and of all of its scopes."""
        scopes = (self.overall, *self.segments)
        return (*self.findings, *(finding for scope in scopes for finding in scope.findings))

    @property
    def doubts_sizes(self) -> bool:
        return any(finding.code == "srm_suspected" for finding in self.all_findings)

    @property
    def one_look(self) -> bool:
        return self.stopping_rule == "fixed_horizon"

    @property
    def is_early(self) -> bool:
        """Whether its one look is still to come: until then nothing that it says is a conclusion."""
        return any(finding.code == "single_look" and finding.severity == "warning" for finding in self.findings)

    @property
    def holds_together(self) -> bool:
        return self.family in _ALL_TOGETHER

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
        return Bounds(interval=estimate.fixed if self.one_look else estimate.always_valid, missing=estimate.missing)


def read_report(doc: Doc) -> StoredReport:
    """Raise KeyError where the document is no report."""
    return StoredReport(
        control=doc["control"],
        variants=tuple(doc["variants"]),
        alpha=doc["alpha"],
        stopping_rule=doc["stopping_rule"],
        family=doc["family"],
        units=doc["units"],
        tuned_for_units=doc["tuned_for_units"],
        overall=scope_of(doc["overall"]),
        segments=tuple(map(scope_of, doc["segments"])),
        findings=tuple(findings_of(doc)),
        segment_comparisons=tuple(map(segment_comparison_of, doc.get("segment_comparisons", ()))),
        recommendation=_recommendation(doc.get("recommendation")),
    )


def _recommendation(doc: Doc | None) -> Recommendation | None:
    if doc is None:
        return None
    return Recommendation(
        advice=doc["advice"],
        variant=doc["variant"],
        winners=tuple((segment, variant) for segment, variant in doc["winners"]),
        sentence=doc["sentence"],
        waits_for=doc.get("waits_for") or "",
    )
