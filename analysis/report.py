"""From a plan and its moments to the report; `build` is the one entry, `analyse` the same from raw tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.arms import arm_summaries
from analysis.board import Board, board_of
from analysis.comparison_rows import metric_rows
from analysis.estimate import REPORT_SCHEMA, Finding, Report
from analysis.looking import look_findings, with_outcome
from analysis.measured import Batch, batches, home_of, measure
from analysis.moments import MomentTable
from analysis.plan import Plan
from analysis.quality.exclusions import exclusion_findings
from analysis.quality.minimum import below_minimum, clearly_above
from analysis.scope_report import ScopeData, metric_reports, scope_data, scope_report
from analysis.sections.beliefs import beliefs_of_arms
from analysis.sections.segments import recommendation, segment_comparisons
from analysis.sections.values import cap_findings, too_skewed
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
    # Empty groups divide by nothing and huge values overflow: what comes of it is not finite, and named so.
    with np.errstate(all="ignore"):
        return _build(plan, moments)


def _build(plan: Plan, moments: MomentTable) -> Report:
    board = board_of(plan, moments)
    found = batches(board)
    early = _early(board, found)
    measured = measure(board, found, _waits(board, early))
    data = [scope_data(board, number, early[number]) for number in range(len(board.scopes))]
    metrics = list(zip(arm_summaries(board), metric_rows(measured), strict=True))
    units = sum(moments.units.values())
    told = (*look_findings(plan, with_outcome(board)), *exclusion_findings(plan, moments), *cap_findings(board))
    # What leaves no trust in the tables leaves none in any part of them.
    grave = tuple(finding for finding in told if finding.severity == "critical")
    broken = (*_broken(board, data), *grave)
    reports = metric_reports(board, metrics, beliefs_of_arms(measured, [rows.beliefs for _, rows in metrics]))
    ahead = metrics[board.primary][1].outlooks
    scopes = [
        scope_report(measured, number, data[number], own, ahead=ahead, inherited=grave if number else broken)
        for number, own in enumerate(reports)
    ]
    side_by_side = segment_comparisons(measured)
    return Report(
        schema=REPORT_SCHEMA,
        engine_version=ENGINE_VERSION,
        control=plan.control,
        variants=plan.variants,
        alpha=plan.alpha,
        stopping_rule=plan.stopping_rule,
        family=plan.family,
        tuned_for_units=plan.tuned_for_units,
        units=units,
        units_mixed=moments.units_mixed,
        units_outside=moments.units_outside,
        watermark_at=None if plan.watermark_at is None else plan.watermark_at.astimezone(UTC).isoformat(),
        overall=scopes[0],
        segments=tuple(scopes[1:]),
        findings=told,
        segment_comparisons=side_by_side,
        recommendation=recommendation(measured, scopes[0], scopes[1:], side_by_side),
    )


def _early(board: Board, found: Sequence[Batch]) -> list[list[Finding]]:
    """By scope, what is below the minimum."""
    home, offset = home_of(board, found)
    size = len(board.pairs)
    above = clearly_above(board, home.tested, slice(offset, offset + len(board.scopes) * size))
    early = []
    for number, is_above in enumerate(above):
        rows = slice(offset + number * size, offset + (number + 1) * size)
        short = [] if is_above else below_minimum(board, number, home.tested, rows)
        early.append([*short, *too_skewed(board, number)])
    return early


def _waits(board: Board, early: Sequence[Sequence[Finding]]) -> NDArray[np.bool_]:
    """Rows where the scope, or one of the two, is below the minimum; a scope is, if a variant still offered is."""
    flags = []
    for scope, findings in zip(board.scopes, early, strict=True):
        if not findings:
            flags += [False] * len(board.pairs)
            continue
        short = {finding.variant for finding in findings}
        everybody = bool(short & set(scope.current))
        flags += [everybody or bool(short & set(pair)) for pair in board.pairs]
    return np.array(flags)


def _broken(board: Board, data: Sequence[ScopeData]) -> list[Finding]:
    """A segment that cannot be trusted takes the whole it is part of with it."""
    names = [
        board.plan.segment_name(scope.segment or "")
        for scope, one in zip(board.scopes[1:], data[1:], strict=True)
        if one.critical
    ]
    if not names:
        return []
    return [
        Finding(
            code="segment_untrustworthy",
            severity="critical",
            message=f"the data of {', '.join(names)} cannot be trusted, and are part of these",
        )
    ]
