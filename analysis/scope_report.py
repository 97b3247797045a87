"""One scope of a report: its effects, its findings, and once its family is known, its verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from analysis.arms import arm_summary
from analysis.comparison import Effect, Evidence, StratumMoments, compare
from analysis.estimate import Comparison, Finding, MetricReport, SampleRatio, ScopeReport, Undefined
from analysis.inference.contest import Adjusted, Contest, Pair
from analysis.inference.families import NOT_IN_FAMILY
from analysis.inference.guardrails import guardrail_state
from analysis.inference.sequential import mixture_scale
from analysis.inference.winners import verdict
from analysis.moments import Moments, MomentTable
from analysis.plan import MetricPlan, Plan
from analysis.quality.exclusions import stratum_findings
from analysis.quality.minimum import below_minimum
from analysis.quality.srm import sample_ratio, srm_findings
from analysis.scopes import Scope, Stratum, scope_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeAnalysis:
    """All that can be said about a scope without looking at the others. `effects`: metric -> pair -> effect."""

    scope: Scope
    srm: SampleRatio
    effects: Mapping[str, Mapping[Pair, Effect]]
    critical: tuple[Finding, ...]
    early: tuple[Finding, ...]
    notes: tuple[Finding, ...]

    @property
    def is_early(self) -> bool:
        """A variant that still receives units is below the minimum."""
        return any(finding.variant in self.scope.current for finding in self.early)

    def primary_effects(self, plan: Plan) -> Mapping[Pair, Effect]:
        return self.effects[plan.primary.key]


def pairs(plan: Plan) -> Iterator[Pair]:
    """(treatment, baseline): every treatment against the control, then every two treatments, the later against the
    earlier; always in plan order."""
    treatments = [variant for variant in plan.variants if variant != plan.control]
    yield from ((treatment, plan.control) for treatment in treatments)
    yield from ((later, earlier) for earlier, later in combinations(treatments, 2))


def analyse_scope(plan: Plan, table: MomentTable, segment: str | None) -> ScopeAnalysis:
    scope = scope_of(plan, segment)
    srm = sample_ratio(scope, table, plan.variants)
    return ScopeAnalysis(
        scope=scope,
        srm=srm,
        effects={metric.key: _effects(plan, metric, scope, table) for metric in plan.metrics},
        critical=tuple(srm_findings(plan, scope, srm, table)),
        early=tuple(below_minimum(plan, scope, table)),
        notes=tuple(stratum_findings(plan, scope, table)),
    )


def _effects(plan: Plan, metric: MetricPlan, scope: Scope, table: MomentTable) -> dict[Pair, Effect]:
    evidence = Evidence(alpha=plan.alpha, rho=mixture_scale(plan.alpha, plan.tuned_for_units))
    strata = [(stratum, _by_variant(stratum, metric, table)) for stratum in scope.strata]
    return {
        (treatment, baseline): compare(
            metric.kind,
            [
                StratumMoments(
                    units=sum(group.n for group in moments.values()),
                    treatment=moments[treatment],
                    baseline=moments[baseline],
                )
                for stratum, moments in strata
                if {treatment, baseline} <= stratum.variants
            ],
            evidence,
        )
        for treatment, baseline in pairs(plan)
    }


def _by_variant(stratum: Stratum, metric: MetricPlan, table: MomentTable) -> dict[str, Moments]:
    return {variant: stratum.moments(table, variant, metric.key) for variant, _ in stratum.shares}


def scope_report(
    plan: Plan, table: MomentTable, analysis: ScopeAnalysis, adjusted: Adjusted, inherited: Sequence[Finding] = ()
) -> ScopeReport:
    """The report on one scope, given its members of the family and the findings that others pass on to it."""
    critical = (*analysis.critical, *inherited)
    contest = Contest(
        plan=plan,
        scope=analysis.scope,
        effects=analysis.primary_effects(plan),
        adjusted=adjusted,
        critical=critical,
        early=analysis.early,
    )
    return ScopeReport(
        segment=analysis.scope.segment,
        units=sum(analysis.scope.units(table, variant) for variant in plan.variants),
        srm=analysis.srm,
        metrics=tuple(_metric_report(plan, metric, table, analysis, adjusted) for metric in plan.metrics),
        verdict=verdict(contest),
        findings=(*critical, *analysis.early, *analysis.notes),
    )


def _metric_report(
    plan: Plan, metric: MetricPlan, table: MomentTable, analysis: ScopeAnalysis, adjusted: Adjusted
) -> MetricReport:
    scope = analysis.scope
    return MetricReport(
        metric=metric.key,
        kind=metric.kind,
        role=metric.role,
        direction=metric.direction,
        arms=tuple(
            arm_summary(metric, variant, scope.pooled(table, variant, metric.key), plan.alpha)
            for variant in plan.variants
        ),
        comparisons=tuple(
            _comparison(plan, metric, pair, effect, adjusted) for pair, effect in analysis.effects[metric.key].items()
        ),
    )


def _comparison(plan: Plan, metric: MetricPlan, pair: Pair, effect: Effect, adjusted: Adjusted) -> Comparison:
    treatment, baseline = pair
    in_family: float | Undefined = adjusted.get(pair, NOT_IN_FAMILY) if metric.role == "primary" else NOT_IN_FAMILY
    guarded = metric.role == "guardrail" and baseline == plan.control
    return Comparison(
        treatment=treatment,
        baseline=baseline,
        difference=effect.difference,
        lift=effect.lift,
        p_value=effect.p_value,
        p_value_always_valid=effect.p_value_always_valid,
        p_value_adjusted=in_family,
        guardrail=guardrail_state(metric, effect.lift) if guarded else None,
    )
