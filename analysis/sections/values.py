"""What single units do to a metric: skewed values, outliers, cut-offs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import add

from analysis.board import Board
from analysis.effects.means import critical_value
from analysis.estimate import Finding
from analysis.moments import MetricKey, Shape
from analysis.plan import MetricPlan, Plan
from analysis.quality.outliers import outlier_finding
from analysis.quality.skew import ShapePair, skew_finding
from analysis.scopes import Stratum


def value_findings(board: Board, number: int) -> Iterator[Finding]:
    """Of one scope, on its means and counts, treatment by treatment against the control."""
    if not board.table.shapes:
        return
    plan, scope = board.plan, board.scopes[number]
    for metric in plan.metrics:
        if metric.kind not in ("mean", "count"):
            continue
        for treatment in scope.offered:
            if treatment != plan.control and (strata := _pairs(board, number, metric, treatment)):
                yield from _findings(plan, metric, treatment, strata)


def _findings(plan: Plan, metric: MetricPlan, treatment: str, strata: list[ShapePair]) -> Iterator[Finding]:
    names = {"metric": metric.key, "treatment": treatment, "treatment_name": plan.variant_name(treatment)}
    found = (
        skew_finding(strata, label=metric.label, units_name=plan.units_name, **names),
        outlier_finding(
            strata,
            critical_value(plan.alpha),
            label=metric.label,
            baseline=plan.control,
            baseline_name=plan.variant_name(plan.control),
            **names,
        ),
    )
    yield from (finding for finding in found if finding)


def _pairs(board: Board, number: int, metric: MetricPlan, treatment: str) -> list[ShapePair]:
    """The strata in which both have the minimum of units, with their shares."""
    plan = board.plan
    found = []
    for stratum in board.scopes[number].strata:
        one, other = (_shape(board, stratum, variant, metric.key) for variant in (treatment, plan.control))
        if {treatment, plan.control} <= stratum.variants and min(one.n, other.n) >= plan.min_units:
            found.append((one, other, _units(board, stratum, metric.key)))
    total = sum(units for *_, units in found)
    return [ShapePair(treatment=one, baseline=other, share=units / total) for one, other, units in found]


def _shape(board: Board, stratum: Stratum, variant: str, metric: str) -> Shape:
    keys = (MetricKey(stratum.epoch, segment, variant, metric) for segment in stratum.segments)
    return reduce(add, (board.table.shapes[key] for key in keys if key in board.table.shapes), Shape())


def _units(board: Board, stratum: Stratum, metric: str) -> int:
    return sum(_shape(board, stratum, variant, metric).n for variant, _ in stratum.shares)


def cap_findings(board: Board) -> Iterator[Finding]:
    """Which cut-offs were found, once for the whole report."""
    labels = {metric.key: metric for metric in board.plan.metrics}
    for key, cap in sorted(board.table.caps.items()):
        metric = labels.get(key.removesuffix("/denominator"))
        quantile = None if metric is None else metric.winsor_quantile
        if metric is not None and quantile is not None:
            yield Finding(
                code="winsorised",
                severity="info",
                message=f"Values of {metric.label} above {cap:.6g} count as {cap:.6g}, the {quantile:.4g} "
                f"quantile of all {board.plan.units_name}",
                metric=metric.key,
            )
