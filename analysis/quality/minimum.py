"""The minimum before the first look: below it standard errors have not settled, and nothing is concluded."""

from __future__ import annotations

from analysis.estimate import Finding
from analysis.moments import MomentTable
from analysis.plan import Plan
from analysis.scopes import Scope


def below_minimum(plan: Plan, scope: Scope, table: MomentTable) -> list[Finding]:
    """`few_units` and `few_conversions` of every arm that was offered in the scope, on the primary metric."""
    findings = []
    for variant in scope.offered:
        units = scope.units(table, variant)
        if units < plan.min_units:
            findings.append(_few_units(plan, variant, units))
        elif plan.primary.kind == "conversion":
            findings += _few_conversions(plan, scope, table, variant)
    return findings


def _few_units(plan: Plan, variant: str, units: int) -> Finding:
    return Finding(
        code="few_units",
        severity="info",
        message=f"{plan.variant_name(variant)} has {units} of the {plan.min_units} {plan.units_name} needed",
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
