"""One scope of a report: its metrics, its findings, its verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from analysis.sections.outlooks import too_good
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


def scope_report(
    measured: Measured,
    number: int,
    data: ScopeData,
    metrics: Sequence[tuple[Summaries, MetricRows]],
    *,
    arm_beliefs: Sequence[tuple[ArmBelief, ...]],
    inherited: Sequence[Finding],
) -> ScopeReport:
    """The report on one scope, given the findings that others pass on to it.

    `metrics`: in plan order, the arms by scope, and the rows of comparisons; `arm_beliefs`, those of this scope.
    """
    board, plan = measured.board, measured.board.plan
    scope = board.scopes[number]
    start = number * len(board.pairs)
    own = slice(start, start + len(board.pairs))
    reports = tuple(
        rows(
            MetricReport,
            *zip(*map(_ABOUT, plan.metrics), strict=True),
            [arms[number] for arms, _ in metrics],
            [tuple(found.comparisons[own]) for _, found in metrics],
            arm_beliefs,
        )
    )
    primary = reports[board.primary].comparisons
    critical = (*data.critical, *inherited)
    by_day, said = novelties(board, number)
    ahead = metrics[board.primary][1].outlooks
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
