"""One scope of a report: its metrics, its findings, its verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from analysis import looking
from analysis.arms import Summaries
from analysis.board import Board
from analysis.comparison_rows import MetricRows
from analysis.estimate import ArmBelief, Finding, MetricReport, SampleRatio, ScopeReport
from analysis.in_rows import rows
from analysis.inference.contest import Contest
from analysis.inference.winners import verdict
from analysis.measured import Measured
from analysis.quality.exclusions import incomplete, scope_findings
from analysis.quality.srm import scope_ratio, srm_doubts, srm_findings
from analysis.sections.adaptive import adaptive_comparison
from analysis.sections.covariates import covariate_findings
from analysis.sections.equivalence import practically_equal
from analysis.sections.guardrails import guardrail_findings
from analysis.sections.novelty import novelties
from analysis.sections.outlooks import Ahead, too_good
from analysis.sections.values import value_findings

_ABOUT = attrgetter("key", "kind", "role", "direction")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeData:
    """What is known of a scope before its comparisons are looked at. `early`: variants below the minimum."""

    srm: SampleRatio
    critical: tuple[Finding, ...]
    early: tuple[Finding, ...]
    notes: tuple[Finding, ...]


def scope_data(board: Board, number: int, early: Sequence[Finding]) -> ScopeData:
    srm = scope_ratio(board, number)
    mismatches = srm_findings(board, number, srm)
    return ScopeData(
        srm=srm,
        critical=(*mismatches, *covariate_findings(board, number)),
        early=tuple(early),
        notes=(
            *srm_doubts(board, number, srm, mismatches),
            *scope_findings(board, number),
            *_pooled_findings(board, number),
        ),
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


def metric_reports(
    board: Board,
    metrics: Sequence[tuple[Summaries, MetricRows]],
    arm_beliefs: Sequence[Sequence[tuple[ArmBelief, ...]]],
) -> list[tuple[MetricReport, ...]]:
    """By scope. `metrics`: in plan order, the arms by scope, and the rows of comparisons; `arm_beliefs` by scope."""
    many, size, width = len(board.scopes), len(board.pairs), len(metrics)
    made = rows(
        MetricReport,
        *[about * many for about in zip(*map(_ABOUT, board.plan.metrics), strict=True)],
        [arms[number] for number in range(many) for arms, _ in metrics],
        [
            tuple(found.comparisons[start : start + size])
            for start in range(0, many * size, size)
            for _, found in metrics
        ],
        [beliefs for of_scope in arm_beliefs for beliefs in of_scope],
    )
    return [tuple(made[start : start + width]) for start in range(0, many * width, width)]


def scope_report(
    measured: Measured,
    number: int,
    data: ScopeData,
    reports: tuple[MetricReport, ...],
    *,
    ahead: Mapping[int, Ahead],
    inherited: Sequence[Finding],
) -> ScopeReport:
    """The report on one scope, given the findings that others pass on to it. `ahead`: by row of the board."""
    board, plan = measured.board, measured.board.plan
    scope, start = board.scopes[number], number * len(board.pairs)
    primary = reports[board.primary].comparisons
    critical = (*data.critical, *inherited)
    by_day, said = novelties(board, number)
    surprises = (
        *(() if critical else guardrail_findings(board, number, reports, data.early)),
        *(() if critical else practically_equal(plan, primary)),
        *too_good(board, ahead, number, primary),
        *value_findings(board, number),
    )
    contest = Contest(
        plan=plan,
        scope=scope,
        comparisons=dict(zip(board.pairs, primary, strict=True)),
        significant_alone=frozenset(
            pair for place, pair in enumerate(board.pairs) if measured.decisive[start + place] < plan.alpha
        ),
        critical=critical,
        early=data.early,
        maturing=incomplete(scope, board.table.maturing).get(plan.primary.key, 0),
        stands=looking.stands(board, number),
    )
    return ScopeReport(
        segment=scope.segment,
        units=board.units_of[number],
        srm=data.srm,
        metrics=reports,
        verdict=verdict(contest),
        findings=(*critical, *data.early, *surprises, *said, *data.notes),
        novelty=by_day,
        adaptive=adaptive_comparison(board, number) if board.is_adaptive else None,
    )
