"""What was left out, and whether it matters: units in two variants, units outside of the plan, values, strata."""

from __future__ import annotations

from analysis.estimate import Finding
from analysis.moments import MomentTable
from analysis.plan import Plan
from analysis.scopes import Scope, Stratum

# Above this share of all units, leaving the mixed ones out may itself distort the comparison.
MIXED_SHARE = 0.01


def exclusion_findings(plan: Plan, table: MomentTable) -> list[Finding]:
    """Findings about the tables as a whole."""
    return [*_mixed(plan, table), *_outside(plan, table), *_missing(plan, table)]


def _mixed(plan: Plan, table: MomentTable) -> list[Finding]:
    if not table.units_mixed:
        return []
    share = table.units_mixed / (table.units_mixed + sum(table.units.values()))
    return [
        Finding(
            code="mixed_exposures",
            severity="warning" if share > MIXED_SHARE else "info",
            message=f"{table.units_mixed} {plan.units_name} ({100 * share:.2g}%) saw more than one variant while the "
            "split did not change; they are left out",
        )
    ]


def _outside(plan: Plan, table: MomentTable) -> list[Finding]:
    if not table.units_outside:
        return []
    message = (
        f"{table.units_outside} {plan.units_name} were first exposed outside of the plan (unknown segment, epoch or "
        "variant); they are left out"
    )
    return [Finding(code="exposures_outside", severity="warning", message=message)]


def _missing(plan: Plan, table: MomentTable) -> list[Finding]:
    return [
        Finding(
            code="values_missing",
            severity="warning",
            message=f"{table.values_missing[metric.key]} events of {metric.label} have no usable value and add nothing",
            metric=metric.key,
        )
        for metric in plan.metrics
        if table.values_missing.get(metric.key)
    ]


def stratum_findings(plan: Plan, scope: Scope, table: MomentTable) -> list[Finding]:
    """Strata that cannot enter a variant's comparisons, because it was not offered there or (nearly) nobody came."""
    if len(scope.strata) < 2:
        return []
    return [
        _left_out(plan, scope, stratum, variant)
        for stratum in scope.strata
        if any(stratum.units(table, variant) for variant in scope.offered)
        for variant in scope.offered
        if variant not in stratum.variants or stratum.units(table, variant) < 2
    ]


def _left_out(plan: Plan, scope: Scope, stratum: Stratum, variant: str) -> Finding:
    name = plan.variant_name(variant)
    segments = ", ".join(plan.segment_name(segment) for segment in stratum.segments)
    where = f"epoch {stratum.epoch}" + (f" ({segments})" if scope.segment is None else "")
    why = f"has too few {plan.units_name}" if variant in stratum.variants else "was not offered"
    return Finding(
        code="stratum_left_out",
        severity="info",
        message=f"{name} {why} in {where}: that part is left out of its comparisons",
        variant=variant,
        epoch=stratum.epoch,
    )
