"""From a plan and its moments to the report; `build` is the one entry, `analyse` the same from raw tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING

from analysis.estimate import REPORT_SCHEMA, Finding, Report, Undefined
from analysis.inference.contest import Adjusted, Pair
from analysis.inference.families import TOO_EARLY, adjust, decisive_p
from analysis.moments import MomentTable
from analysis.plan import Plan
from analysis.quality.exclusions import exclusion_findings
from analysis.scope_report import ScopeAnalysis, analyse_scope, scope_report
from analysis.serialise import canonical_json, to_dict
from analysis.version import ENGINE_VERSION

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["analyse", "build", "canonical_json", "to_dict"]


def analyse(exposures: ir.Table, events: ir.Table, plan: Plan) -> Report:
    """The report on raw tables; see `analysis.aggregate.aggregate` for their columns."""
    # Only here: a report from stored moments does without Ibis and DuckDB.
    from analysis.aggregate import aggregate  # noqa: PLC0415

    return build(plan, aggregate(exposures, events, plan))


def build(plan: Plan, moments: MomentTable) -> Report:
    """The report on moments: a pure function, equal inputs give byte-identical `canonical_json`."""
    overall = analyse_scope(plan, moments, None)
    segments = [analyse_scope(plan, moments, segment) for segment in plan.segments]
    adjusted = _family(plan, segments)
    return Report(
        schema=REPORT_SCHEMA,
        engine_version=ENGINE_VERSION,
        control=plan.control,
        variants=plan.variants,
        alpha=plan.alpha,
        stopping_rule=plan.stopping_rule,
        family=plan.family,
        tuned_for_units=plan.tuned_for_units,
        units=sum(moments.units.values()),
        units_mixed=moments.units_mixed,
        units_outside=moments.units_outside,
        watermark_at=None if plan.watermark_at is None else plan.watermark_at.astimezone(UTC).isoformat(),
        overall=scope_report(plan, moments, overall, _family(plan, [overall])[0], _broken(plan, segments)),
        segments=tuple(
            scope_report(plan, moments, scope, family) for scope, family in zip(segments, adjusted, strict=True)
        ),
        findings=tuple(exclusion_findings(plan, moments)),
    )


def _family(plan: Plan, scopes: Sequence[ScopeAnalysis]) -> list[Adjusted]:
    """Adjusted p-values of the primary metric's comparisons in these scopes, as one family.

    Pairs of variants that the plan never offers in a scope are no members. A scope below the minimum is one, and its
    p-values count as 1: what is not looked at yet still belongs to what was declared.
    """
    members: dict[tuple[int, Pair], float | Undefined] = {}
    for index, scope in enumerate(scopes):
        for pair, effect in scope.primary_effects(plan).items():
            if set(pair) <= set(scope.scope.offered):
                members[index, pair] = TOO_EARLY if scope.is_early else decisive_p(plan, effect)
    adjusted = adjust(plan, members)
    return [{pair: p for (of, pair), p in adjusted.items() if of == index} for index in range(len(scopes))]


def _broken(plan: Plan, segments: Sequence[ScopeAnalysis]) -> list[Finding]:
    """A segment that cannot be trusted takes the whole it is part of with it."""
    names = [plan.segment_name(scope.scope.segment or "") for scope in segments if scope.critical]
    if not names:
        return []
    return [
        Finding(
            code="segment_untrustworthy",
            severity="critical",
            message=f"the data of {', '.join(names)} cannot be trusted, and are part of these",
        )
    ]
