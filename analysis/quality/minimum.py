"""The minimum before the first look: below it standard errors have not settled, and nothing is concluded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor

from analysis.estimate import Finding
from analysis.moments import MomentTable
from analysis.plan import Plan
from analysis.scopes import Scope
from analysis.stratum import StratumMoments, entering_strata, events_behind


def below_minimum(
    plan: Plan, scope: Scope, table: MomentTable, strata: Mapping[tuple[str, str], Sequence[StratumMoments]]
) -> list[Finding]:
    """`few_units`, and `few_conversions` or `few_events`, of every arm that was offered in the scope.

    All on the primary metric: units whose window is not complete have no outcome yet and do not help. `strata` are its
    moments by (treatment, baseline).
    """
    findings: list[Finding] = []
    for variant in scope.offered:
        if few := _few_units(plan, scope, table, variant):
            findings.append(few)
        elif plan.primary.kind == "conversion":
            findings += _few_conversions(plan, scope, table, variant)
    if plan.primary.kind == "conversion":
        return findings
    return findings + _few_events(plan, scope, strata, {finding.variant for finding in findings})


def _few_units(plan: Plan, scope: Scope, table: MomentTable, variant: str) -> Finding | None:
    """Strata are compared one by one, so the minimum has to be met in one of them, next to a control that meets it."""
    units = {stratum: stratum.moments(table, variant, plan.primary.key).n for stratum in scope.strata}
    beside = {stratum: stratum.moments(table, plan.control, plan.primary.key).n for stratum in scope.strata}
    most = max(units.values(), default=0)
    together = [n for stratum, n in units.items() if beside[stratum] >= plan.min_units]
    if most >= plan.min_units and together:
        most = max(together)
    if most >= plan.min_units:
        return None
    in_one = "" if sum(units.values()) < plan.min_units else " while the split does not change"
    window = "" if plan.primary.window_seconds is None else " with a complete window"
    return Finding(
        code="few_units",
        severity="info",
        message=f"{plan.variant_name(variant)} has {most} of the {plan.min_units} {plan.units_name}{window} needed"
        f"{in_one}",
        variant=variant,
    )


def _few_conversions(plan: Plan, scope: Scope, table: MomentTable, variant: str) -> list[Finding]:
    moments = scope.pooled(table, variant, plan.primary.key)
    converted = round(moments.total)
    return [
        Finding(
            code="few_conversions",
            severity="info",
            message=f"{plan.variant_name(variant)} has {count} of the {plan.min_conversions} {plan.units_name} {who} "
            "needed",
            variant=variant,
            metric=plan.primary.key,
        )
        for count, who in ((converted, "with an event"), (moments.n - converted, "without an event"))
        if count < plan.min_conversions
    ]


def _few_events(
    plan: Plan,
    scope: Scope,
    strata: Mapping[tuple[str, str], Sequence[StratumMoments]],
    short: set[str | None],
) -> list[Finding]:
    """One finding for each arm that holds up a comparison, the scarcer one of the two; the worst case of each arm."""
    worst: dict[str, tuple[float, int]] = {}
    for (treatment, baseline), found in strata.items():
        entering = entering_strata(found, plan.min_units)
        if not entering or short & {treatment, baseline} or not {treatment, baseline} <= set(scope.offered):
            continue
        support = events_behind(plan.primary.kind, entering)
        scarcer = treatment if support.treatment < support.baseline else baseline
        if not support.is_enough and support.needed > worst.get(scarcer, (0.0, 0))[1]:
            worst[scarcer] = min(support.treatment, support.baseline), support.needed
    return [_few_events_finding(plan, variant, *worst[variant]) for variant in scope.offered if variant in worst]


def _few_events_finding(plan: Plan, variant: str, events: float, needed: int) -> Finding:
    return Finding(
        code="few_events",
        severity="info",
        message=f"{plan.primary.label} of {plan.variant_name(variant)} comes down to {floor(events)} of the {needed} "
        f"{plan.units_name} needed",
        variant=variant,
        metric=plan.primary.key,
    )
