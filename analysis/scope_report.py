"""One scope of a report: its metrics, its findings, its verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arms import Summaries
from analysis.board import Board
from analysis.comparison_rows import Rows
from analysis.estimate import Finding, MetricReport, SampleRatio, ScopeReport
from analysis.inference.contest import Contest
from analysis.inference.winners import verdict
from analysis.measured import Measured
from analysis.quality.exclusions import scope_findings
from analysis.quality.srm import sample_ratio, srm_findings
from analysis.sections.beliefs import beliefs_of_arms
from analysis.sections.novelty import novelties
from analysis.sections.outlooks import too_good
from analysis.sections.values import value_findings


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeData:
    """What is known of a scope before its comparisons are looked at. `early`: variants below the minimum."""

    srm: SampleRatio
    critical: tuple[Finding, ...]
    early: tuple[Finding, ...]
    notes: tuple[Finding, ...]


def scope_data(board: Board, number: int, early: Sequence[Finding]) -> ScopeData:
    plan, scope, table = board.plan, board.scopes[number], board.table
    srm = sample_ratio(scope, table, plan)
    return ScopeData(
        srm=srm,
        critical=tuple(srm_findings(plan, scope, srm, table)),
        early=tuple(early),
        notes=(*scope_findings(board, number), *_pooled_findings(board, number)),
    )


def _pooled_findings(board: Board, number: int) -> Iterator[Finding]:
    """Rates of arms are pooled over all strata, effects never: where splits differ, the two may disagree (Simpson)."""
    scope = board.scopes[number]
    if len(scope.strata) < 2:
        return
    inhabited = board.units[board.strata_of[number]].any(axis=1)
    splits = {
        tuple((variant, round(share, 12)) for variant, share in stratum.shares)
        for stratum, lived_in in zip(scope.strata, inhabited, strict=False)
        if lived_in
    }
    if len(splits) > 1:
        mixed = "periods" if scope.segment is not None else "periods or segments"
        yield Finding(
            code="pooled_over_epochs",
            severity="info",
            message=f"The rates per variant mix {mixed} with different splits; compare by the lift, not by the rates",
        )


def scope_report(
    measured: Measured,
    number: int,
    data: ScopeData,
    metrics: Sequence[tuple[Summaries, Rows]],
    inherited: Sequence[Finding],
) -> ScopeReport:
    """The report on one scope, given the findings that others pass on to it.

    `metrics`: in plan order, the arms by scope, and the rows of comparisons.
    """
    board, plan = measured.board, measured.board.plan
    scope = board.scopes[number]
    start = number * len(board.pairs)
    reports = tuple(
        MetricReport(
            metric=metric.key,
            kind=metric.kind,
            role=metric.role,
            direction=metric.direction,
            arms=arms[number],
            comparisons=tuple(rows.comparison(start + place, pair) for place, pair in enumerate(board.pairs)),
            beliefs=beliefs_of_arms(measured, index, number, rows.beliefs),
        )
        for index, (metric, (arms, rows)) in enumerate(zip(plan.metrics, metrics, strict=True))
    )
    primary = reports[plan.metrics.index(plan.primary)].comparisons
    critical = (*data.critical, *inherited)
    by_day, said = novelties(board, number)
    ahead = metrics[plan.metrics.index(plan.primary)][1].outlooks
    surprises = (*too_good(board, ahead, number, primary), *value_findings(board, number))
    contest = Contest(
        plan=plan,
        scope=scope,
        comparisons=dict(zip(board.pairs, primary, strict=True)),
        significant_alone=frozenset(
            pair for place, pair in enumerate(board.pairs) if measured.decisive[start + place] < plan.alpha
        ),
        critical=critical,
        early=data.early,
    )
    return ScopeReport(
        segment=scope.segment,
        units=int(np.sum(board.units[board.strata_of[number]])),
        srm=data.srm,
        metrics=reports,
        verdict=verdict(contest),
        findings=(*critical, *data.early, *surprises, *said, *data.notes),
        novelty=by_day,
    )
