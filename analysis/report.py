"""From a plan and its moments to the report; `build` is the one entry, `analyse` the same from raw tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING

from analysis.estimate import REPORT_SCHEMA, Finding, Report
from analysis.inference.contest import Family, Pair
from analysis.inference.families import Member, judge
from analysis.moments import MomentTable
from analysis.plan import Plan
from analysis.quality.exclusions import exclusion_findings
from analysis.scope_report import ScopeAnalysis, analyse_scope, members_of, scope_report
from analysis.scopes import scope_of
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
    overall, together = _analysed(plan, moments, [None])
    segments, families = _analysed(plan, moments, plan.segments)
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
        overall=scope_report(plan, moments, overall[0], together[0], _broken(plan, segments)),
        segments=tuple(
            scope_report(plan, moments, scope, family) for scope, family in zip(segments, families, strict=True)
        ),
        findings=tuple(exclusion_findings(plan, moments)),
    )


def _analysed(
    plan: Plan, moments: MomentTable, segments: Sequence[str | None]
) -> tuple[list[ScopeAnalysis], list[Family]]:
    """These scopes, and the primary metric's comparisons in them as one family.

    Pairs of variants that the plan never offers in a scope are no members. Those below the minimum are, and count as 1:
    what is not looked at yet still belongs to what was declared. So the size of a family is known before any data.
    """
    scopes = [scope_of(plan, segment) for segment in segments]
    size = sum(len(members_of(plan, scope)) for scope in scopes)
    analyses = [analyse_scope(plan, moments, scope, family_size=size) for scope in scopes]
    members: dict[tuple[int, Pair], Member] = {
        (index, pair): analysis.member(plan, pair)
        for index, analysis in enumerate(analyses)
        for pair in members_of(plan, analysis.scope)
    }
    judged = judge(plan, members)
    return analyses, [{pair: one for (of, pair), one in judged.items() if of == index} for index in range(len(scopes))]


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
