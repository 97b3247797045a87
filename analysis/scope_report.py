"""One scope of a report: its effects, its findings, and once its family is known, its verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from analysis.arms import arm_summary
from analysis.comparison import Effect, Evidence, StratumMoments, compare
from analysis.estimate import Comparison, Finding, MetricReport, SampleRatio, ScopeReport
from analysis.inference.contest import Contest, Family, Pair
from analysis.inference.families import NOT_IN_FAMILY, TOO_EARLY, Judged, Member, decisive_p
from analysis.inference.guardrails import guardrail_state
from analysis.inference.sequential import mixture_scale
from analysis.inference.winners import verdict
from analysis.moments import Moments, MomentTable
from analysis.plan import MetricPlan, Plan
from analysis.quality.exclusions import scope_findings
from analysis.quality.minimum import below_minimum
from analysis.quality.srm import sample_ratio, srm_findings
from analysis.scopes import Scope, Stratum

_OUTSIDE = Judged(p_value=NOT_IN_FAMILY, difference=NOT_IN_FAMILY, lift=NOT_IN_FAMILY)
Strata = Sequence[StratumMoments]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeAnalysis:
    """All that can be said about a scope without looking at the others. `effects`: metric -> pair -> effect.

    `primary_strata` and `evidence` are what the primary metric's effects come from.
    """

    scope: Scope
    srm: SampleRatio
    effects: Mapping[str, Mapping[Pair, Effect]]
    primary_strata: Mapping[Pair, Strata]
    evidence: Evidence
    critical: tuple[Finding, ...]
    early: tuple[Finding, ...]
    notes: tuple[Finding, ...]

    @property
    def is_early(self) -> bool:
        """A variant that still receives units is below the minimum."""
        return any(finding.variant in self.scope.current for finding in self.early)

    def primary_effects(self, plan: Plan) -> Mapping[Pair, Effect]:
        return self.effects[plan.primary.key]

    def member(self, plan: Plan, pair: Pair) -> Member:
        """A comparison as its family sees it: too early where the scope, or one of the two, is below the minimum."""

        def effect_at(alpha: float) -> Effect:
            return compare(plan.primary.kind, self.primary_strata[pair], replace(self.evidence, alpha=alpha))

        waits = self.is_early or any(finding.variant in pair for finding in self.early)
        return Member(
            p_value=TOO_EARLY if waits else decisive_p(plan, self.primary_effects(plan)[pair]), effect_at=effect_at
        )


def pairs(plan: Plan) -> Iterator[Pair]:
    """(treatment, baseline): every treatment against the control, then every two treatments, the later against the
    earlier; always in plan order."""
    treatments = [variant for variant in plan.variants if variant != plan.control]
    yield from ((treatment, plan.control) for treatment in treatments)
    yield from ((later, earlier) for earlier, later in combinations(treatments, 2))


def members_of(plan: Plan, scope: Scope) -> list[Pair]:
    """The comparisons that this scope adds to its family: of all that were ever offered in it."""
    return [pair for pair in pairs(plan) if set(pair) <= set(scope.offered)]


def analyse_scope(plan: Plan, table: MomentTable, scope: Scope, *, family_size: int) -> ScopeAnalysis:
    """`family_size` counts the comparisons on the primary metric that are judged together, here and elsewhere."""
    srm = sample_ratio(scope, table, plan.variants)
    each = plan.alpha / max(1, family_size)
    # The family decides at alpha / size: that is where sequences of its metric are to be narrow. One scale for its
    # p-values and all its intervals, or they would contradict each other.
    primary = Evidence(alpha=plan.alpha, rho=mixture_scale(each, plan.tuned_for_units), min_units=plan.min_units)
    other = replace(primary, rho=mixture_scale(plan.alpha, plan.tuned_for_units))
    strata = {metric.key: _strata(plan, metric, scope, table) for metric in plan.metrics}
    return ScopeAnalysis(
        scope=scope,
        srm=srm,
        effects={
            metric.key: {
                pair: compare(metric.kind, found, primary if metric.role == "primary" else other)
                for pair, found in strata[metric.key].items()
            }
            for metric in plan.metrics
        },
        primary_strata=strata[plan.primary.key],
        evidence=primary,
        critical=tuple(srm_findings(plan, scope, srm, table)),
        early=tuple(below_minimum(plan, scope, table, strata[plan.primary.key])),
        notes=(*scope_findings(plan, scope, table), *_pooled_findings(scope, table, plan)),
    )


def _pooled_findings(scope: Scope, table: MomentTable, plan: Plan) -> Iterator[Finding]:
    """Rates of arms are pooled over all strata, effects never: where splits differ, the two may disagree (Simpson)."""
    inhabited = [stratum for stratum in scope.strata if any(stratum.units(table, variant) for variant in plan.variants)]
    splits = {tuple((variant, round(share, 12)) for variant, share in stratum.shares) for stratum in inhabited}
    if len(splits) > 1:
        mixed = "periods" if scope.segment is not None else "periods or segments"
        yield Finding(
            code="pooled_over_epochs",
            severity="info",
            message=f"The rates per variant mix {mixed} with different splits; compare by the lift, not by the rates",
        )


def _strata(plan: Plan, metric: MetricPlan, scope: Scope, table: MomentTable) -> dict[Pair, Strata]:
    by_variant = [(stratum, _by_variant(stratum, metric, table)) for stratum in scope.strata]
    return {
        (treatment, baseline): [
            StratumMoments(
                units=sum(group.n for group in moments.values()),
                treatment=moments[treatment],
                baseline=moments[baseline],
            )
            for stratum, moments in by_variant
            if {treatment, baseline} <= stratum.variants
        ]
        for treatment, baseline in pairs(plan)
    }


def _by_variant(stratum: Stratum, metric: MetricPlan, table: MomentTable) -> dict[str, Moments]:
    return {variant: stratum.moments(table, variant, metric.key) for variant, _ in stratum.shares}


def scope_report(
    plan: Plan, table: MomentTable, analysis: ScopeAnalysis, family: Family, inherited: Sequence[Finding] = ()
) -> ScopeReport:
    """The report on one scope, given its members of the family and the findings that others pass on to it."""
    critical = (*analysis.critical, *inherited)
    contest = Contest(
        plan=plan,
        scope=analysis.scope,
        effects=analysis.primary_effects(plan),
        family=family,
        critical=critical,
        early=analysis.early,
    )
    return ScopeReport(
        segment=analysis.scope.segment,
        units=sum(analysis.scope.units(table, variant) for variant in plan.variants),
        srm=analysis.srm,
        metrics=tuple(_metric_report(plan, metric, table, analysis, family) for metric in plan.metrics),
        verdict=verdict(contest),
        findings=(*critical, *analysis.early, *analysis.notes),
    )


def _metric_report(
    plan: Plan, metric: MetricPlan, table: MomentTable, analysis: ScopeAnalysis, family: Family
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
            _comparison(plan, metric, pair, effect, family) for pair, effect in analysis.effects[metric.key].items()
        ),
    )


def _comparison(plan: Plan, metric: MetricPlan, pair: Pair, effect: Effect, family: Family) -> Comparison:
    treatment, baseline = pair
    judged = family.get(pair, _OUTSIDE) if metric.role == "primary" else _OUTSIDE
    guarded = metric.role == "guardrail" and baseline == plan.control
    return Comparison(
        treatment=treatment,
        baseline=baseline,
        difference=effect.difference,
        lift=effect.lift,
        p_value=effect.p_value,
        p_value_always_valid=effect.p_value_always_valid,
        p_value_adjusted=judged.p_value,
        difference_in_family=judged.difference,
        lift_in_family=judged.lift,
        guardrail=guardrail_state(metric, effect.lift) if guarded else None,
    )
